use std::{future::Future, pin::Pin};

use http::{Response, Uri};
use hyper::rt::{Read, Write};
use tower::{BoxError, Service};

use super::PoolError;
use crate::body::ResponseBody;

/// A trait alias for the connectors of a pool, such as [`SourceConnector`](crate::connect::SourceConnector).
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

/// A response future of a pool. Boxed, because hyper's own future has no name.
pub(super) type Sending = Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, PoolError>> + Send>>;
