use std::process::Command;

use crate::{
    debian,
    run::{Result, cargo, output, root, run, succeeds, target},
};

const TARGET: &str = "wasm32-unknown-unknown";
/// Selects the browser's source of random bytes.
const FLAGS: &str = "--cfg getrandom_backend=\"wasm_js\"";
/// Debian's compiler brings the source of the target's standard library, for systems on which rustup cannot fetch it.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "rust-web-src", "lld", "clang"];

/// Builds the client for browsers, in a directory of its own since its flags differ.
pub(crate) fn wasm() -> Result {
    let mut build = cargo("build --package circles-client --target");
    build.arg(TARGET).arg("--target-dir").arg(target().join("wasm")).env("RUSTFLAGS", FLAGS);
    if !rustup_has_target() {
        prepare_debian()?;
        // A stable compiler builds the standard library only with RUSTC_BOOTSTRAP.
        build
            .args(["-Z", "build-std=std,panic_abort"])
            .env("RUSTC", DEBIAN_RUSTC)
            .env("RUSTC_BOOTSTRAP", "1");
    } else if !clang_speaks_wasm() {
        debian::install("a build for WebAssembly", &["clang"])?;
    }
    run(&mut build)
}

fn rustup_has_target() -> bool {
    let mut rustup = Command::new("rustup");
    let listed = output(rustup.args(["target", "list", "--installed"]).current_dir(root()));
    listed.is_some_and(|list| list.lines().any(|line| line == TARGET))
}

fn prepare_debian() -> Result {
    if debian_has_source() && clang_speaks_wasm() {
        return Ok(());
    }
    debian::install(
        "a build for WebAssembly on a system where `rustup target add wasm32-unknown-unknown` does not work",
        &DEBIAN_PACKAGES,
    )
}

fn debian_has_source() -> bool {
    let sysroot = output(Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"]));
    sysroot.is_some_and(|path| {
        std::path::Path::new(path.trim()).join("lib/rustlib/src/rust/library/std/Cargo.toml").exists()
    })
}

/// secp256k1 is C, which is compiled for WebAssembly too.
fn clang_speaks_wasm() -> bool {
    succeeds(Command::new("clang").arg(format!("--target={TARGET}")).args([
        "-x",
        "c",
        "-fsyntax-only",
        "/dev/null",
    ]))
}
