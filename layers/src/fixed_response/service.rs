use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    marker::PhantomData,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use tower::Service;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A service that answers each request with the same status and body.
///
/// HEAD gets the same headers as GET, including `Content-Length`, and no body. 204, 205 and 304 never have a body (RFC
/// 9110, 15.3.5, 15.3.6 and 15.4.5). Clones share the body.
pub struct FixedResponse<R> {
    status: StatusCode,
    body: Bytes,
    content_type: HeaderValue,
    response: PhantomData<fn() -> R>,
}

impl<R> FixedResponse<R> {
    /// Creates a service that answers with `status`. By default, the body is the status as text for an error (400 and
    /// above), and empty otherwise.
    ///
    /// # Errors
    ///
    /// [`InvalidStatus`] if `status` is below 200, which is not a final response, or above 599.
    pub fn new(status: StatusCode) -> Result<Self, InvalidStatus> {
        if !(200..600).contains(&status.as_u16()) {
            return Err(InvalidStatus(status));
        }
        let is_error = status.is_client_error() || status.is_server_error();
        let body = if is_error { Bytes::from(format!("{status}\n")) } else { Bytes::new() };
        Ok(Self { status, body, content_type: TEXT, response: PhantomData })
    }

    /// Sets the body.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Sets the `Content-Type` of the body; `text/plain; charset=utf-8` by default.
    #[must_use]
    pub fn content_type(self, content_type: HeaderValue) -> Self {
        Self { content_type, ..self }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }
}

impl<R: From<Bytes>> FixedResponse<R> {
    /// The response to a request with this method.
    pub(crate) fn response(&self, method: &Method) -> Response<R> {
        let has_body = !self.body.is_empty() && !matches!(self.status.as_u16(), 204 | 205 | 304);
        let is_head = *method == Method::HEAD;
        let body = if has_body && !is_head { self.body.clone() } else { Bytes::new() };
        let mut response = Response::new(R::from(body));
        *response.status_mut() = self.status;
        if has_body {
            response.headers_mut().insert(CONTENT_TYPE, self.content_type.clone());
        }
        if has_body && is_head {
            response.headers_mut().insert(CONTENT_LENGTH, self.body.len().into());
        }
        response
    }
}

impl<R> Clone for FixedResponse<R> {
    fn clone(&self) -> Self {
        Self {
            status: self.status,
            body: self.body.clone(),
            content_type: self.content_type.clone(),
            response: PhantomData,
        }
    }
}

impl<R> fmt::Debug for FixedResponse<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixedResponse")
            .field("status", &self.status)
            .field("body", &self.body)
            .field("content_type", &self.content_type)
            .finish()
    }
}

impl<R: From<Bytes>, B> Service<Request<B>> for FixedResponse<R> {
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Ready<Result<Response<R>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.response(request.method())))
    }
}

/// The error for a status that no final response can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} is not the status of a response: use one from 200 to 599", .0.as_u16())]
pub struct InvalidStatus(StatusCode);

#[cfg(test)]
mod tests {
    use tower::ServiceExt;

    use super::*;

    fn response(status: u16) -> FixedResponse<Bytes> {
        FixedResponse::new(StatusCode::from_u16(status).unwrap()).unwrap()
    }

    async fn answered(service: FixedResponse<Bytes>, method: Method) -> Response<Bytes> {
        let Ok(response) = service.oneshot(Request::builder().method(method).body(()).unwrap()).await;
        response
    }

    #[tokio::test]
    async fn a_body_has_a_content_type_and_errors_have_a_body_by_default() {
        let json = HeaderValue::from_static("application/json");
        for (service, body, content_type) in [
            (response(200), "", None),
            (response(200).content_type(json.clone()), "", None),
            (response(403), "403 Forbidden\n", Some("text/plain; charset=utf-8")),
            (response(599), "599 <unknown status code>\n", Some("text/plain; charset=utf-8")),
            (response(503).body("back soon"), "back soon", Some("text/plain; charset=utf-8")),
            (response(503).body(""), "", None),
            (response(200).body("{}").content_type(json), "{}", Some("application/json")),
        ] {
            for method in [Method::GET, Method::POST] {
                let answer = answered(service.clone(), method).await;
                assert_eq!(answer.status(), service.status);
                assert_eq!(answer.body(), body);
                assert_eq!(answer.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap()), content_type);
                assert!(!answer.headers().contains_key(CONTENT_LENGTH));
            }
        }
    }

    #[tokio::test]
    async fn head_gets_only_headers() {
        let answer = answered(response(200).body("hello"), Method::HEAD).await;
        assert_eq!(answer.body(), "");
        assert_eq!(answer.headers()[CONTENT_LENGTH], "5");
        assert_eq!(answer.headers()[CONTENT_TYPE], TEXT);
        assert!(answered(response(200), Method::HEAD).await.headers().is_empty());
    }

    #[tokio::test]
    async fn statuses_without_content_have_no_body() {
        for status in [204, 205, 304] {
            for method in [Method::GET, Method::HEAD] {
                let answer = answered(response(status).body("hello"), method).await;
                assert_eq!((answer.status().as_u16(), &answer.body()[..]), (status, &b""[..]));
                assert!(answer.headers().is_empty());
            }
        }
    }

    #[test]
    fn statuses_that_are_not_final_are_rejected() {
        for status in [100, 101, 199, 600, 999] {
            let status = StatusCode::from_u16(status).unwrap();
            let error = FixedResponse::<Bytes>::new(status).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{} is not", status.as_u16())), "{error}");
        }
    }
}
