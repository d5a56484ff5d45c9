use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header::EXPECT};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Channel, StreamBody, channel::Sender};
use tokio::sync::mpsc;
use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};

use super::*;
use crate::{
    body::RequestBody,
    body_limit::{BodyLimitLayer, BodyTooLong},
    causes::find,
    response_timeout::{ResponseTimeoutLayer, TimedOut},
};

/// What the inner service got.
#[derive(Debug, PartialEq, Eq)]
struct Got {
    /// Whether the body could be sent again.
    is_whole: bool,
    length: Option<u64>,
    body: Bytes,
    trailers: Option<HeaderMap>,
}

async fn send(
    layer: BufferBodyLayer,
    request: Request<impl Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static>,
) -> Result<Got, BoxError> {
    let inner = service_fn(async |request: Request<RequestBody>| {
        let body = request.into_body();
        let (is_whole, length) = (body.again().is_some(), body.size_hint().exact());
        let collected = body.collect().await?;
        let trailers = collected.trailers().cloned();
        Ok::<_, BoxError>(Got { is_whole, length, body: collected.to_bytes(), trailers })
    });
    ServiceBuilder::new().layer(layer).service(inner).oneshot(request).await
}

fn in_pieces(pieces: &[&'static str]) -> impl Body<Data = Bytes, Error = Infallible> + use<> {
    let frames: Vec<_> = pieces.iter().map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))).collect();
    StreamBody::new(futures_util::stream::iter(frames))
}

#[tokio::test]
async fn short_bodies_are_read_whole_and_longer_ones_stream_on() {
    for (pieces, whole) in [
        (&[][..], true),
        (&["1"], true),
        (&["12", "34"], true),
        (&["1", "2", "3", "4"], true),
        (&["12", "34", "5"], false),
        (&["12345"], false),
        (&["1", "2", "3", "4", "5", "6", "7"], false),
    ] {
        let got = send(BufferBodyLayer::new(4), Request::put("/").body(in_pieces(pieces)).unwrap()).await.unwrap();
        let body = pieces.concat();
        assert_eq!((got.is_whole, &*got.body), (whole, body.as_bytes()), "{pieces:?}");
        assert_eq!(got.length, whole.then_some(body.len() as u64), "{pieces:?}");
    }
}

#[tokio::test]
async fn trailers_are_kept() {
    let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "1".parse().unwrap())]);
    for (text, whole) in [("", true), ("1234", true), ("12345", false)] {
        let frames = [Ok::<_, Infallible>(Frame::data(Bytes::from(text))), Ok(Frame::trailers(trailers.clone()))];
        let body = StreamBody::new(futures_util::stream::iter(frames));
        let got = send(BufferBodyLayer::new(4), Request::put("/").body(body).unwrap()).await.unwrap();
        assert_eq!((got.is_whole, got.length, &*got.body), (whole, None, text.as_bytes()));
        assert_eq!(got.trailers.as_ref(), Some(&trailers));
    }
}

/// A body that a test sends piece by piece.
fn channel() -> (Sender<Bytes>, Channel<Bytes>) {
    Channel::new(4)
}

#[tokio::test]
async fn requests_that_may_wait_for_the_response_pass_at_once() {
    for (method, name, value) in [
        (Method::POST, "content-type", "application/grpc"),
        (Method::POST, "content-type", "application/connect+proto"),
        (Method::GET, "upgrade", "websocket"),
        (Method::CONNECT, "x-a", "b"),
        // Longer than what is buffered.
        (Method::PUT, "content-length", "5"),
    ] {
        let (mut sender, body) = channel();
        let (passed, mut calls) = mpsc::unbounded_channel();
        let inner = service_fn(move |request: Request<RequestBody>| {
            passed.send(()).unwrap();
            async { request.into_body().collect().await.map(|body| body.to_bytes()) }
        });
        let service = ServiceBuilder::new().layer(BufferBodyLayer::new(4)).service(inner);
        let body = match name {
            "content-length" => RequestBody::new(Declared(body, 5)),
            _ => RequestBody::new(body),
        };
        let request = Request::builder().method(method).header(name, value).body(body).unwrap();
        let response = tokio::spawn(service.oneshot(request));
        calls.recv().await.unwrap();
        sender.send_data("12345".into()).await.unwrap();
        drop(sender);
        assert_eq!(response.await.unwrap().unwrap(), "12345", "{value}");
    }
}

