//! What the signals of the system mean here.

use std::thread;

use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};
use tower::BoxError;

/// The signals that are listened to from the time this is made.
///
/// SIGTERM, SIGINT and SIGQUIT stop the program in good order, at the second time at once. SIGHUP, SIGUSR1 and SIGUSR2,
/// which make other proxies read their files anew, would by default end it; here they do nothing.
#[derive(Debug)]
pub struct Signals {
    runtime: Runtime,
    stop: [(i32, Signal); 3],
    ignored: [Signal; 3],
}

impl Signals {
    /// Starts to listen.
    ///
    /// # Errors
    ///
    /// When the system does not allow it.
    pub fn listen() -> Result<Self, BoxError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, ignored) = {
            let _context = runtime.enter();
            let stop = [
                (15, signal(SignalKind::terminate())?),
                (2, signal(SignalKind::interrupt())?),
                (3, signal(SignalKind::quit())?),
            ];
            let ignored = [
                signal(SignalKind::hangup())?,
                signal(SignalKind::user_defined1())?,
                signal(SignalKind::user_defined2())?,
            ];
            (stop, ignored)
        };
        Ok(Self { runtime, stop, ignored })
    }

    /// Does `stop` at the first signal to stop and ends the process at the second, on a thread of its own.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn on_first(mut self, stop: impl FnOnce() + Send + 'static) -> Result<(), BoxError> {
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            self.next();
            stop();
            tracing::info!("stopping: requests in flight may end; a second signal ends them");
            // As a shell reports a program that a signal has ended.
            std::process::exit(128 + self.next());
        })?;
        Ok(())
    }

    /// The number of the next signal to stop.
    fn next(&mut self) -> i32 {
        let Self { runtime, stop: [(a, first), (b, second), (c, third)], ignored: [hangup, user1, user2] } = self;
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = first.recv() => return *a,
                    _ = second.recv() => return *b,
                    _ = third.recv() => return *c,
                    _ = hangup.recv() => {}
                    _ = user1.recv() => {}
                    _ = user2.recv() => {}
                }
                tracing::warn!("nothing is read anew while serving: restart for new settings or certificates");
            }
        })
    }
}
