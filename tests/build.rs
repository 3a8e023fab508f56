//! Turns the examples of `openrpc.json` into tests: `$OUT_DIR/api_contract.rs`.

fn main() -> Result<(), String> {
    circles_codegen::build(
        "../openrpc.json",
        &circles_codegen::Settings::interface("circles_api::Error", "../openrpc.json"),
    )
}
