//! Signals that stop the process or reload its configuration.

use std::{sync::Arc, thread};

use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
};
use tower::BoxError;

/// The signals that the process handles from the moment this is created.
///
/// SIGTERM, SIGINT and SIGQUIT shut the process down gracefully; a second one exits at once. SIGHUP reloads the
/// configuration, and rereads certificates and the secret. SIGUSR1 and SIGUSR2, on which other proxies reopen their logs,
/// would kill the process by default. Here they only cause a warning in the log.
#[derive(Debug)]
pub struct Signals {
    runtime: Runtime,
    stop: [(i32, Signal); 3],
    hangup: Signal,
    ignored: [Signal; 2],
}

impl Signals {
    /// Starts to listen for the signals.
    ///
    /// # Errors
    ///
    /// If the system does not allow it.
    pub fn listen() -> Result<Self, BoxError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, hangup, ignored) = {
            let _context = runtime.enter();
            let stop = [
                (15, signal(SignalKind::terminate())?),
                (2, signal(SignalKind::interrupt())?),
                (3, signal(SignalKind::quit())?),
            ];
            let ignored = [signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?];
            (stop, signal(SignalKind::hangup())?, ignored)
        };
        Ok(Self { runtime, stop, hangup, ignored })
    }

    /// Waits for signals on a thread of its own: calls `stop` on the first one that stops the process, exits on the
    /// second, and notifies `hangup` of each SIGHUP.
    ///
    /// # Errors
    ///
    /// If the system provides no thread.
    pub fn on_first(mut self, stop: impl FnOnce() + Send + 'static, hangup: Arc<Notify>) -> Result<(), BoxError> {
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            self.next(&hangup);
            stop();
            tracing::info!("shutting down: waiting for requests in flight; a second signal exits at once");
            // The status that a shell reports for a program killed by this signal.
            std::process::exit(128 + self.next(&hangup));
        })?;
        Ok(())
    }

    /// Waits for the next signal that stops the process, and returns its number.
    fn next(&mut self, on_hangup: &Notify) -> i32 {
        let Self { runtime, stop: [(a, first), (b, second), (c, third)], hangup, ignored: [user1, user2] } = self;
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = first.recv() => return *a,
                    _ = second.recv() => return *b,
                    _ = third.recv() => return *c,
                    _ = hangup.recv() => {
                        on_hangup.notify_one();
                        continue;
                    }
                    _ = user1.recv() => {}
                    _ = user2.recv() => {}
                }
                tracing::warn!("SIGUSR1 and SIGUSR2 are ignored; to reload the configuration, send SIGHUP");
            }
        })
    }
}
