use std::{error::Error, sync::Arc};

use tower::BoxError;

/// The error that a response answers, in the extensions of that response.
///
/// It is meant for layers outside [`RespondLayer`](super::RespondLayer) that log or count failures. Responses of the
/// inner service do not have it.
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
    pub(super) fn new(error: BoxError) -> Self {
        Self(error.into())
    }

    /// The error.
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}