/// A body with a declared length.
struct Declared(Channel<Bytes>, u64);

impl Body for Declared {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.1)
    }
}

#[tokio::test]
async fn a_body_that_does_not_fit_into_the_memory_streams() {
    let memory = BufferMemory::new(1500);
    let layer = BufferBodyLayer::new(4096).memory(memory.clone());
    let text = |count| Request::put("/").body(in_pieces(&["0123456789"; 200][..count])).unwrap();
    let got = send(layer.clone(), text(100)).await.unwrap();
    assert_eq!((got.is_whole, got.body.len(), memory.used()), (true, 1000, 1024));
    let more = send(layer.clone(), text(100)).await.unwrap();
    assert_eq!((more.is_whole, more.body.len()), (false, 1000));
    drop((got, more));
    assert_eq!(memory.used(), 0);
    let got = send(layer, text(200)).await.unwrap();
    assert_eq!((got.is_whole, got.body.len(), memory.used()), (false, 2000, 0));
}

#[tokio::test]
async fn a_body_that_breaks_off_or_is_too_long_does_not_reach_the_inner_service() {
    let inner =
        || service_fn(async |_: Request<RequestBody>| -> Result<(), BoxError> { panic!("the request is incomplete") });
    let frames = [Ok(Frame::data(Bytes::from("12"))), Err(BoxError::from("why"))];
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let service = ServiceBuilder::new().layer(BufferBodyLayer::new(4)).service(inner());
    assert_eq!(service.oneshot(Request::new(body)).await.unwrap_err().to_string(), "the request body broke off");

    let layers = ServiceBuilder::new().layer(BodyLimitLayer::new(Some(3))).layer(BufferBodyLayer::new(4));
    let error = layers.service(inner()).oneshot(Request::new(in_pieces(&["12", "34"]))).await.unwrap_err();
    assert!(find::<BodyTooLong>(&*error).is_some(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_client_has_a_limited_time() {
    let timeout = ResponseTimeoutLayer::new(Duration::from_secs(10)).min_rate(1, Duration::from_secs(100));
    for (pause, pieces, ends) in [(9, 3, true), (11, 3, false), (9, 40, false)] {
        let (mut sender, body) = channel();
        let slow = tokio::spawn(async move {
            for _ in 0..pieces {
                tokio::time::sleep(Duration::from_secs(pause)).await;
                if sender.send_data("1".into()).await.is_err() {
                    return;
                }
            }
        });
        let got = send(BufferBodyLayer::new(100).timeout(timeout), Request::put("/").body(body).unwrap()).await;
        match got {
            Ok(got) => assert!(ends && got.body.len() == pieces, "{pause} {pieces}"),
            Err(error) => assert!(!ends && error.downcast_ref() == Some(&TimedOut::Client), "{pause} {pieces} {error}"),
        }
        slow.abort();
    }
}

#[tokio::test]
async fn the_expectation_of_a_whole_body_is_met() {
    for (text, kept) in [("1234", false), ("12345", true)] {
        let inner =
            service_fn(async |request: Request<RequestBody>| Ok::<_, BoxError>(request.headers().contains_key(EXPECT)));
        let request = Request::put("/").header(EXPECT, "100-continue").body(in_pieces(&[text])).unwrap();
        let service = ServiceBuilder::new().layer(BufferBodyLayer::new(4)).service(inner);
        assert_eq!(service.oneshot(request).await.unwrap(), kept, "{text}");
    }
}
