//! The thread that carries everything between this process and Redis.

use std::{io, thread};

use circles_store::Error;
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};
use tokio_util::sync::CancellationToken;

/// A runtime with one thread. A command and its answer pass through half a dozen tasks, and waking each of them on
/// another thread would take longer than Redis does.
///
/// Dropping it ends the thread and all of its tasks.
pub(crate) struct RedisThread {
    handle: Handle,
    ending: CancellationToken,
}

impl RedisThread {
    pub(crate) async fn start() -> Result<Self, Error> {
        let ending = CancellationToken::new();
        let (sender, started) = oneshot::channel();
        let body = {
            let ending = ending.clone();
            move || match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    // If the caller of `start` has gone, it has dropped its guard, which cancels `ending`.
                    let _ = sender.send(Ok(runtime.handle().clone()));
                    runtime.block_on(ending.cancelled());
                    runtime.shutdown_background();
                }
                Err(error) => drop(sender.send(Err(error))),
            }
        };
        let guard = ending.drop_guard();
        thread::Builder::new().name("redis".to_owned()).spawn(body).map_err(|error| no_thread(&error))?;
        let handle = started.await.map_err(|_| Error::Closed)?.map_err(|error| no_thread(&error))?;
        Ok(Self { handle, ending: guard.disarm() })
    }

    /// The handle that spawns tasks on the thread.
    pub(crate) const fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for RedisThread {
    fn drop(&mut self) {
        self.ending.cancel();
    }
}

fn no_thread(error: &io::Error) -> Error {
    Error::Unavailable(format!("cannot start the thread for Redis: {error}").into())
}
