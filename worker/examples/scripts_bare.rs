//! Times scripts in an engine as Rhai makes it, their syntax trees at hand: the yardstick of `cargo xtask bench
//! script`.

mod timing;

use mimalloc::MiMalloc;
use rhai::{Dynamic, Engine, Scope};

/// What the server allocates with, but nothing counted.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::new();
    let share = timing::share(timing::SCRIPTS.len());
    for (name, source, expected) in timing::SCRIPTS {
        let ast = engine.compile(source)?;
        let run = || engine.eval_ast_with_scope::<Dynamic>(&mut Scope::new(), &ast);
        let result = run()?.to_string();
        if result != expected {
            return Err(format!("{name}: {result} instead of {expected}").into());
        }
        timing::time(name, share, run);
    }
    Ok(())
}
