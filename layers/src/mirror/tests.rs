use std::{future::pending, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header::EXPECT};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::{sync::mpsc, task::yield_now};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

use super::*;
use crate::{
    body::{RequestBody, ResponseBody},
    buffer_body::{BufferBodyLayer, BufferMemory},
};

type Copies = mpsc::UnboundedReceiver<(Request<()>, Bytes, Option<HeaderMap>)>;

/// A mirror that hands over what it gets, and responds.
fn mirror() -> (
    impl Service<Request<RequestBody>, Response = Response<ResponseBody>, Error = BoxError, Future: Send> + Clone + Send,
    Copies,
) {
    let (copies, copied) = mpsc::unbounded_channel();
    let mirror = service_fn(move |request: Request<RequestBody>| {
        let copies = copies.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?;
            let trailers = body.trailers().cloned();
            copies.send((Request::from_parts(parts, ()), body.to_bytes(), trailers))?;
            Ok::<_, BoxError>(Response::new(ResponseBody::from("ignored")))
        }
    });
    (mirror, copied)
}

/// Reads the whole body.
async fn read(request: Request<RequestBody>) -> Result<Bytes, BoxError> {
    Ok(request.into_body().collect().await?.to_bytes())
}

fn in_pieces(pieces: &[&'static str]) -> impl Body<Data = Bytes, Error = BoxError> + use<> {
    let pieces = pieces.iter().map(|piece| match *piece {
        "error" => Err("broken".into()),
        "trailers" => Ok(Frame::trailers(HeaderMap::from_iter([(HeaderName::from_static("x-sum"), 1.into())]))),
        piece => Ok(Frame::data(Bytes::from(piece))),
    });
    StreamBody::new(futures_util::stream::iter(pieces.collect::<Vec<_>>()))
}

/// Waits until no copy is in flight.
async fn settle(stats: &MirrorStats) {
    while stats.in_flight() > 0 {
        yield_now().await;
    }
}

fn counts(stats: &MirrorStats) -> (u64, u64, u64) {
    (stats.answered(), stats.skipped(), stats.failed())
}

#[tokio::test]
async fn only_whole_bodies_up_to_the_limit_are_copied() {
    for (pieces, copied) in [
        (&[][..], true),
        (&["12", "34"], true),
        (&["12", "34", "trailers"], true),
        (&["12", "34", "5"], false),
        (&["12345"], false),
        (&["12", "error"], false),
    ] {
        let (mirror, mut copies) = mirror();
        let stats = Arc::new(MirrorStats::default());
        let memory = BufferMemory::default();
        let layer = MirrorLayer::new(mirror).max_body(4).memory(memory.clone()).stats(Arc::clone(&stats));
        let request = Request::put("/path?query")
            .header("x-a", "b")
            .header(EXPECT, "100-continue")
            .extension("of the request")
            .body(in_pieces(pieces))
            .unwrap();
        let response = layer.layer(service_fn(read)).oneshot(request).await;
        let sent = pieces.iter().filter(|piece| !matches!(**piece, "trailers")).copied().collect::<String>();
        assert_eq!(response.ok(), (!pieces.contains(&"error")).then(|| sent.clone().into()), "{pieces:?}");
        settle(&stats).await;
        assert_eq!(counts(&stats), if copied { (1, 0, 0) } else { (0, 1, 0) }, "{pieces:?}");
        if copied {
            let (head, body, trailers) = copies.try_recv().unwrap();
            assert_eq!((head.method().as_str(), head.uri().to_string()), ("PUT", "/path?query".to_owned()));
            assert_eq!(head.headers(), &HeaderMap::from_iter([("x-a".parse().unwrap(), "b".parse().unwrap())]));
            assert!(head.extensions().is_empty());
            assert_eq!((body, trailers.is_some()), (sent.into(), pieces.contains(&"trailers")), "{pieces:?}");
        }
        assert_eq!(memory.used(), 0);
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_copied_only_from_a_buffer() {
    for buffered in [false, true] {
        let (mirror, mut copies) = mirror();
        let stats = Arc::new(MirrorStats::default());
        let ignores = service_fn(async |_: Request<RequestBody>| Ok::<_, BoxError>(()));
        let mirrored = MirrorLayer::new(mirror).stats(Arc::clone(&stats)).layer(ignores);
        let request = Request::put("/").body(in_pieces(&["12", "34"])).unwrap();
        if buffered {
            BufferBodyLayer::new(4).layer(mirrored).oneshot(request).await.unwrap();
        } else {
            mirrored.oneshot(request).await.unwrap();
        }
        settle(&stats).await;
        assert_eq!(counts(&stats), if buffered { (1, 0, 0) } else { (0, 1, 0) });
        assert_eq!(copies.try_recv().is_ok_and(|(_, body, _)| body == "1234"), buffered);
    }
}

#[tokio::test]
async fn a_body_shorter_than_declared_is_not_copied() {
    for (declared, copied) in [("4", true), ("5", false)] {
        let (mirror, _copies) = mirror();
        let stats = Arc::new(MirrorStats::default());
        let service = MirrorLayer::new(mirror).stats(Arc::clone(&stats)).layer(service_fn(read));
        let request = Request::put("/").header("content-length", declared).body(in_pieces(&["1234"])).unwrap();
        service.oneshot(request).await.unwrap();
        settle(&stats).await;
        assert_eq!(counts(&stats), if copied { (1, 0, 0) } else { (0, 1, 0) }, "{declared}");
    }
}

#[tokio::test]
async fn so_many_percent_of_the_requests_are_copied() {
    for percent in [1, 10, 50, 99, 100] {
        let (mirror, _copies) = mirror();
        let stats = Arc::new(MirrorStats::default());
        let layer = MirrorLayer::new(mirror.clone()).percent(percent).stats(Arc::clone(&stats));
        // Two layers, as on two threads. Requests of a kind are copied as often as others.
        let services = [layer.with_mirror(mirror), layer].map(|layer| layer.layer(service_fn(read)));
        let mut of_each = [0; 2];
        for index in 0..200 {
            let before = stats.answered();
            services[index % 2].clone().oneshot(Request::new(Full::<Bytes>::from("body"))).await.unwrap();
            settle(&stats).await;
            of_each[index % 2] += stats.answered() - before;
        }
        assert_eq!(counts(&stats), (2 * percent as u64, 0, 0));
        assert!(of_each[0].abs_diff(of_each[1]) <= 2, "{percent}: {of_each:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn copies_in_flight_have_a_limit_in_number_and_time() {
    let stats = Arc::new(MirrorStats::default());
    let hangs = service_fn(async |_: Request<RequestBody>| pending::<Result<Response<ResponseBody>, BoxError>>().await);
    let layer = MirrorLayer::new(hangs).max_in_flight(3).timeout(Duration::from_secs(10)).stats(Arc::clone(&stats));
    let service = layer.layer(service_fn(read));
    for _ in 0..10 {
        service.clone().oneshot(Request::new(Full::<Bytes>::from("body"))).await.unwrap();
    }
    assert_eq!((stats.in_flight(), counts(&stats)), (3, (0, 7, 0)));
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!((stats.in_flight(), counts(&stats)), (0, (0, 7, 3)));
}

#[tokio::test(start_paused = true)]
async fn a_response_that_fails_or_never_ends_is_a_failed_copy() {
    let broken = || StreamBody::new(futures_util::stream::iter([Err::<Frame<Bytes>, BoxError>("broken".into())]));
    let endless = || StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, BoxError>>());
    let mirror = service_fn(move |request: Request<RequestBody>| async move {
        match request.uri().path() {
            "/broken" => Ok(Response::new(ResponseBody::new(broken()))),
            "/endless" => Ok(Response::new(ResponseBody::new(endless()))),
            _ => Err(BoxError::from("failed")),
        }
    });
    for path in ["/broken", "/endless", "/failed"] {
        let stats = Arc::new(MirrorStats::default());
        let service = MirrorLayer::new(mirror).stats(Arc::clone(&stats)).layer(service_fn(read));
        service.oneshot(Request::get(path).body(RequestBody::empty()).unwrap()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!((stats.in_flight(), counts(&stats)), (0, (0, 0, 1)), "{path}");
    }
}

#[tokio::test]
async fn copies_can_have_a_header_and_streams_are_not_copied() {
    let (mirror, mut copies) = mirror();
    let stats = Arc::new(MirrorStats::default());
    let header = (HeaderName::from_static("x-mirror"), HeaderValue::from_static("1"));
    let layer = MirrorLayer::new(mirror).header(header.0, header.1).stats(Arc::clone(&stats));
    for (name, value, copied) in [
        ("x-mirror", "forged", true),
        ("upgrade", "websocket", false),
        ("content-type", "application/grpc", false),
        ("content-type", "application/connect+json", false),
    ] {
        let request = Request::post("/").header(name, value).body(Full::<Bytes>::from("body")).unwrap();
        layer.layer(service_fn(read)).oneshot(request).await.unwrap();
        settle(&stats).await;
        let copy = copies.try_recv().ok();
        assert_eq!(copy.is_some(), copied, "{value}");
        assert!(copy.is_none_or(|(head, ..)| head.headers()["x-mirror"] == "1"));
    }
    assert_eq!(counts(&stats), (1, 0, 0));
}

#[tokio::test]
async fn a_cancelled_upload_is_not_copied() {
    let (mirror, mut copies) = mirror();
    let stats = Arc::new(MirrorStats::default());
    let service = MirrorLayer::new(mirror).stats(Arc::clone(&stats)).layer(service_fn(read));
    let (mut sender, body) = http_body_util::Channel::<Bytes>::new(1);
    let call = tokio::spawn(service.oneshot(Request::put("/").body(body).unwrap()));
    sender.send_data("half".into()).await.unwrap();
    yield_now().await;
    assert_eq!(stats.in_flight(), 1);
    call.abort();
    assert!(call.await.is_err());
    assert_eq!((stats.in_flight(), counts(&stats)), (0, (0, 1, 0)));
    assert!(copies.try_recv().is_err());
}
