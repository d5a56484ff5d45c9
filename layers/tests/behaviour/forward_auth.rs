//! The requests and headers that `ForwardAuthLayer` passes on.

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderName, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use pmesh_layers::{
    body::{RequestBody, ResponseBody},
    forward_auth::{ForwardAuthLayer, NoVerdict},
};
use tower::{Layer, ServiceExt};
use tower_test::mock::{self, Handle};

type Asked = Handle<Request<RequestBody>, Response<ResponseBody>>;

/// Sends a POST through the layer. Returns its response, the handle of the server, and that of the inner service.
fn send() -> (tokio::task::JoinHandle<Result<Response<ResponseBody>, tower::BoxError>>, Asked, Asked) {
    let (server, asked) = mock::pair();
    let (inner, reached) = mock::pair();
    let layer = ForwardAuthLayer::new(server, Uri::from_static("http://auth.test/verify"))
        .copy_headers(["remote-user", "remote-groups"].map(HeaderName::from_static));
    let request = Request::post("/a")
        .header("host", "example.com")
        .header("remote-user", "root")
        .header("remote_user", "root")
        .header("remote-groups", "root")
        .body(Full::new(Bytes::from("body")))
        .unwrap();
    (tokio::spawn(layer.layer(inner).oneshot(request)), asked, reached)
}

fn response(status: u16) -> http::response::Builder {
    Response::builder().status(status)
}

#[tokio::test]
async fn the_inner_service_waits_for_the_server() {
    let (response_of, mut asked, mut reached) = send();
    reached.allow(1);
    let (question, answer) = asked.next_request().await.unwrap();
    assert_eq!((question.method().as_str(), question.uri().path()), ("GET", "/verify"));
    assert_eq!(question.headers()["host"], "auth.test");
    assert!(question.into_body().collect().await.unwrap().to_bytes().is_empty());
    tokio::task::yield_now().await;
    let mut waiting = Box::pin(reached.next_request());
    assert!((&mut waiting).now_or_never().is_none());

    let verdict = response(202)
        .header("remote-user", "alice")
        .header("remote-user", "alice")
        .header("set-cookie", "a=1")
        .header("set-cookie", "b=2");
    answer.send_response(verdict.body(ResponseBody::from("yes")).unwrap());
    let (request, answer) = waiting.await.unwrap();
    let mut names: Vec<_> =
        request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    names.sort_unstable();
    assert_eq!(names, [("host", "example.com"), ("remote-user", "alice")]);
    assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), "body");
    answer.send_response(response(404).header("set-cookie", "c=3").body(ResponseBody::from("none")).unwrap());
    let response = response_of.await.unwrap().unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers().get_all("set-cookie").iter().collect::<Vec<_>>(), ["c=3", "a=1", "b=2"]);
}

#[tokio::test]
async fn other_answers_go_to_the_client() {
    for status in [300, 302, 304, 401, 403, 404, 500, 503] {
        let (response_of, mut asked, reached) = send();
        let (_, answer) = asked.next_request().await.unwrap();
        let verdict = response(status).header("location", "/login").header("set-cookie", "a=1");
        answer.send_response(verdict.body(ResponseBody::from("why")).unwrap());
        let response = response_of.await.unwrap().unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(
            (&response.headers()["location"], &response.headers()["set-cookie"]),
            (&"/login".parse().unwrap(), &"a=1".parse().unwrap())
        );
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "why");
        drop(reached);
    }
}

#[tokio::test]
async fn without_an_answer_the_request_fails() {
    let (response_of, mut asked, _reached) = send();
    let (_, answer) = asked.next_request().await.unwrap();
    answer.send_error("refused");
    assert_eq!(response_of.await.unwrap().unwrap_err().to_string(), "refused");

    let (response_of, mut asked, _reached) = send();
    let (_, answer) = asked.next_request().await.unwrap();
    answer.send_response(response(StatusCode::SWITCHING_PROTOCOLS.as_u16()).body(ResponseBody::empty()).unwrap());
    assert!(response_of.await.unwrap().unwrap_err().is::<NoVerdict>());
}
