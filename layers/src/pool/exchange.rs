use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response, StatusCode};
use hyper::{body::Incoming, client::conn::TrySendError};
use pin_project_lite::pin_project;

use super::{
    PoolError, PooledBody,
    idle::{Idle, PooledConnection},
    origin::Origin,
    response::{check, normalize},
};
use crate::body::{RequestBody, ResponseBody};

pin_project! {
    /// Waits for the response to a request that was passed to its connection. Written by hand, because an `async` block
    /// stores what it awaits twice.
    pub(super) struct Exchange<F> {
        #[pin]
        response: F,
        held: Option<(Box<PooledConnection>, Origin, Arc<Idle>)>,
    }
}

/// Passes the request to the connection at once. The future waits for the response.
pub(super) fn exchange(
    mut connection: Box<PooledConnection>,
    request: Request<RequestBody>,
    origin: Origin,
    idle: &Arc<Idle>,
) -> Exchange<impl Future<Output = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>> + Send + use<>> {
    connection.meter.begin();
    let response = connection.sender.try_send_request(request);
    Exchange { response, held: Some((connection, origin, Arc::clone(idle))) }
}

/// A response, or an error together with the origin of its request.
pub(super) type Exchanged = Result<Response<ResponseBody>, (PoolError, Origin)>;

impl<F> Future for Exchange<F>
where
    F: Future<Output = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>>,
{
    type Output = Exchanged;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let responded = ready!(this.response.poll(cx));
        let Some((mut connection, origin, idle)) = this.held.take() else { panic!("polled after completion") };
        Poll::Ready(match responded {
            Ok(mut response) => {
                connection.meter.responded();
                // This also drops the connection.
                if let Err(unreadable) = check(response.headers()) {
                    return Poll::Ready(Err((PoolError::response(unreadable), origin)));
                }
                normalize(&mut response);
                Ok(if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                    connection.detach();
                    response.map(|body| ResponseBody::pooled(PooledBody::unpooled(body)))
                } else {
                    let home = origin.home(&mut connection, &mut response, idle);
                    response.map(|body| ResponseBody::pooled(PooledBody::new(body, connection, home)))
                })
            }
            Err(mut error) => {
                let request = error.take_message();
                let error = error.into_error();
                let error = match connection.stale_since() {
                    Some(since) => {
                        idle.drop_older(since);
                        PoolError::stale(error, request)
                    }
                    None => PoolError::exchange(error, request),
                };
                Err((error, origin))
            }
        })
    }
}
