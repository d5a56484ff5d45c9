//! Bodies that are declared empty but may not be.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use pmesh_layers::pool::Pool;
use tokio::sync::oneshot;
use tower::ServiceExt;

use super::support::backend::{backend, settle};

/// An HTTP/2 body with `content-length: 0` and no END_STREAM yet, which may still turn out to be malformed.
struct Open(oneshot::Receiver<Infallible>, bool);

impl Body for Open {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let is_valid = self.1;
        let ended = Pin::new(&mut self.0).poll(cx);
        ended.map(|_| (!is_valid).then(|| Err(io::ErrorKind::InvalidData.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_terminated()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(0)
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_before_the_body_has_ended() {
    for is_valid in [true, false] {
        let (connector, mut backend) = backend();
        let pool = Pool::new(connector, "http://backend".parse().unwrap());
        let (end, ended) = oneshot::channel();
        let request = Request::post("/").header("content-length", "0").body(Open(ended, is_valid)).unwrap();
        let responding = tokio::spawn(pool.oneshot(request));
        settle().await;
        assert!(!backend.has_waiting());
        drop(end);
        if is_valid {
            let head = backend.accept().await.answer("ok").await;
            assert!(head.contains("\r\ncontent-length: 0\r\n") && !head.contains("transfer-encoding"), "{head}");
            assert!(responding.await.unwrap().is_ok());
        } else {
            let error = responding.await.unwrap().unwrap_err();
            assert!(error.is_client_failure() && !error.is_endpoint_failure(), "{error}");
            assert!(!backend.has_waiting());
        }
    }
}
