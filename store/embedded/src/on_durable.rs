use circles_store::Error;

type Callback = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// Called once, when a change is durable or has failed.
///
/// Dropped without a call, as when the threads that write files have ended, it reports [`Error::Closed`].
pub(crate) struct OnDurable(Option<Callback>);

impl OnDurable {
    pub(crate) fn new(callback: impl FnOnce(Result<(), Error>) + Send + 'static) -> Self {
        Self(Some(Box::new(callback)))
    }

    /// Reports that the change is durable, or why it never will be.
    pub(crate) fn report(mut self, result: Result<(), Error>) {
        if let Some(callback) = self.0.take() {
            callback(result);
        }
    }

    /// Drops the callback without a call.
    pub(crate) fn cancel(mut self) {
        self.0 = None;
    }
}

impl Drop for OnDurable {
    fn drop(&mut self) {
        if let Some(callback) = self.0.take() {
            callback(Err(Error::Closed));
        }
    }
}
