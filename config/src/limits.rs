//! What one play may use, what is remembered of plays, and what may be said about it.

mod read;

use circles_store::Quota;
use serde::{Deserialize, Serialize};

pub use read::{SCRIPT_BYTES, most, parse, read};

/// What one play may use, and at the end what its circle remembers. A play that passes a limit ends with the limit's
/// name, which is the field's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of source, in UTF-8. It can be raised to the length of the longest script of openrpc.json.
    pub script_bytes: usize,
    /// Rhai operations: expressions and statements evaluated. A few seconds' worth; time is limited beside it.
    pub operations: u64,
    /// Nested calls of script functions. Each takes up to some tens of kilobytes of stack.
    pub call_depth: usize,
    /// Nested expressions in a script, and in each of its functions.
    pub expression_depth: usize,
    /// Variables in scope at a time.
    pub variables: usize,
    /// Functions that a script defines.
    pub functions: usize,
    /// Imports that a play makes, those of imported modules included.
    pub modules: usize,
    /// Bytes that a play may hold at a time, whatever it holds them in.
    pub memory_bytes: usize,
    /// Lines logged.
    pub log_lines: usize,
    /// Bytes logged, as JSON.
    pub log_bytes: usize,
    /// Bytes of the result as JSON, and of its text as JSON. Both and the log together fit into one answer.
    pub result_bytes: usize,
    /// Nesting of the result, as deep as JSON parsers commonly read.
    pub result_depth: usize,
    /// Bytes of one file, read or written.
    pub file_bytes: u64,
    /// Changes to files: writes, renames, removals, directories made.
    pub file_writes: usize,
    /// Bytes written to files, all together.
    pub written_bytes: u64,
    /// Bytes that all files of the circle may take on the disk, 4 KiB for each file and directory among them.
    pub disk_bytes: u64,
    /// Names in a directory that is listed.
    pub list_entries: usize,
    /// Bytes of one document of the database, as JSON.
    pub document_bytes: usize,
    /// Documents that a play writes or deletes.
    pub db_writes: usize,
    /// Bytes that it writes there, keys included, all together.
    pub db_write_bytes: usize,
    /// Calls into other circles.
    pub circle_calls: usize,
    /// How many circles deep a play may be called by others; 0 is one that came from outside.
    pub circle_depth: u8,
    /// Tasks of one caller that the circle remembers: submitted, or called with an idempotency key.
    pub caller_tasks: u64,
    /// Bytes of what these left.
    pub caller_task_bytes: u64,
    /// Tasks that it remembers of all callers together that no access list names.
    pub guest_tasks: u64,
    /// Bytes of what these left.
    pub guest_task_bytes: u64,
    /// Milliseconds from the acceptance of a play to its deadline; the server's `--task-timeout` holds where it is
    /// lower.
    pub play_timeout_ms: u64,
    /// The same for a submitted task; the server's `--submit-timeout` holds where it is lower.
    pub submit_timeout_ms: u64,
}

impl Limits {
    /// How much the circle remembers.
    pub const fn quota(&self) -> Quota {
        Quota {
            caller_tasks: self.caller_tasks,
            caller_bytes: self.caller_task_bytes,
            guest_tasks: self.guest_tasks,
            guest_bytes: self.guest_task_bytes,
        }
    }
}

/// As long as `timeout_ms` of openrpc.json may be.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

impl Default for Limits {
    fn default() -> Self {
        let remembered = Quota::default();
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
            // SPEC §6.
            circle_depth: 4,
            caller_tasks: remembered.caller_tasks,
            caller_task_bytes: remembered.caller_bytes,
            guest_tasks: remembered.guest_tasks,
            guest_task_bytes: remembered.guest_bytes,
            play_timeout_ms: DAY_MS,
            submit_timeout_ms: DAY_MS,
        }
    }
}
