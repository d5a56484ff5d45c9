use std::{
    error::Error,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::watch;
use tower::BoxError;

/// Why there is no connection, for all that have waited for it.
pub(super) type Failure = Arc<dyn Error + Send + Sync>;

type Outcome = Result<(), Failure>;

/// The attempt of a pool to open a connection that requests will share. It is the pool's, not a request's: it goes on
/// when those that wait for it leave, and all that wait share what comes of it.
#[derive(Debug, Default)]
pub(super) struct Opening(Mutex<Option<watch::Receiver<Option<Outcome>>>>);

impl Opening {
    /// Waits for the attempt under way, or for `attempt`, which then begins.
    pub(super) async fn join<F>(&self, attempt: impl FnOnce() -> F) -> Outcome
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let mut under_way = self.under_way(attempt);
        let Ok(outcome) = under_way.wait_for(Option::is_some).await else { return Err(Arc::new(Panicked)) };
        outcome.clone().unwrap_or(Ok(()))
    }

    fn under_way<F>(&self, attempt: impl FnOnce() -> F) -> watch::Receiver<Option<Outcome>>
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The sender of one that has ended is gone, however it ended.
        if let Some(last) = last.as_ref().filter(|last| last.has_changed().is_ok()) {
            return last.clone();
        }
        let (tell, told) = watch::channel(None);
        let attempt = attempt();
        tokio::spawn(async move { tell.send_replace(Some(attempt.await.map_err(Arc::from))) });
        last.insert(told).clone()
    }
}

/// There was no connection in time: TCP, TLS, and for HTTP/2 the greeting of the peer included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there was none within {0:?}")]
pub struct ConnectTimeout(pub(super) Duration);

/// An attempt that ended in no way at all.
#[derive(Debug, thiserror::Error)]
#[error("the connector panicked")]
struct Panicked;

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::time::sleep;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn an_attempt_goes_on_without_those_that_wait_and_is_shared() {
        let (opening, begun) = (Opening::default(), AtomicUsize::new(0));
        let fails = || {
            begun.fetch_add(1, Ordering::Relaxed);
            async {
                sleep(SECOND).await;
                Err("refused".into())
            }
        };
        // Who has begun it leaves.
        assert!(opening.join(fails).now_or_never().is_none());
        sleep(SECOND / 2).await;
        let start = tokio::time::Instant::now();
        let (one, two) = tokio::join!(opening.join(fails), opening.join(fails));
        assert_eq!((start.elapsed(), begun.load(Ordering::Relaxed)), (SECOND / 2, 1));
        assert!(Arc::ptr_eq(&one.unwrap_err(), &two.unwrap_err()));

        // What has ended is over.
        assert_eq!(opening.join(|| async { Ok(()) }).await.map_err(|error| error.to_string()), Ok(()));
    }

    #[tokio::test]
    async fn after_a_panic_there_is_another_attempt() {
        let opening = Opening::default();
        let panics = opening.join(|| async { panic!("on purpose") }).await;
        assert_eq!(panics.unwrap_err().to_string(), "the connector panicked");
        assert!(opening.join(|| async { Ok(()) }).await.is_ok());
    }
}
