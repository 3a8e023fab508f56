//! Reads `circles.json`: which circles there are, where their data is, which callers have access, and what scripts
//! may use.
//!
//! Start at [`read()`]. `docs/operations.md` has every field with its default and its bounds.
//!
//! **Invariants.** All faults of a file are reported at once, each with its place. A field without any effect is a
//! fault. Nothing is written unless the file has no fault. The process environment is passed in as an
//! [`Environment`], never read directly. No fault and no `Debug` output contains a secret.

mod circle;
mod compare;
mod entry;
mod environment;
mod fault;
mod json;
mod limits;
mod object;
mod paths;
mod plan;
mod private;
mod read;
mod read_limits;
mod served;

pub use circle::{CircleConfig, Secrets, default_path};
pub use entry::{FIELDS, is_name};
pub use environment::Environment;
pub use fault::{Fault, Faults};
pub use limits::Limits;
pub use plan::{Plan, parse, plan, read};
pub use private::{make_folder, make_folders, make_private_folder};
pub use read_limits::{MAX_SCRIPT_BYTES, max_for, parse_limits};
pub use served::remember;
