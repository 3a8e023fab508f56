//! Carries tasks from servers to workers and outcomes back, and stores what must survive both.
//!
//! Start at [`Store`]. `circles-store-embedded` (`embedded/`) is the store that lives in the process, the default;
//! `circles-store-redis` (`redis/`) joins machines. Both pass `tests/it/conformance.rs`, so the choice of one is a
//! line of configuration. Decisions that both make alike when a task ends are in [`settle_policy`].
//!
//! **Invariants.** Every submitted task produces exactly one [`Outcome`] for its submitter. A task reaches exactly one
//! final state, even when its worker, its deadline and its caller end it at the same time. Work and outcomes are
//! pushed to their receivers.

mod claim;
mod documents;
mod error;
mod inline_runner;
mod outcome;
mod quota;
pub mod settle_policy;
mod store;
pub mod sync;
mod task;
mod task_view;
mod ticket;

pub use circles_api::{ANSWER_BYTES, CircleId, hex, integers_fit};
pub use claim::{Claim, Lease, Settled, Settlement};
pub use documents::{Json, KEY_BYTES, Key, KeyRange, Reads, Snapshot, Transaction, Writes};
pub use error::Error;
pub use inline_runner::InlineRunner;
pub use outcome::{Failure, LogLevel, LogLine, Outcome, ScriptErrorKind, Stats, Success};
pub use quota::{Quota, Quotas};
pub use store::{Store, Watch, WatchEvent};
pub use task::{Caller, CallingPlay, Kind, Source, State, Task, TaskId, Via, record_via};
pub use task_view::{TaskFilter, TaskPage, TaskView};
pub use ticket::Ticket;
