use std::{future::pending, pin::pin, time::Duration};

use futures_util::future::{Either, select};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::durations::bounded;

/// Closes the tunnels of the layers that it was passed to, for example when their route is removed.
///
/// Dropping it closes no tunnel. See [`TunnelLayer::closed_by`](super::TunnelLayer::closed_by).
#[derive(Debug, Default)]
pub struct TunnelCloser(watch::Sender<Option<Instant>>);

impl TunnelCloser {
    /// Creates a closer. It closes nothing before [`close_after`](Self::close_after) is called.
    pub fn new() -> Self {
        Self::default()
    }

    /// Closes all tunnels after `grace`. Tunnels that are opened after that are closed at once.
    pub fn close_after(&self, grace: Duration) {
        self.0.send_replace(Some(Instant::now() + bounded(grace)));
    }

    pub(super) fn subscribe(&self) -> Closing {
        Closing(self.0.subscribe())
    }
}

/// When to close the tunnels, once this is known.
#[derive(Debug, Clone)]
pub(super) struct Closing(watch::Receiver<Option<Instant>>);

impl Closing {
    /// Completes when the tunnel must close.
    pub(super) async fn closed(mut self) {
        loop {
            let at = *self.0.borrow_and_update();
            let until = async {
                match at {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            match select(pin!(until), pin!(self.0.changed())).await {
                Either::Left(_) => return,
                Either::Right((Ok(()), _)) => {}
                // The closer was dropped. Its last order still holds.
                Either::Right((Err(_), until)) => return until.await,
            }
        }
    }
}
