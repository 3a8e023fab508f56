//! The limits of a circle.

use circles_store::Quota;
use serde::{Deserialize, Serialize};

/// The limits of one play, followed by those of the tasks that its circle remembers. A play that exceeds a limit ends
/// with an error that names the limit, by the name of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of source, in UTF-8. It can be raised to the length of the longest script of openrpc.json.
    pub script_bytes: usize,
    /// Rhai operations: expressions and statements evaluated. The default takes a few seconds; time is limited too.
    pub operations: u64,
    /// Nested calls of script functions. Each takes up to tens of kilobytes of stack.
    pub call_depth: usize,
    /// Nested expressions in a script, and in each of its functions.
    pub expression_depth: usize,
    /// Variables in scope at a time.
    pub variables: usize,
    /// Functions that a script defines.
    pub functions: usize,
    /// Imports that a play makes, those of imported modules included.
    pub modules: usize,
    /// Bytes of memory that a play may hold at a time.
    pub memory_bytes: usize,
    /// Lines that a play logs.
    pub log_lines: usize,
    /// Bytes that a play logs, as JSON.
    pub log_bytes: usize,
    /// Bytes of the result as JSON, and of its text as JSON. Both fit into one answer together with the log.
    pub result_bytes: usize,
    /// Nesting of the result, as deep as JSON parsers commonly read.
    pub result_depth: usize,
    /// Bytes of one file, read or written.
    pub file_bytes: u64,
    /// Changes to files: writes, renames, removals, new directories.
    pub file_writes: usize,
    /// Bytes that a play writes to files in total.
    pub written_bytes: u64,
    /// Bytes that all files of the circle may take on disk, counting 4 KiB for each file and directory.
    pub disk_bytes: u64,
    /// Names in a listed directory.
    pub list_entries: usize,
    /// Bytes of one document of the database, as JSON.
    pub document_bytes: usize,
    /// Documents that a play writes or deletes.
    pub db_writes: usize,
    /// Bytes of documents that a play writes in total, keys included.
    pub db_write_bytes: usize,
    /// Calls that a play makes to other circles.
    pub circle_calls: usize,
    /// Depth of calls between circles; a play from outside has depth 0.
    pub circle_depth: u8,
    /// Tasks of one caller that the circle remembers: those submitted or called with an idempotency key.
    pub caller_tasks: u64,
    /// Bytes that the outcomes of these tasks take.
    pub caller_task_bytes: u64,
    /// Tasks that the circle remembers of guests, which are callers on no access list, in total.
    pub guest_tasks: u64,
    /// Bytes that the outcomes of these tasks take.
    pub guest_task_bytes: u64,
    /// Milliseconds from the acceptance of a play to its deadline, unless the server's `--task-timeout` is lower.
    pub play_timeout_ms: u64,
    /// Milliseconds from the acceptance of a submitted task to its deadline, unless the server's `--submit-timeout`
    /// is lower.
    pub submit_timeout_ms: u64,
}

impl Limits {
    /// Returns the limits of remembered tasks.
    pub const fn quota(&self) -> Quota {
        Quota {
            caller_tasks: self.caller_tasks,
            caller_bytes: self.caller_task_bytes,
            guest_tasks: self.guest_tasks,
            guest_bytes: self.guest_task_bytes,
        }
    }
}

/// The maximum of `timeout_ms` in openrpc.json.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

impl Default for Limits {
    fn default() -> Self {
        let quota = Quota::default();
        Self {
            script_bytes: 256 << 10,
            operations: 100_000_000,
            call_depth: 64,
            expression_depth: 64,
            variables: 1_000,
            functions: 500,
            modules: 50,
            memory_bytes: 64 << 20,
            log_lines: 1_000,
            log_bytes: 256 << 10,
            result_bytes: 1 << 20,
            result_depth: 100,
            file_bytes: 16 << 20,
            file_writes: 1_000,
            written_bytes: 64 << 20,
            disk_bytes: 1 << 30,
            list_entries: 10_000,
            document_bytes: 1 << 20,
            db_writes: 10_000,
            db_write_bytes: 16 << 20,
            circle_calls: 100,
            // Deep enough for a call through a few circles, and a bound for calls in a loop.
            circle_depth: 4,
            caller_tasks: quota.caller_tasks,
            caller_task_bytes: quota.caller_bytes,
            guest_tasks: quota.guest_tasks,
            guest_task_bytes: quota.guest_bytes,
            play_timeout_ms: DAY_MS,
            submit_timeout_ms: DAY_MS,
        }
    }
}
