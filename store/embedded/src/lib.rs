//! The store that lives in its process: tasks in memory, everything that outlives them in one file for each circle.
//!
//! Start at [`EmbeddedStore`]. Its state is `StoreCore`, shared with claims and tickets.
//!
//! # The life of a task
//!
//! ```text
//! submit ─► InlineRunner ── has an outcome ───────────────────────────────────────────► Ticket
//!    │        (plays of which nothing is stored)
//!    ▼
//! admission      queue capacity, memory, quota; a known idempotency key joins the earlier call
//!    │           a submitted task waits here until its row is durable
//!    ▼
//! Queue          LiveTask: Queued            circles take turns, each within its running limit
//!    │ claim
//!    ▼
//! EmbeddedLease  LiveTask: Running           snapshot, log, mark_side_effects (durable before it returns)
//!    │ settle                     ▲  ▲
//!    ▼                            │  └─ requeue: the lease was dropped unsettled. With a mark, a task without a retry
//! settling       LiveTask: Settling             is lost. Once the store closes, it is left to the next process.
//!    │            conflict ───────┘ at most CONFLICT_RETRIES times, holding the circle's retry lock
//!    ▼
//! finish         LiveTask: Ended             its idempotency key is free, its waiters and watchers wake
//! ```
//!
//! Worker, deadline, cancellation and a dropped ticket may end a task at the same time: `LiveTask::begin_settling`
//! gives the decision to the first of them. After a crash, `recovery` finds submitted tasks in the circles' files, and
//! in `RunningFile` those that were running.
//!
//! # The life of a commit
//!
//! ```text
//! Claim::snapshot ─► CircleSnapshot: documents at one moment = Documents (the file) + newer Versions
//!
//! settle ─► CircleDb::commit
//!    │        1 a read changed since the snapshot? ─────────────► Conflict: run again
//!    │        2 the file has reached its size limit? ───────────► Full: ends as a failure
//!    │        3 add the writes to Versions: later snapshots see them
//!    │        4 append Change and OnDurable to the pending changes; beyond 32 MiB of them settling waits
//!    ▼
//! CircleFiles::flush on one of 4 threads, one batch at a time, circles in turn
//!    │        CircleDb::flush_batch ─► DbFile::apply: documents, records, rows of many plays in one redb commit
//!    ▼
//! OnDurable::report ─► StoreCore::finish ─► Ticket
//!             on a full disk a submitted task waits in DiskSpace; after another error all pending plays fail,
//!             and the circle's file is opened again
//! ```
//!
//! A play that read or wrote documents is answered after step 4 is durable, since its outcome rests on them. A play
//! that touched none is answered at once.
//!
//! **Lock order:** the tasks of `StoreCore` before a task's progress; a circle's database before its state. No lock is
//! held over an await except `Circle::key_lookup` and the retry lock, which are made for it.

mod admission;
mod circle;
mod circle_db;
mod circle_files;
mod circle_snapshot;
mod db;
mod disk_space;
mod embedded_config;
mod embedded_lease;
mod embedded_store;
mod failures;
mod listing;
mod live_task;
mod live_tasks;
mod log_stream;
mod on_durable;
mod queue;
mod record_chain;
mod recovery;
mod requeue;
mod running_file;
mod settling;
mod store_core;
mod task_row;
mod ticket;
mod unix_time;
mod versions;
mod watch;

pub use embedded_config::EmbeddedConfig;
pub use embedded_store::EmbeddedStore;
