//! Runs scripts: [`Host`] turns a task into an outcome, [`Workers`] are the threads on which it does.
//!
//! **Invariants.** A play ends within its deadline and limits, whatever the script does: time, interruption and
//! memory are looked at between operations, natives that can wait heed the deadline themselves, natives that
//! could allocate much in one step charge it first. Nothing a script defines changes who it is told has called:
//! the four constants are resolved before any variable of its own. Nothing of one play is seen by another.

mod cache;
mod clock;
mod engine;
mod failure;
mod host;
mod limits;
mod memory;
mod natives;
mod play;
mod run;
mod value;

pub use host::Host;
pub use limits::Limits;
pub use memory::CountingAllocator;
pub use run::Workers;
