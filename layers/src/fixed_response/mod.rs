//! Services that send a fixed response, or none at all.
//!
//! ```
//! use http::{Request, StatusCode};
//! use pmesh_layers::fixed_response::FixedResponse;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service: FixedResponse<axum::body::Body> =
//!     FixedResponse::new(StatusCode::SERVICE_UNAVAILABLE)?.body("back soon");
//! let response = service.oneshot(Request::get("/").body(())?).await?;
//! assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
//! assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
//! # Ok(())
//! # }
//! ```
//!
//! With axum, use it as a route service: `Router::new().route_service("/healthz", service)`.
//!
//! [`Silence`] sends no response.

mod service;
mod silence;

pub use service::{FixedResponse, InvalidStatus};
pub use silence::Silence;
