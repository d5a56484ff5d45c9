//! Picks a service by the host and the path of a request.
//!
//! ```
//! use http::{Request, Response};
//! use pmesh_layers::{host::HostName, route::{RouteTable, Router}};
//! use tower::{BoxError, ServiceExt, util::BoxCloneSyncService};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let answer = |text: &'static str| {
//!     BoxCloneSyncService::new(tower::service_fn(move |_: Request<()>| {
//!         std::future::ready(Ok::<_, BoxError>(Response::new(text)))
//!     }))
//! };
//! let mut table = RouteTable::new();
//! table.insert("*.example.com".parse()?, "/".parse()?, answer("any"))?;
//! table.insert("www.example.com".parse()?, "/api".parse()?, answer("api"))?;
//! let router = Router::new(table);
//!
//! for (path, expected) in [("/api/users", "api"), ("/apis", "any")] {
//!     let host: HostName = "www.example.com".parse()?;
//!     let request = Request::get(path).extension(host).body(())?;
//!     assert_eq!(router.clone().oneshot(request).await?.into_body(), expected);
//! }
//! # Ok(())
//! # }
//! ```

mod error;
mod path;
mod readings;
mod router;
mod strip;
mod table;

pub use error::NoRoute;
pub use path::{InvalidPrefix, PathPrefix};
pub use router::Router;
pub use strip::{StripPrefix, StripPrefixLayer};
pub use table::{DuplicateRoute, RouteTable};
