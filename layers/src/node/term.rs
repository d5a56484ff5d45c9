use std::{future::pending, sync::Arc};

use tokio::sync::watch;

/// The term of a connection between nodes. It is over when [`NodeIdentity::replace`](super::NodeIdentity::replace)
/// removes the secret that the connection was opened with.
///
/// The connection itself stays open. The code that serves it has to drain it. Clones share the same term.
#[derive(Debug, Clone)]
pub struct Term(watch::Receiver<bool>);

impl Term {
    /// Waits until the secret is removed.
    pub async fn ended(&mut self) {
        // On an error, the identity is gone, so the secret cannot be removed any more.
        if self.0.wait_for(|has_ended| *has_ended).await.is_err() {
            pending::<()>().await;
        }
    }

    /// Whether the secret has been removed.
    pub fn has_ended(&self) -> bool {
        *self.0.borrow()
    }
}

/// Belongs to a secret, and ends the terms of its connections when the secret is removed.
#[derive(Clone)]
pub(super) struct TermOwner(Arc<watch::Sender<bool>>);

impl TermOwner {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub(super) fn term(&self) -> Term {
        Term(self.0.subscribe())
    }

    /// Ends all terms.
    pub(super) fn end(&self) {
        self.0.send_replace(true);
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
