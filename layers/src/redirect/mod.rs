//! Redirects requests to another URL.
//!
//! ```
//! use http::{Request, StatusCode};
//! use pmesh_layers::redirect::Redirect;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let redirect: Redirect<String> = Redirect::new("/new/{*}".parse()?).prefix("/old".parse()?);
//! let response = redirect.oneshot(Request::get("/old/page?id=1").body(())?).await?;
//! assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
//! assert_eq!(response.headers()["location"], "/new/page?id=1");
//! # Ok(())
//! # }
//! ```
//!
//! With axum, use it as a route service: `Router::new().route_service("/old/{*rest}", redirect)`.
//!
//! # Targets
//!
//! A target is a URL, or a path on the same host. A URL without a path, such as `https://example.com`, keeps the path and
//! the query of the request. All other targets are used as written, except for placeholders, which stand for parts of the
//! request:
//!
//! | placeholder | stands for |
//! | --- | --- |
//! | `{scheme}` | `http` or `https`, from `X-Forwarded-Proto` or else from the connection |
//! | `{host}` | the host, in lower case and without a port |
//! | `{path}` | the path, with its leading slash |
//! | `{query}` | the query, without its question mark |
//! | `{path_and_query}` | both |
//! | `{*}` | the path below the [`prefix`](Redirect::prefix), without its leading slash, and the query, unless the target has its own |
//! | `{1}`, `{2}` … | a group of the path's [regex](crate::route::PathRegex), which requires the `regex` feature |
//!
//! | target | `/old/a?b=1` becomes |
//! | --- | --- |
//! | `https://example.com` | `https://example.com/old/a?b=1` |
//! | `https://www.{host}{path_and_query}` | `https://www.example.com/old/a?b=1` |
//! | `https://example.com/` | `https://example.com/` |
//! | `/new` | `/new` |
//! | `/new/{*}` | `/new/a?b=1`, if `/old` is the prefix |
//! | `/new/{*}?` | `/new/a` |
//! | `/{1}` | `/a`, if `^/old/(.*)$` is the regex |
//! | `/login?next={path_and_query}` | `/login?next=/old/a%3Fb%3D1` |
//!
//! # Safety
//!
//! A request cannot choose the host of a redirect. `{host}` is the only placeholder allowed in the host of a target, and
//! inside a [`HostLayer`](crate::host::HostLayer) it is always a served host. A target that is a path stays on the same
//! host, even for paths such as `//other.example` and `/\other.example`. If a target has a path of its own, a request
//! cannot leave that path with dot segments.
//!
//! Percent-encoding in a path or query is passed on unchanged. Characters that a URL cannot contain are encoded. In the
//! query of a target, characters that would end the parameter are also encoded; `{path_and_query}` is encoded as a whole.

mod encode;
mod error;
mod expand;
mod parse;
mod placeholder;
mod service;
mod target;
#[cfg(test)]
mod tests;
mod values;

pub use error::{InvalidTarget, NotARedirect};
pub(crate) use expand::{rewritten_path, rewritten_query};
pub use placeholder::Placeholder;
pub use service::Redirect;
pub(crate) use service::{location, response};
pub use target::RedirectTarget;
pub(crate) use values::Sources;
