//! Drops trailers that could be mistaken for headers (RFC 9110, 6.5.1).
//!
//! ```
//! use bytes::Bytes;
//! use http::{HeaderMap, Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use pmesh_layers::trailers::TrailersLayer;
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let service = ServiceBuilder::new().layer(TrailersLayer::new()).service_fn(async |request: Request<_>| {
//!     let body = BodyExt::collect(request.into_body()).await?;
//!     let trailers = body.trailers().cloned().unwrap_or_default();
//!     Ok::<_, BoxError>(Response::new(format!("{:?}", trailers.keys().collect::<Vec<_>>())))
//! });
//! let mut trailers = HeaderMap::new();
//! trailers.insert("x-checksum", "1".parse()?);
//! trailers.insert("x-forwarded-for", "192.0.2.1".parse()?);
//! let body = Full::new(Bytes::from("body")).with_trailers(async { Some(Ok(trailers)) });
//! let response = service.oneshot(Request::new(body)).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), r#"["x-checksum"]"#);
//! # Ok(())
//! # }
//! ```

mod filter;
mod layer;

pub(crate) use filter::TrailerFilter;
pub use layer::{ResponseFuture, Trailers, TrailersLayer};
