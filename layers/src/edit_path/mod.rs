//! Changes the path of requests: rewrites it, removes a prefix, adds a prefix.
//!
//! ```
//! use http::Request;
//! use pmesh_layers::edit_path::{EditPathLayer, PathEdits, Rewrite};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let old = Rewrite::to("/new/$1".parse()?).regex("^/old/(.*)$".parse()?);
//! let edits = PathEdits::new().rewrite(old).add_prefix("/v1".parse()?);
//! let service = ServiceBuilder::new()
//!     .layer(EditPathLayer::new(edits))
//!     .service_fn(async |request: Request<()>| Ok::<_, BoxError>(request.uri().to_string()));
//!
//! for (path, expected) in [("/old/a%20b?id=1", "/v1/new/a%20b?id=1"), ("/other", "/v1/other")] {
//!     assert_eq!(service.clone().oneshot(Request::get(path).body(())?).await?, expected);
//! }
//! // A backend would read this as `/admin`, which is not below `/v1`.
//! assert!(service.oneshot(Request::get("/%2e%2e/admin").body(())?).await.is_err());
//! # Ok(())
//! # }
//! ```
//!
//! To only remove a prefix, [`StripPrefixLayer`](crate::route::StripPrefixLayer) is enough.

mod edits;
mod error;
mod layer;
mod rewrite;
mod target;
#[cfg(test)]
mod tests;

pub use edits::PathEdits;
pub use error::{InvalidRewrite, PathRejected};
pub use layer::{EditPath, EditPathLayer};
pub use rewrite::Rewrite;
pub use target::RewriteTarget;
