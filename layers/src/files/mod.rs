//! Serves files from a folder, and can pass on requests for missing files.
//!
//! ```
//! use http::{Request, StatusCode};
//! use http_body_util::BodyExt;
//! use pmesh_layers::{files::Files, respond::RespondLayer};
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let root = folder.path();
//! std::fs::write(root.join("index.html"), "<h1>hello</h1>")?;
//! std::fs::write(root.join(".env"), "PASSWORD=secret")?;
//!
//! // Errors become responses: 404, 405, ...
//! let service = ServiceBuilder::new().layer(RespondLayer::new()).service(Files::new(root));
//! let Ok(response) = service.clone().oneshot(Request::get("/").body(())?).await;
//! assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
//! assert!(response.headers().contains_key("etag"));
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "<h1>hello</h1>");
//!
//! for path in ["/.env", "/../etc/passwd", "/missing"] {
//!     let Ok(response) = service.clone().oneshot(Request::get(path).body(())?).await;
//!     assert_eq!(response.status(), StatusCode::NOT_FOUND);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! With a [fallback](Files::fallback), such as a [`Pool`](crate::pool::Pool), requests for files that do not exist go there,
//! and so do requests with methods other than GET and HEAD.
//!
//! # What is served
//!
//! - Only regular files inside the root. A symbolic link can point to any place inside it, but not outside. On Linux, the
//!   kernel ensures this (`openat2`), so there is no gap between a check and the use of its result.
//! - Nothing that begins with a dot, except `/.well-known/` (RFC 8615). The targets of symbolic links can have such names.
//! - Paths are decoded once. A path with `..`, an encoded slash, a backslash or a NUL never names a file. Empty segments are
//!   skipped.
//! - For a folder, its index. If the path has no slash at the end, a 308 adds it. A folder without an index is a 404.
//!   Folders are never listed.
//!
//! [`ServeDir`](tower_http::services::ServeDir) of tower-http determines the response: a precompressed variant of the file
//! (`.zst`, `.br` or `.gz` after its name), a range, or a 304. Each variant has its own `ETag`. Text has the charset UTF-8.
//!
//! # Threads
//!
//! On Linux, files in the page cache are read at once, with system calls that fail instead of waiting. All other files are
//! read on [tokio's threads for blocking calls](tokio::task::spawn_blocking), a short file in one go. Long files are read in
//! pieces of 64 KiB, as fast as the client takes them. If a file becomes shorter while it is being sent, the response is cut
//! off.
//!
//! This module needs the feature `files`, and Unix.

mod asked;
mod body;
mod error;
mod find;
mod folder;
mod future;
mod open;
mod original;
mod path;
mod serve;
mod service;
mod settings;
mod variants;

pub use error::FilesError;
pub use future::ResponseFuture;
pub use original::OriginalUri;
pub use service::{Files, NoFile};
