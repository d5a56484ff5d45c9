//! HTTP/1: one request at a time. Between requests, the connection sleeps without a server and a buffer.

mod asleep;

use std::pin::Pin;

use http::{Request, Response};
use http_body::Body;
use hyper::{
    rt::{Read, Write},
    server::conn::http1,
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::{BoxError, Service};

use super::{
    dispatch::Dispatch,
    drive::{Driven, ServerConnection, drive},
    state::ConnState,
    timing::Deadlines,
};
use crate::{body::RequestBody, conn::Control, silence::Gate};

pub(super) use asleep::poll_asleep;

/// Serves the requests of a connection until it ends or can sleep. Also returns the bytes that were read after the last
/// request.
pub(super) async fn serve<IO, S, B>(
    http1: &http1::Builder,
    mut gate: Gate<IO>,
    dispatch: Dispatch<S>,
    control: &Control,
    state: ConnState,
    deadlines: Deadlines,
) -> (Driven, Vec<u8>)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send + 'static>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    gate.watch();
    let mut connection = http1.serve_connection(TokioIo::new(gate), dispatch).with_upgrades();
    let driven = drive(Pin::new(&mut connection), control, state, deadlines).await;
    let unread = match driven {
        // Copied, to free the buffer that they were read into.
        Driven::Asleep => connection.into_parts().map_or_else(Vec::new, |parts| parts.read_buf.to_vec()),
        Driven::Ended(_) => Vec::new(),
    };
    (driven, unread)
}

impl<I, S, B> ServerConnection for http1::UpgradeableConnection<I, S>
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<BoxError>,
    I: Read + Write + Unpin + Send + 'static,
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
