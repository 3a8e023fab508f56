use std::cell::Cell;

/// The reads and writes of a play beyond its own values.
#[derive(Default)]
pub(crate) struct Effects {
    io: Cell<bool>,
    side_effects: Cell<bool>,
    read_only: Cell<bool>,
}

impl Effects {
    pub(super) fn note_io(&self) {
        self.io.set(true);
    }

    /// Returns whether the play used anything that is not there on the fast path.
    pub(crate) fn has_io(&self) -> bool {
        self.io.get()
    }

    /// Must precede the first side effect, once the store has marked the task.
    pub(crate) fn note_side_effects(&self) {
        self.side_effects.set(true);
    }

    /// Returns whether the play had, or may have had, an effect that no transaction takes back.
    pub(crate) fn has_side_effects(&self) -> bool {
        self.side_effects.get()
    }

    /// Returns whether nothing may be changed now, since the circle's policy decides.
    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only.get()
    }

    pub(super) fn read_only<T>(&self, body: impl FnOnce() -> T) -> T {
        self.read_only.set(true);
        let result = body();
        self.read_only.set(false);
        result
    }
}
