//! `circles-server`: see `programs/src/server.rs`.

use std::process::ExitCode;

use circles_programs::Allocator;

/// Counts what scripts allocate; their memory limit rests on it.
#[global_allocator]
static ALLOCATOR: Allocator = circles_programs::ALLOCATOR;

fn main() -> ExitCode {
    circles_programs::server::main()
}
