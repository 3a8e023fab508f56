use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT, SIGTERM and SIGHUP, which mean the same: nothing is read again yet.
pub struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Catches them from now on; without it they end the process.
    pub fn install() -> Result<Self, String> {
        let install = || {
            Ok(Self {
                hangup: signal(SignalKind::hangup())?,
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
            })
        };
        install().map_err(|error: std::io::Error| format!("signals cannot be caught: {error}"))
    }

    /// The next of them.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.hangup.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Drives `drain` to its end, unless a second signal says to end at once, with exit code 130.
    pub async fn unless_again<T>(&mut self, drain: impl Future<Output = T>) -> T {
        tokio::select! {
            drained = drain => drained,
            () = self.next() => {
                tracing::warn!("a second signal: exiting at once");
                crate::log::flush();
                std::process::exit(130)
            }
        }
    }
}
