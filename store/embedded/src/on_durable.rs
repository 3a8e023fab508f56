use circles_store::Error;

type Tell = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// Whoever waits for a change to be on the disk. Told once, whatever happens: where this is dropped because
/// nobody is left to do the work, that the store is closed.
pub struct Done(Option<Tell>);

impl Done {
    pub fn new(tell: impl FnOnce(Result<(), Error>) + Send + 'static) -> Self {
        Self(Some(Box::new(tell)))
    }

    /// The change is on the disk, or never will be.
    pub fn tell(mut self, result: Result<(), Error>) {
        if let Some(tell) = self.0.take() {
            tell(result);
        }
    }

    /// Nothing was to be waited for.
    pub fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            tell(Err(Error::Closed));
        }
    }
}
