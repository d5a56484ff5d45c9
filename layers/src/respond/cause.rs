use std::{error::Error, sync::Arc};

use tower::BoxError;

#[cfg(feature = "client")]
use crate::pool::PoolError;

/// The error behind an error response, in the extensions of the response.
///
/// It is meant for layers outside [`RespondLayer`](super::RespondLayer) that log or count failures, or that replace the
/// responses to them. Responses of the inner service do not have it, unless a layer with its own error responses adds
/// one.
///
/// ```
/// use http::{Request, Response};
/// use pmesh_layers::{respond::{Cause, RespondLayer}, route::NoRoute};
/// use tower::{BoxError, ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let service = ServiceBuilder::new()
///     .map_response(|response: Response<String>| {
///         if let Some(cause) = response.extensions().get::<Cause>() {
///             println!("{}: {}", response.status(), cause.error()); // 404 Not Found: no route ...
///         }
///         response
///     })
///     .layer(RespondLayer::new())
///     .service_fn(async |_: Request<()>| Err(BoxError::from(NoRoute::NotFound)));
/// let response = service.oneshot(Request::new(())).await?;
/// assert!(response.extensions().get::<Cause>().is_some_and(|cause| cause.error().is::<NoRoute>()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Cause {
    /// Wraps an error.
    pub fn new(error: impl Into<BoxError>) -> Self {
        let error = error.into();
        #[cfg(feature = "client")]
        let error = without_request(error);
        Self(error.into())
    }

    /// The error.
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

/// Drops the request, because a cause that is kept must not keep the client's upload open.
#[cfg(feature = "client")]
fn without_request(mut error: BoxError) -> BoxError {
    if let Some(error) = error.downcast_mut::<PoolError>() {
        drop(error.take_request());
    }
    error
}

#[cfg(all(test, feature = "client"))]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::StreamBody;
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    use super::*;
    use crate::{body::ResponseBody, pool::Pool, respond::RespondLayer};

    #[tokio::test]
    async fn a_cause_does_not_keep_the_request() {
        let connector = service_fn(async |_| Err::<hyper_util::rt::TokioIo<tokio::io::DuplexStream>, _>("refused"));
        let pool = Pool::new(connector, "http://backend".parse().unwrap());
        let service = ServiceBuilder::new().layer(RespondLayer::new()).service(pool);
        let held = Arc::new(());
        let in_body = Arc::clone(&held);
        let body = futures_util::stream::poll_fn(move |_| {
            let _ = &in_body;
            std::task::Poll::<Option<Result<http_body::Frame<Bytes>, BoxError>>>::Pending
        });
        let response: Response<ResponseBody> =
            service.oneshot(Request::post("/").body(StreamBody::new(body)).unwrap()).await.unwrap();
        assert!(response.extensions().get::<Cause>().is_some());
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
