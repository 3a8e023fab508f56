//! Runs scripts: [`Host`] turns a task into an outcome, [`Workers`] are the threads that do so.
//!
//! Five layers, each of which knows only those above it in this list (`cargo xtask tidy` checks that):
//!
//! | layer | what it holds |
//! |---|---|
//! | `play` | a play's meter, usage and effects: when it must stop, and what it did; knows no engine |
//! | `circle` | a circle's resources behind one trait: library, files, secrets, documents, calls; knows no engine |
//! | `natives`, `packages` | the functions that scripts call |
//! | `engine` | the construction of engines, the resolver of imports, the compiled scripts |
//! | `host` | served circles, their policies, and the way from a task to its outcome |
//!
//! **Invariants.** A play ends within its deadline and limits, whatever its script does: time, interruption and memory
//! are checked between operations and between tokens; a native that can wait keeps the deadline itself, and a native
//! that could allocate much in one step charges the memory first. All work for a play happens within these limits: its
//! arguments are converted there, its policy is asked, its source is hashed and compiled, its result is converted. No
//! script can change its constants: they are resolved before any variable of its own. No play sees the values of
//! another. Scripts reach the resources of their play's own circle, and nothing else of the machine. Every effect
//! outside of the play is marked first, and none happens on the fast path.
//!
//! **Open in Rhai.** A native that works through a text of tens of megabytes looks at no clock meanwhile, which can
//! make its play some hundred milliseconds late. Closures that hold themselves inside a function are never freed; a log
//! line says so when they have taken too much.

mod circle;
mod engine;
mod host;
mod metrics;
mod natives;
mod packages;
mod play;
mod workers;

pub use circle::CircleSettings;
pub use circles_config::Limits;
pub use host::{Host, LibraryFunction, LibraryScript};
pub use metrics::Metrics;
pub use play::{Budget, CountingAllocator};
pub use workers::{Slots, UncountedMemory, Workers};

#[cfg(test)]
#[global_allocator]
static ALLOCATOR: CountingAllocator<std::alloc::System> = CountingAllocator::new(std::alloc::System);
