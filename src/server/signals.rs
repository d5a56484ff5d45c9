//! What the signals of the system mean here.

use std::{sync::Arc, thread};

use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
};
use tower::BoxError;

/// The signals that are listened to from the time this is made.
///
/// SIGTERM, SIGINT and SIGQUIT stop the program in good order, at the second time at once. SIGHUP
/// reloads the configuration, and reads certificates and the secret again. SIGUSR1 and SIGUSR2, which make other proxies open their logs anew, would by
/// default end it; here they do nothing.
#[derive(Debug)]
pub struct Signals {
    runtime: Runtime,
    stop: [(i32, Signal); 3],
    hangup: Signal,
    ignored: [Signal; 2],
}

impl Signals {
    /// Starts to listen.
    ///
    /// # Errors
    ///
    /// When the system does not allow it.
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

    /// Does `stop` at the first signal to stop and ends the process at the second, on a thread of its own. Notifies
    /// `hangup` of each SIGHUP.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn on_first(mut self, stop: impl FnOnce() + Send + 'static, hangup: Arc<Notify>) -> Result<(), BoxError> {
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            self.next(&hangup);
            stop();
            tracing::info!("stopping: requests in flight may end; a second signal ends them");
            // As a shell reports a program that a signal has ended.
            std::process::exit(128 + self.next(&hangup));
        })?;
        Ok(())
    }

    /// The number of the next signal to stop.
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
                tracing::warn!("SIGUSR1 and SIGUSR2 do nothing; SIGHUP reloads the configuration");
            }
        })
    }
}
