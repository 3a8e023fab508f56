use std::cell::OnceCell;

use circles_store::{Caller, CircleId, TaskId};
use rhai::Dynamic;

/// The constants of a play, which its script cannot change. Most scripts use few of them, so each text is made at its
/// first use.
pub(crate) struct Constants {
    pub caller: Caller,
    pub circle: CircleId,
    pub task: TaskId,
    args: OnceCell<Dynamic>,
}

impl Constants {
    /// Names that no script may give to anything of its own.
    pub(crate) const NAMES: [&str; 4] = ["CALLER", "CIRCLE", "TASK", "ARGS"];

    /// The constants of a task whose arguments are yet to be converted.
    pub(crate) const fn new(caller: Caller, circle: CircleId, task: TaskId) -> Self {
        Self { caller, circle, task, args: OnceCell::new() }
    }

    /// Sets the arguments, once.
    pub(crate) fn set_args(&self, args: Dynamic) {
        // Each mention of a constant copies it. Sharing makes the copy of a container a copy of its address.
        let args = if args.is_array() || args.is_map() { args.into_read_only().into_shared() } else { args };
        let _ = self.args.set(args);
    }

    pub(crate) fn args(&self) -> Dynamic {
        self.args.get().cloned().unwrap_or(Dynamic::UNIT)
    }

    /// The value of a name, if it is one of [`Self::NAMES`].
    pub(crate) fn get(&self, name: &str) -> Option<Dynamic> {
        match name {
            "CALLER" => Some(self.caller.to_string().into()),
            "CIRCLE" => Some(self.circle.to_string().into()),
            "TASK" => Some(self.task.to_string().into()),
            "ARGS" => Some(self.args()),
            _ => None,
        }
    }
}
