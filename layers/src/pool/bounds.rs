use std::{future::Future, pin::Pin};

use http::{Response, Uri};
use http_body::Body;
use hyper::rt::{Read, Write};
use tower::{BoxError, Service};

use super::{PoolError, PooledBody};

/// What makes the connections of a pool: any service like [`SourceConnector`](crate::connect::SourceConnector).
pub trait Connect:
    Service<Uri, Response: Read + Write + Unpin + Send + 'static, Error: Into<BoxError>, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<C> Connect for C where
    C: Service<Uri, Response: Read + Write + Unpin + Send + 'static, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// The body of a request that a pool can send.
pub trait RequestBody: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static {}

impl<B> RequestBody for B where B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static {}

/// The box of a request: hyper's own future has no name.
pub(super) type Sending<'a, B> =
    Pin<Box<dyn Future<Output = Result<Response<PooledBody<B>>, PoolError<B>>> + Send + 'a>>;
