//! How much of a request body has arrived, for an HTTP/2 stream that watches itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::Context,
};

use futures_util::task::AtomicWaker;

/// How the progress of a request body is measured.
#[derive(Debug)]
pub(crate) enum Received {
    /// The request has no body.
    Nothing,
    /// By everything that moves on its connection: the body is not counted separately.
    Connection,
    /// By the pieces of the body itself.
    Own(Arc<OwnPieces>),
}

impl Received {
    /// For a body that is counted separately.
    pub(crate) fn own() -> Self {
        Self::Own(Arc::default())
    }
}

/// Shared by a body and the response to its request.
#[derive(Debug, Default)]
pub(crate) struct OwnPieces {
    count: AtomicU32,
    given_up: AtomicBool,
    reader: AtomicWaker,
}

impl OwnPieces {
    pub(super) fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    pub(super) fn record_piece(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that nobody waits for the response any more, so the rest of the request is not needed. h2 resets a stream
    /// only once both have been dropped.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.reader.wake();
    }

    pub(super) fn is_given_up(&self, cx: &Context<'_>) -> bool {
        self.reader.register(cx.waker());
        self.given_up.load(Ordering::Relaxed)
    }
}
