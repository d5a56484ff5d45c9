//! Lets through only requests for served hosts, and defines host names.
//!
//! ```
//! use http::Request;
//! use pmesh_layers::host::{HostLayer, HostName, HostSet};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let hosts = HostSet::new(["example.com".parse()?, "*.example.com".parse()?]);
//! let service = ServiceBuilder::new()
//!     .layer(HostLayer::new(hosts))
//!     .service_fn(async |request: Request<()>| {
//!         Ok::<_, BoxError>(request.extensions().get::<HostName>().map(ToString::to_string))
//!     });
//!
//! let request = Request::get("/").header("host", "WWW.Example.com:80").body(())?;
//! assert_eq!(service.clone().oneshot(request).await?.as_deref(), Some("www.example.com"));
//!
//! let request = Request::get("/").header("host", "192.0.2.1").body(())?;
//! assert!(service.oneshot(request).await.is_err());
//! # Ok(())
//! # }
//! ```

mod authority;
mod error;
mod layer;
mod pattern;
mod set;

pub use crate::host_name::{HostName, InvalidHost};
pub(crate) use authority::host_name;
pub use error::HostRejected;
pub use layer::{Host, HostLayer};
pub use pattern::HostPattern;
pub use set::{HostSet, ServedHosts, parents};
