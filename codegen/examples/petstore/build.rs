//! Turns `petstore.json` into `$OUT_DIR/api.rs`.

fn main() -> Result<(), String> {
    circles_codegen::build("petstore.json", &circles_codegen::Settings::default())
}
