use std::{future::pending, sync::Arc};

use tokio::sync::watch;

/// How long a connection may last that a secret has vouched for: until
/// [`NodeIdentity::replace`](super::NodeIdentity::replace) gives up the secret. Clones tell the same.
///
/// A connection that is there by then goes on by itself. To end it in good order is up to whoever serves it.
#[derive(Debug, Clone)]
pub struct Term(watch::Receiver<bool>);

impl Term {
    /// Waits until the secret is given up.
    pub async fn over(&mut self) {
        // An error: the identity is gone, and with it who could give up the secret.
        if self.0.wait_for(|is_over| *is_over).await.is_err() {
            pending::<()>().await;
        }
    }

    /// Whether the secret was given up.
    pub fn is_over(&self) -> bool {
        *self.0.borrow()
    }
}

/// Goes with a secret, and says when it was given up.
#[derive(Clone)]
pub(super) struct Held(Arc<watch::Sender<bool>>);

impl Held {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub(super) fn term(&self) -> Term {
        Term(self.0.subscribe())
    }

    /// All terms are over.
    pub(super) fn give_up(&self) {
        self.0.send_replace(true);
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
