//! Endpoints get requests in turn, each only when it is ready.

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use pmesh_layers::{
    balance::Balance,
    body::{RequestBody, ResponseBody},
};
use tower::{BoxError, Service, ServiceExt};
use tower_test::mock::{self, Handle};

type Sent = Request<RequestBody>;
type Endpoint = mock::Mock<Sent, Response<String>>;

fn endpoint() -> (Endpoint, Handle<Sent, Response<String>>) {
    mock::pair()
}

fn request(path: &str) -> Request<Empty<Bytes>> {
    Request::get(path).body(Empty::new()).unwrap()
}

/// Asserts that a request for `path` has arrived, and responds with `text`.
fn answer(handle: &mut Handle<Sent, Response<String>>, path: &str, text: &'static str) {
    let (request, respond) = handle.next_request().now_or_never().flatten().unwrap();
    assert_eq!(request.uri(), path);
    respond.send_response(Response::new(text.to_owned()));
}

async fn text(answer: Result<Response<ResponseBody>, BoxError>) -> Bytes {
    answer.unwrap().into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn a_request_waits_until_the_next_endpoint_is_ready() {
    let ((one, mut first), (two, mut second)) = (endpoint(), endpoint());
    first.allow(0);
    second.allow(0);
    let mut balance = Balance::new([("one", one), ("two", two)]);
    // `Balance` is ready although no endpoint is, because `call` chooses the endpoint.
    ServiceExt::<Request<Empty<Bytes>>>::ready(&mut balance).await.unwrap();
    let mut a = Box::pin(balance.call(request("/a")));
    let mut b = Box::pin(balance.call(request("/b")));
    assert!((&mut a).now_or_never().is_none() && (&mut b).now_or_never().is_none());

    second.allow(1);
    assert!((&mut a).now_or_never().is_none() && (&mut b).now_or_never().is_none());
    answer(&mut second, "/b", "from the second");
    assert_eq!(text(b.await).await, "from the second");

    first.allow(1);
    assert!((&mut a).now_or_never().is_none());
    answer(&mut first, "/a", "from the first");
    assert_eq!(text(a.await).await, "from the first");
}

#[tokio::test]
async fn clones_share_one_rotation() {
    let ((one, mut first), (two, mut second)) = (endpoint(), endpoint());
    let balance = Balance::new([("one", one), ("two", two)]);
    for turn in 0..4 {
        let mut response = Box::pin(balance.clone().oneshot(request("/")));
        assert!((&mut response).now_or_never().is_none());
        answer(if turn % 2 == 0 { &mut first } else { &mut second }, "/", "response");
        assert_eq!(text(response.await).await, "response");
    }
}
