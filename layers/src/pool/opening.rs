use std::{
    error::Error,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;
use tower::BoxError;

/// The error of an attempt to connect, shared by all requests that waited for it.
pub(super) type OpenFailure = Arc<dyn Error + Send + Sync>;

/// Added to the pool's timeout, so that a connector with the same timeout fails first, with a more precise error.
pub(super) const GRACE: Duration = Duration::from_millis(10);

type OpenOutcome = Result<(), OpenFailure>;

/// A pool's attempt to open a connection that requests will share.
///
/// It belongs to the pool, not to a request, and continues even if no request is waiting. All waiting requests share the
/// outcome, in the order in which they arrived.
#[derive(Debug, Default)]
pub(super) struct Opening(Arc<Mutex<UnderWay>>);

/// The waiting requests; `None` without an attempt.
type UnderWay = Option<Vec<oneshot::Sender<OpenOutcome>>>;

impl Opening {
    /// Waits for the current attempt, or starts `attempt` if there is none.
    pub(super) async fn join<F>(&self, attempt: impl FnOnce() -> F) -> OpenOutcome
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        if self.wait(sender) {
            let (attempt, ends) = (attempt(), Ends(Some(Arc::clone(&self.0))));
            tokio::spawn(async move { ends.with(&attempt.await.map_err(Arc::from)) });
        }
        receiver.await.unwrap_or_else(|_| Err(Arc::new(Panicked)))
    }

    /// Adds a waiting request. Returns whether it is the first one.
    fn wait(&self, sender: oneshot::Sender<OpenOutcome>) -> bool {
        let mut under_way = lock(&self.0);
        let is_first = under_way.is_none();
        under_way.get_or_insert_default().push(sender);
        is_first
    }
}

/// Ends the attempt, even if it panics.
struct Ends(Option<Arc<Mutex<UnderWay>>>);

impl Ends {
    fn with(mut self, outcome: &OpenOutcome) {
        let waiting = self.0.take().and_then(|under_way| lock(&under_way).take());
        for sender in waiting.into_iter().flatten() {
            // Fails if the request was cancelled.
            let _ = sender.send(outcome.clone());
        }
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        if let Some(under_way) = &self.0 {
            *lock(under_way) = None;
        }
    }
}

fn lock(under_way: &Mutex<UnderWay>) -> MutexGuard<'_, UnderWay> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The error of a connection that did not open in time, including TCP, TLS and, for HTTP/2, the peer's SETTINGS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("connecting timed out after {0:.1?}")]
pub struct ConnectTimeout(pub(super) Duration);

/// The error of an attempt that panicked.
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
    async fn an_attempt_is_shared_and_continues_when_its_request_is_cancelled() {
        let (opening, begun) = (Opening::default(), AtomicUsize::new(0));
        let fails = || {
            begun.fetch_add(1, Ordering::Relaxed);
            async {
                sleep(SECOND).await;
                Err("refused".into())
            }
        };
        // The request that started it is cancelled.
        assert!(opening.join(fails).now_or_never().is_none());
        sleep(SECOND / 2).await;
        let start = tokio::time::Instant::now();
        let (one, two) = tokio::join!(opening.join(fails), opening.join(fails));
        assert_eq!((start.elapsed(), begun.load(Ordering::Relaxed)), (SECOND / 2, 1));
        assert!(Arc::ptr_eq(&one.unwrap_err(), &two.unwrap_err()));

        // The next request starts a new attempt.
        assert_eq!(opening.join(|| async { Ok(()) }).await.map_err(|error| error.to_string()), Ok(()));
    }

    #[tokio::test]
    async fn another_attempt_can_start_after_a_panic() {
        let opening = Opening::default();
        let panics = opening.join(|| async { panic!("on purpose") }).await;
        assert_eq!(panics.unwrap_err().to_string(), "the connector panicked");
        assert!(opening.join(|| async { Ok(()) }).await.is_ok());
    }
}
