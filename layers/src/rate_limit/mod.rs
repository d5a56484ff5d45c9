//! Limits how many requests pass in a span of time: in total, for each client, or for each value of a header.
//!
//! ```
//! use std::time::Duration;
//! use http::{Request, Response};
//! use pmesh_layers::{conn::ConnInfo, rate_limit::{RateLimit, RateLimitLayer, RateLimited}};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! // Two at once, then one each half minute.
//! let limit = RateLimit::new(2, Duration::from_secs(60))?;
//! let service = ServiceBuilder::new()
//!     .layer(RateLimitLayer::new(limit))
//!     .service_fn(async |_: Request<()>| Ok::<_, BoxError>(Response::new(())));
//! let from = |ip: [u8; 4]| Request::get("/").extension(ConnInfo::plain((ip, 40000).into())).body(());
//! assert!(service.clone().oneshot(from([192, 0, 2, 1])?).await.is_ok());
//! assert!(service.clone().oneshot(from([192, 0, 2, 1])?).await.is_ok());
//! let error = service.clone().oneshot(from([192, 0, 2, 1])?).await.unwrap_err();
//! let limited: &RateLimited = error.downcast_ref().unwrap();
//! assert!(limited.retry_after() <= Duration::from_secs(30));
//! // Another client has a bucket of its own.
//! assert!(service.oneshot(from([192, 0, 2, 2])?).await.is_ok());
//! # Ok(())
//! # }
//! ```
//!
//! # Buckets
//!
//! Each client, or each value of the header, has a bucket with [`burst`](RateLimit::burst) tokens. A request takes one. Tokens
//! come back one by one, evenly spread over the time (the generic cell rate algorithm, from the crate `governor`). A rejected
//! request takes none, so a client that keeps trying still gets its share.
//!
//! All clones of a [`RateLimitLayer`], and the services made from them, share their buckets, also between threads.
//!
//! # Memory
//!
//! A layer has at most [`RateLimitLayer::MAX_BUCKETS`] buckets, which take about 2 MiB. It stores hashes with a random key, not
//! the addresses or values themselves. Buckets that are full again make room for new ones. If there is none, because so many
//! clients are using theirs, new clients share 64 additional buckets. The clients that have buckets keep them.

mod buckets;
mod layer;
mod limit;

pub use layer::{RateLimitLayer, RateLimited, RateLimiter};
pub use limit::{InvalidRateLimit, RateLimit, RateLimitKey};
