//! The thread that carries all of this process's business with Redis.

use std::{io, thread};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};
use tokio_util::sync::CancellationToken;

use circles_store::Error;

/// A runtime of one thread. Everything between this process and Redis goes on there: a command and its answer pass
/// through half a dozen tasks, and to wake each on another thread would take longer than Redis does.
///
/// Dropped, it ends with whatever is under way.
pub struct RedisThread {
    handle: Handle,
    ending: CancellationToken,
}

impl RedisThread {
    /// Starts it.
    pub async fn start() -> Result<Self, Error> {
        let ending = CancellationToken::new();
        let (sender, started) = oneshot::channel();
        let body = {
            let ending = ending.clone();
            move || match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    // Who asked has gone if it is not taken, and dropped the other end of `ending` as well.
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

    /// Where to spawn.
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for RedisThread {
    fn drop(&mut self) {
        self.ending.cancel();
    }
}

fn no_thread(error: &io::Error) -> Error {
    Error::Unavailable(format!("no thread for Redis: {error}").into())
}
