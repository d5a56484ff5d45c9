use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body::Body;
use tower::{BoxError, Layer, Service};

use super::HeaderEdits;
use crate::{body::RequestBody, trailers::TrailerFilter};

impl HeaderEdits {
    /// Makes the changes to a request, as [`EditRequestHeadersLayer`] does.
    pub fn apply_to_request(&self, request: &mut Request<RequestBody>) {
        if self.replaces_any() {
            self.remove_replaced(request.headers_mut());
            request.body_mut().filter_trailers(TrailerFilter::Replaced(self.clone()));
        }
        self.apply(request.headers_mut());
    }
}

/// Edits the headers of requests.
///
/// If a header is set or removed, the backend gets nothing under this name from the client. Backends that follow CGI (PHP,
/// WSGI) cannot tell `X-User` and `X_User` apart, and some merge trailers into the headers. So headers that differ only in
/// this are removed too, and so are trailers.
#[derive(Debug, Clone)]
pub struct EditRequestHeadersLayer {
    edits: HeaderEdits,
}

impl EditRequestHeadersLayer {
    /// Creates a layer that makes these changes to each request.
    pub fn new(edits: HeaderEdits) -> Self {
        Self { edits }
    }
}

impl<S> Layer<S> for EditRequestHeadersLayer {
    type Service = EditRequestHeaders<S>;

    fn layer(&self, inner: S) -> Self::Service {
        EditRequestHeaders { inner, edits: self.edits.clone() }
    }
}

/// The service of [`EditRequestHeadersLayer`].
#[derive(Debug, Clone)]
pub struct EditRequestHeaders<S> {
    inner: S,
    edits: HeaderEdits,
}

impl<S> EditRequestHeaders<S> {
    inner_accessors!();
}

impl<S, B> Service<Request<B>> for EditRequestHeaders<S>
where
    S: Service<Request<RequestBody>>,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let mut request = request.map(RequestBody::new);
        self.edits.apply_to_request(&mut request);
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, Response};
    use http_body_util::{BodyExt, Empty, Full};
    use tower::{ServiceBuilder, ServiceExt};

    use super::*;

    const NAMES: [&str; 8] =
        ["x_user_id", "x-user_id", "x-user-id", "x-team", "x_team", "x_tag", "x_other", "x_users_id"];

    fn name(name: &'static str) -> HeaderName {
        HeaderName::from_static(name)
    }

    fn value(value: &'static str) -> HeaderValue {
        HeaderValue::from_static(value)
    }

    fn layer() -> EditRequestHeadersLayer {
        let edits = HeaderEdits::new()
            .remove(name("x-user-id"))
            .set(name("x_team"), value("new"))
            .add(name("x-tag"), value("new"))
            .set_default(name("x-other"), value("new"));
        EditRequestHeadersLayer::new(edits)
    }

    /// All of [`NAMES`], twice.
    fn of_client() -> HeaderMap {
        let twice = NAMES.into_iter().flat_map(|of_client| [of_client, of_client]);
        twice.map(|of_client| (name(of_client), value("of the client"))).collect()
    }

    fn sorted(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[tokio::test]
    async fn names_that_cgi_confuses_with_a_set_or_removed_header_are_removed() {
        let service = ServiceBuilder::new().layer(layer()).service_fn(async |request: Request<RequestBody>| {
            Ok::<_, BoxError>(Response::new(request.headers().clone()))
        });
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.headers_mut() = of_client();
        let headers = service.oneshot(request).await.unwrap().into_body();
        assert_eq!(sorted(&headers), ["x-other", "x-tag", "x_other", "x_tag", "x_team", "x_users_id"]);
        assert_eq!(headers.get_all("x_team").iter().collect::<Vec<_>>(), ["new"]);
    }

    #[tokio::test]
    async fn trailers_do_not_bring_back_what_was_set_or_removed() {
        let service = ServiceBuilder::new().layer(crate::trailers::TrailersLayer::new()).layer(layer()).service_fn(
            async |request: Request<RequestBody>| {
                let trailers = request.into_body().collect().await?.trailers().cloned();
                Ok::<_, BoxError>(Response::new(Full::from(format!("{:?}", sorted(&trailers.unwrap_or_default())))))
            },
        );
        let mut trailers = of_client();
        trailers.insert("x-forwarded-for", value("192.0.2.1"));
        let body = Full::new(Bytes::from("body")).with_trailers(async { Some(Ok(trailers)) });
        let response = service.oneshot(Request::new(body)).await.unwrap();
        let left = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(left, r#"["x_other", "x_tag", "x_users_id"]"#);
    }
}
