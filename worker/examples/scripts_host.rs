//! Times scripts as circles play them, with every limit held: what `cargo xtask bench script` compares with the
//! engine alone.

mod timing;

use std::{sync::Arc, time::Duration};

use circles_store::{Caller, CircleId, EmbeddedConfig, Outcome, Source, Store, Task, Trial as _};
use circles_testing::{embedded, played};
use circles_worker::{CountingAllocator, Host, Limits};
use mimalloc::MiMalloc;
use serde_json::Value;

/// As the server has it: the memory limit rests on it.
#[global_allocator]
static ALLOCATOR: CountingAllocator<MiMalloc> = CountingAllocator::new(MiMalloc);

const CIRCLE: &str = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = Arc::new(Host::new(Limits::default()));
    let store: Arc<dyn Store> = Arc::new(embedded(EmbeddedConfig::default()));
    let circle: CircleId = CIRCLE.parse()?;
    let task = |source: &str| {
        Task::new(circle, Caller::Anonymous, Source::script(source), Value::Null, Duration::from_secs(600))
    };
    let play = |task: Task| played(&store, task, |claim| host.play(&store, claim, || ()));
    let share = timing::share(timing::SCRIPTS.len() + 1);
    for (name, source, expected) in timing::SCRIPTS {
        let task = task(source);
        expect(name, expected, play(task.clone()))?;
        if name == timing::SHORT {
            let tried = || host.attempt(&task).unwrap_or_else(|| play(task.clone()));
            expect(name, expected, tried())?;
            timing::time(&format!("{name}, tried where it arrives"), share, tried);
            timing::time(&format!("{name}, claimed and settled"), share, || play(task.clone()));
        } else {
            timing::time(name, share, || play(task.clone()));
        }
    }
    Ok(())
}

fn expect(name: &str, expected: &str, outcome: Outcome) -> Result<(), String> {
    match outcome {
        Outcome::Succeeded(success) if success.output == expected => Ok(()),
        other => Err(format!("{name}: {other:?} instead of {expected}")),
    }
}
