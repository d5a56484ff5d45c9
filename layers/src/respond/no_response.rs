/// The error of a request that gets no response, on purpose.
///
/// A [`RespondLayer`](super::RespondLayer) that [lets it pass](super::RespondLayer::pass) hands it to the server. An
/// [`HttpServer`](crate::serve::HttpServer) then sends nothing more: over HTTP/1.1 it ends the connection, and over
/// HTTP/2 it resets the stream with CANCEL, while the other streams go on. If the client has not named a served host yet,
/// the connection ends as with any other error. Other servers, such as `axum::serve`, always respond: there, a
/// `RespondLayer` answers it with 403.
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
