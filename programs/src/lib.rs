//! The server and worker programs: flags, composition, signals and status. Each program is a `main` of one line over a
//! module of this crate, so that its tests are those of a library.
//!
//! **Invariant.** Only this crate and tests choose a store, and only this crate reads the environment of a server.

mod common;
pub mod server;
pub mod worker;

use circles_worker::CountingAllocator;
use mimalloc::MiMalloc;

/// The allocator of the programs that run scripts.
pub type Allocator = CountingAllocator<MiMalloc>;

/// The `#[global_allocator]` of programs that run scripts.
pub const ALLOCATOR: Allocator = CountingAllocator::new(MiMalloc);
