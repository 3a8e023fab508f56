//! `circles`, the command line. Its code is the library `circles_cli`, so that tests run over it.

use std::process::ExitCode;

fn main() -> ExitCode {
    circles_cli::main()
}
