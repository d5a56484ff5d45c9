//! Routes requests to services by host, path, and conditions such as the method.
//!
//! ```
//! use http::{Request, Response};
//! use pmesh_layers::{host::HostName, route::{PathPrefix, RouteTable, Router}};
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
//! table.insert("*.example.com".parse()?, PathPrefix::root(), answer("any"))?;
//! table.insert("www.example.com".parse()?, "/api".parse::<PathPrefix>()?, answer("api"))?;
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

mod case;
mod conditions;
mod considered;
mod error;
mod exact;
mod host_routes;
mod invalid;
mod methods;
mod parts;
mod place;
mod prefix;
pub(crate) mod readings;
mod regex;
mod route_path;
mod router;
mod rule;
mod spellings;
mod strip;
mod table;
mod value_pattern;

pub use conditions::{Conditions, Unmet};
pub use considered::{Candidate, Considered, Verdict};
pub use error::NoRoute;
pub use exact::ExactPath;
pub use invalid::InvalidPath;
pub use methods::Methods;
pub use prefix::PathPrefix;
pub use regex::PathRegex;
#[cfg(feature = "regex")]
pub use regex::{Captures, InvalidRegex};
pub use route_path::RoutePath;
pub use router::Router;
pub use rule::Rule;
pub(crate) use strip::Removed;
pub use strip::{StripPrefix, StripPrefixLayer};
pub use table::{DuplicateRoute, ListedRoute, RouteTable};
pub use value_pattern::ValuePattern;
