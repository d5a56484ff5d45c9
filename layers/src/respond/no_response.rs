/// The error of a request that deliberately gets no response.
///
/// If a [`RespondLayer`](super::RespondLayer) lets it [pass](super::RespondLayer::pass), an
/// [`HttpServer`](crate::serve::HttpServer) sends no response: it closes an HTTP/1.1 connection, and resets an HTTP/2
/// stream with CANCEL, while other streams continue. If the client has not named a served host yet, the connection is
/// closed as after any other error. Other servers, such as `axum::serve`, must always respond. There, let a `RespondLayer`
/// answer this error, with 403 by default.
///
/// ```
/// use http::{Request, Response};
/// use pmesh_layers::{fixed_response::Silence, respond::{NoResponse, RespondLayer}};
/// use tower::{ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let silence: Silence<String> = Silence::new();
/// let service = ServiceBuilder::new().layer(RespondLayer::new().pass::<NoResponse>()).service(silence.clone());
/// assert!(service.oneshot(Request::new(())).await.unwrap_err().is::<NoResponse>());
///
/// let service = ServiceBuilder::new().layer(RespondLayer::new()).service(silence);
/// assert_eq!(service.oneshot(Request::new(())).await?.status(), 403);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request gets no response")]
pub struct NoResponse;
