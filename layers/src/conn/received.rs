//! How far the body of a request has come, for a stream of HTTP/2 that watches itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::Context,
};

use futures_util::task::AtomicWaker;

/// What tells how far the body of a request has come.
#[derive(Debug)]
pub(crate) enum Received {
    /// The request has no body.
    Nothing,
    /// All that moves over its connection: the body is not counted by itself.
    Connection,
    /// The pieces of the body.
    Own(Arc<OwnPieces>),
}

impl Received {
    /// Of a body that is counted by itself.
    pub(crate) fn own() -> Self {
        Self::Own(Arc::default())
    }
}

/// What a body and the response to its request share.
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

    pub(super) fn note_piece(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Nobody waits for the response any more, so the rest of the request has no use. h2 resets a stream only when both
    /// have let go of it.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.reader.wake();
    }

    pub(super) fn is_given_up(&self, cx: &Context<'_>) -> bool {
        self.reader.register(cx.waker());
        self.given_up.load(Ordering::Relaxed)
    }
}
