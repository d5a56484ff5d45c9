use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE},
};
use pin_project_lite::pin_project;
use tower::BoxError;

use super::{
    Answers, Cause, plain, status,
    status::{allowed_methods, challenge, retry_after},
};
use crate::{MissingExtension, causes::find};

pin_project! {
    /// The response future of [`Respond`](super::Respond).
    pub struct ResponseFuture<F, A> {
        #[pin]
        kind: Kind<F>,
        answers: A,
        http1: bool,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<F> {
        Inner { #[pin] response: F },
        Broken { error: Option<BoxError> },
    }
}

impl<F, A> ResponseFuture<F, A> {
    pub(super) fn inner(response: F, answers: A, http1: bool) -> Self {
        Self { kind: Kind::Inner { response }, answers, http1 }
    }

    pub(super) fn error(error: BoxError, answers: A, http1: bool) -> Self {
        Self { kind: Kind::Broken { error: Some(error) }, answers, http1 }
    }
}

impl<F, A> std::fmt::Debug for ResponseFuture<F, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

impl<F, A, R, E> Future for ResponseFuture<F, A>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
    A: Answers<R>,
    R: From<String>,
{
    type Output = Result<Response<R>, A::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let error = match this.kind.project() {
            KindProj::Inner { response } => match ready!(response.poll(cx)) {
                Ok(response) => return Poll::Ready(Ok(response)),
                Err(error) => error.into(),
            },
            KindProj::Broken { error } => match error.take() {
                Some(error) => error,
                None => panic!("polled after completion"),
            },
        };
        Poll::Ready(match this.answers.pass(error) {
            Ok(error) => Err(error),
            Err(error) => Ok(answer(error, this.answers, *this.http1)),
        })
    }
}

fn answer<R: From<String>>(error: BoxError, answers: &impl Answers<R>, http1: bool) -> Response<R> {
    if let Some(missing) = find::<MissingExtension>(&*error) {
        // This is a mistake in the stack. Without the log line, its author would only see a 500.
        tracing::error!(error = %missing, "this stack lacks a layer");
    }
    let status = status(&*error);
    let mut response = answers.answer(&*error).unwrap_or_else(|| plain(status));
    if response.status() == StatusCode::METHOD_NOT_ALLOWED
        && let Some(methods) = allowed_methods(&*error)
    {
        response.headers_mut().entry(ALLOW).or_insert(methods);
    }
    if matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
        && let Some(seconds) = retry_after(&*error)
    {
        response.headers_mut().entry(RETRY_AFTER).or_insert(seconds);
    }
    if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        && let Some(challenge) = challenge(&*error)
    {
        response.headers_mut().entry(WWW_AUTHENTICATE).or_insert(challenge);
    }
    if http1 && (closes_connection(status) || closes_connection(response.status())) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.extensions_mut().insert(Cause::new(error));
    response
}

/// Whether to close an HTTP/1 connection after this status. After an ambiguous request, the start of the next one is
/// unknown (RFC 9112, 6.3 and 11.2). The rest of a request that is too long or too slow is not worth reading. Bytes after a
/// CONNECT may be meant for a tunnel.
fn closes_connection(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::PAYLOAD_TOO_LARGE
    )
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Version};
    use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

    use super::*;
    use crate::{
        framing::InvalidRequest,
        respond::{RespondLayer, plain},
        route::NoRoute,
    };

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("inner")]
    struct Inner;

    async fn answered<A: Answers<String, Error = Infallible> + Clone>(
        layer: RespondLayer<A>,
        error: impl Into<BoxError>,
        version: Version,
    ) -> Response<String> {
        let error = std::sync::Mutex::new(Some(error.into()));
        let service = service_fn(|_: Request<()>| {
            std::future::ready(Err::<Response<String>, _>(error.lock().unwrap().take().unwrap()))
        });
        let mut request = Request::new(());
        *request.version_mut() = version;
        let Ok(response) = ServiceBuilder::new().layer(layer).service(service).oneshot(request).await;
        response
    }

    #[tokio::test]
    async fn rows_are_tried_in_order_before_the_table() {
        let layer = RespondLayer::new()
            .on(|_: &Inner| StatusCode::IM_A_TEAPOT)
            .on(|_: &Outer| StatusCode::CONFLICT)
            .on(|_: &NoRoute| Response::new(String::from("nothing")));
        for (error, status, body) in [
            (BoxError::from(Inner), 418, "418 I'm a teapot\n"),
            (Outer(Inner).into(), 418, "418 I'm a teapot\n"),
            (NoRoute::NotFound.into(), 200, "nothing"),
            (crate::cdn_loop::LoopDetected.into(), 508, "508 Loop Detected\n"),
        ] {
            let response = answered(layer, error, Version::HTTP_11).await;
            assert_eq!((response.status().as_u16(), response.body().as_str()), (status, body));
        }
    }

    #[tokio::test]
    async fn an_error_that_passes_is_not_answered() {
        let layer = RespondLayer::new().pass::<Inner>().on(|_: &Inner| StatusCode::IM_A_TEAPOT).pass::<NoRoute>();
        for (error, passes) in [
            (BoxError::from(Inner), true),
            (Outer(Inner).into(), true),
            (NoRoute::NotFound.into(), true),
            (crate::cdn_loop::LoopDetected.into(), false),
        ] {
            let text = error.to_string();
            let error = std::sync::Mutex::new(Some(error));
            let service = service_fn(|_: Request<()>| {
                std::future::ready(Err::<Response<String>, _>(error.lock().unwrap().take().unwrap()))
            });
            match ServiceBuilder::new().layer(layer).service(service).oneshot(Request::new(())).await {
                Ok(response) => assert!(!passes && response.status() == StatusCode::LOOP_DETECTED),
                Err(error) => assert!(passes && error.to_string() == text),
            }
        }
    }

    #[tokio::test]
    async fn the_response_has_its_cause() {
        let response = answered(RespondLayer::new(), Outer(Inner), Version::HTTP_11).await;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        assert!(response.extensions().get::<Cause>().unwrap().error().is::<Outer>());
    }

    #[tokio::test]
    async fn an_ambiguous_request_closes_the_connection() {
        for unacceptable in [InvalidRequest::Length, InvalidRequest::Method] {
            let response = answered(RespondLayer::new(), unacceptable, Version::HTTP_11).await;
            assert_eq!(response.headers()[CONNECTION], "close");
            // Even if a row chooses another status.
            let layer = RespondLayer::new().on(|_: &InvalidRequest| StatusCode::FORBIDDEN);
            let response = answered(layer, unacceptable, Version::HTTP_11).await;
            assert_eq!(response.headers()[CONNECTION], "close");
        }
        for (error, version) in
            [(BoxError::from(InvalidRequest::Length), Version::HTTP_2), (NoRoute::NotFound.into(), Version::HTTP_11)]
        {
            let response = answered(RespondLayer::new(), error, version).await;
            assert!(!response.headers().contains_key(CONNECTION));
        }
    }

    #[tokio::test]
    async fn the_error_of_a_service_that_never_becomes_ready_is_answered() {
        let (inner, mut backend) = tower_test::mock::pair::<Request<()>, Response<String>>();
        let mut service = ServiceBuilder::new().layer(RespondLayer::new()).service(inner);
        backend.send_error("gone");
        let Ok(ready) = service.ready().await;
        let Ok(response) = ready.call(Request::new(())).await;
        assert_eq!(response.body(), plain::<String>(StatusCode::BAD_GATEWAY).body());
    }
}
