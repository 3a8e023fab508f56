use crate::{
    Error,
    types::{PlayResult, Task},
};

impl Task {
    /// Returns the answer that a call of `play` would have got; `None` while the task has not ended, and in lists.
    pub fn outcome(&self) -> Option<Result<&PlayResult, Error>> {
        match (&self.result, &self.error) {
            (Some(result), _) => Some(Ok(result)),
            (None, Some(error)) => Some(Err(error.clone().into())),
            (None, None) => None,
        }
    }
}
