//! `circles.json`: which circles there are, where their things lie, who may enter and what scripts may use.
//!
//! Start at [`read`]. `docs/operations.md` has every field with its default and its bounds.
//!
//! **Invariants.** Every fault of a file is reported at once, each with its place. A field that would have no
//! effect is a fault. Nothing is written unless the file has no fault. The environment is handed in and never
//! asked for. No secret is in a fault or in anything's `Debug`.

mod circle;
mod compare;
mod entry;
mod fault;
mod json;
mod limits;
mod object;
mod paths;
mod plan;
mod private;
mod read;
mod register;

pub use circle::{CircleConfig, Secrets, default_path};
pub use entry::{FIELDS, is_name};
pub use fault::{Fault, Faults};
pub use limits::{Limits, SCRIPT_BYTES, most, parse as parse_limits};
pub use plan::{Plan, remember};
pub use private::{make_folder, make_folders, make_private_folder};
pub use read::{Surroundings, parse, plan, read};
