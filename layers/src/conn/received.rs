//! How far the body of a request has come, for an HTTP/2 stream that watches itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::Context,
};

use futures_util::task::AtomicWaker;

/// How to tell how far the body of a request has come.
#[derive(Debug)]
pub(crate) enum Received {
    /// The request has no body.
    Nothing,
    /// Everything that moves over its connection: the body is not counted separately.
    Connection,
    /// The pieces of the body.
    Own(Arc<OwnPieces>),
}

impl Received {
    /// For a body that is counted separately.
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

    /// Nobody waits for the response any more, so the rest of the request is not needed. h2 resets a stream only once
    /// both have been dropped.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.reader.wake();
    }

    pub(super) fn is_given_up(&self, cx: &Context<'_>) -> bool {
        self.reader.register(cx.waker());
        self.given_up.load(Ordering::Relaxed)
    }
}
