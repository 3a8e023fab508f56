//! Runs scripts: [`Host`] turns a task into an outcome, [`Workers`] are the threads on which it does.
//!
//! **Invariants.** A play ends within its deadline and limits, whatever the script does: time, interruption
//! and memory are looked at between operations and between tokens, natives that can wait heed the deadline
//! themselves, natives that could allocate much in one step charge it first. Whatever is done for a play is done
//! in its frame: arguments are converted there, the policy is asked, the source is hashed and compiled, the result
//! is converted. Nothing a script defines changes who it is told has
//! called: the four constants are resolved before any variable of its own. Nothing of one play is seen by
//! another. Scripts reach the files, library and secrets of their play's own circle, and nothing else of the
//! machine. What changes anything outside of the play says so first, and none of it is ever done in a trial.
//!
//! **What Rhai leaves open.** A native that works through a text of tens of megabytes looks at no clock
//! meanwhile, which can make its play some hundred milliseconds late. `switch` over an array hashes all of
//! it, each text as often as it stands there: such a play can hold its thread far beyond its deadline.
//! Closures that hold themselves inside a function are never freed; a warning says so.

mod budget;
mod cache;
mod circle;
mod clock;
mod engine;
mod failure;
mod host;
mod memory;
mod metrics;
mod natives;
mod packages;
mod play;
mod run;
mod value;

pub use budget::Budget;
pub use circle::{CircleSettings, LibraryFunction, LibraryScript};
pub use circles_config::Limits;
pub use host::Host;
pub use memory::CountingAllocator;
pub use metrics::Metrics;
pub use run::{Slots, UncountedMemory, Workers};

#[cfg(test)]
#[global_allocator]
static ALLOCATOR: CountingAllocator<std::alloc::System> = CountingAllocator::new(std::alloc::System);
