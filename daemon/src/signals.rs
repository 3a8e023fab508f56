use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT, SIGTERM and SIGHUP. All three mean shutdown, since no configuration is reloaded.
pub struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Catches these signals from now on. By default they end the process.
    pub fn install() -> Result<Self, String> {
        let install = || {
            Ok(Self {
                hangup: signal(SignalKind::hangup())?,
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
            })
        };
        install().map_err(|error: std::io::Error| format!("cannot catch signals: {error}"))
    }

    /// Waits for the next of these signals.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.hangup.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Runs `drain` to its end. Another signal meanwhile ends the process at once, with exit code 130.
    pub async fn run_unless_signalled<T>(&mut self, drain: impl Future<Output = T>) -> T {
        tokio::select! {
            drained = drain => drained,
            () = self.next() => {
                tracing::warn!("second signal: exiting at once");
                crate::log::flush();
                std::process::exit(130)
            }
        }
    }
}
