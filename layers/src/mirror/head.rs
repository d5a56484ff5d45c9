use std::{future::poll_fn, pin::pin, sync::Arc};

use http::{HeaderMap, Method, Request, Response, Uri, Version, header};
use http_body::Body;
use tokio::{runtime::Handle, time::timeout};
use tower::{BoxError, Service, ServiceExt};

use super::shared::Shared;
use crate::{body::RequestBody, causes::with_causes, max_in_flight::Counted};

/// The copy of a request, without its body.
#[derive(Debug)]
pub(super) struct Head<M> {
    method: Method,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
    mirror: M,
    shared: Arc<Shared>,
    /// Of its layer, and of the stats.
    counted: (Counted, Option<Counted>),
}

impl<M> Head<M> {
    pub(super) fn new(request: &Request<RequestBody>, mirror: M, shared: Arc<Shared>, counted: Counted) -> Self {
        let mut headers = request.headers().clone();
        // The body is complete.
        headers.remove(header::EXPECT);
        if let Some((name, value)) = &shared.header {
            headers.insert(name, value.clone());
        }
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers,
            mirror,
            counted: (counted, shared.stats.begin()),
            shared,
        }
    }

    /// Drops the copy.
    pub(super) fn skip(self) {
        self.shared.stats.skip();
    }

    /// Whether a body of this length is complete.
    pub(super) fn is_complete(&self, length: usize) -> bool {
        let declared = self.headers.get(header::CONTENT_LENGTH);
        declared.is_none_or(|declared| declared.as_bytes() == length.to_string().as_bytes())
    }
}

impl<M, R> Head<M>
where
    M: Service<Request<RequestBody>, Response = Response<R>, Error: Into<BoxError>, Future: Send> + Send + 'static,
    R: Body<Error: Into<BoxError>> + Send + 'static,
{
    /// Sends the copy with this body, in a task.
    pub(super) fn send(self, body: RequestBody) {
        // A body can be dropped while the runtime shuts down.
        let Ok(runtime) = Handle::try_current() else { return self.skip() };
        let Self { method, uri, version, headers, mirror, shared, counted } = self;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.version_mut() = version;
        *request.headers_mut() = headers;
        runtime.spawn(async move {
            let result = timeout(shared.timeout, exchange(mirror, request)).await;
            match &result {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(error = with_causes(&**error), "a copy failed"),
                Err(_) => tracing::debug!("a copy took too long"),
            }
            shared.stats.end(matches!(result, Ok(Ok(()))));
            drop(counted);
        });
    }
}

/// Sends the request, and reads the response to its end, so that the connection can be used again.
async fn exchange<M, R>(mirror: M, request: Request<RequestBody>) -> Result<(), BoxError>
where
    M: Service<Request<RequestBody>, Response = Response<R>, Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    let response = mirror.oneshot(request).await.map_err(Into::into)?;
    let mut body = pin!(response.into_body());
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        frame.map_err(Into::into)?;
    }
    Ok(())
}
