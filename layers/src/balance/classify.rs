use std::error::Error;

use http::{HeaderMap, Response, StatusCode};
use tower::BoxError;

use super::Failure;
#[cfg(feature = "client")]
use crate::pool::PoolError;
use crate::{
    any::as_is,
    body::{BodyTooLong, RequestBodyError},
    causes::find,
    response_timeout::{NoResponse, TimedOut},
};

/// Classifies the errors and responses of endpoints, so that a [`Balance`](super::Balance) knows which requests it can
/// retry and which endpoints have failed.
///
/// A balance understands the errors of [`Pool`](crate::pool::Pool), [`Http2Pool`](crate::pool::Http2Pool) and
/// [`ResponseTimeout`](crate::response_timeout::ResponseTimeout) without a classifier. For any other error, it assumes
/// the worst, and retries only idempotent requests without a body. A closure can tell it more:
///
/// ```
/// use hyper_util::{client::legacy::{Client, Error, connect::HttpConnector}, rt::TokioExecutor};
/// use pmesh_layers::{balance::{Balance, Failure}, body::RequestBody};
/// use tower::BoxError;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// # use tower::ServiceExt;
/// # use http_body_util::BodyExt;
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let up: &'static str = listener.local_addr()?.to_string().leak();
/// # tokio::spawn(async move {
/// #     use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// #     let (mut stream, _) = listener.accept().await?;
/// #     let (mut request, mut buffer) = (Vec::new(), [0; 1024]);
/// #     while !request.ends_with(b"body") {
/// #         let read = stream.read(&mut buffer).await?;
/// #         request.extend_from_slice(&buffer[..read]);
/// #     }
/// #     stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await
/// # });
/// # let down = "127.0.0.1:1";
/// let client: Client<HttpConnector, RequestBody> = Client::builder(TokioExecutor::new()).build_http();
/// // This client sends requests to the host of their URI.
/// let endpoint = |host: &'static str| {
///     let client = client.clone().map_request(move |mut request: http::Request<RequestBody>| {
///         *request.uri_mut() = format!("http://{host}{}", request.uri().path()).parse().unwrap();
///         request
///     });
///     (host, client)
/// };
/// let balance = Balance::new([endpoint(down), endpoint(up)]).classify(|error: &BoxError| {
///     match error.downcast_ref::<Error>() {
///         Some(error) if error.is_connect() => Failure::new().unsent(),
///         _ => Failure::new(),
///     }
/// });
/// // The first endpoint refuses the connection.
/// let request = http::Request::post("/").body(String::from("body"))?;
/// assert_eq!(balance.oneshot(request).await?.into_body().collect().await?.to_bytes(), "hello");
/// # Ok(())
/// # }
/// ```
///
/// Implement the trait to treat some responses as failures:
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use pmesh_layers::balance::{Classify, Failure};
///
/// /// Treats a 503 as a failure: the endpoint backs off, and the request goes to another one.
/// struct Unavailable;
///
/// impl Classify for Unavailable {
///     fn response(&self, status: StatusCode, _: &HeaderMap) -> Option<Failure> {
///         (status == StatusCode::SERVICE_UNAVAILABLE).then(|| Failure::new().unprocessed())
///     }
/// }
/// ```
///
/// If the client aborts its request body or sends one that is too long, the request is not retried and does not count
/// as a failure of the endpoint, whatever the classifier says.
///
/// With a classifier, the balance keeps a copy of each request until the response head has arrived. The copy includes
/// the body, unless more than 64 KiB of it have been read.
pub trait Classify: Send + Sync + 'static {
    /// Classifies an error. It can take the request out of the error.
    ///
    /// By default, this is [`Failure::from_error`].
    fn error(&self, error: &mut BoxError) -> Failure {
        Failure::from_error(error)
    }

    /// Classifies a response: `None` if it is not a failure. By default none is, because any response shows that the
    /// endpoint is healthy.
    ///
    /// After a failure, the request is retried under the same conditions as after an error. If it cannot be retried, the
    /// client gets the response.
    fn response(&self, status: StatusCode, headers: &HeaderMap) -> Option<Failure> {
        let _ = (status, headers);
        None
    }
}

impl<F: Fn(&BoxError) -> Failure + Send + Sync + 'static> Classify for F {
    fn error(&self, error: &mut BoxError) -> Failure {
        self(error)
    }
}

impl Failure {
    /// Classifies an error of this crate. Returns [`Failure::new`] for any other error.
    pub fn from_error(error: &mut BoxError) -> Self {
        #[cfg(feature = "client")]
        if let Some(error) = error.downcast_mut::<PoolError>() {
            return error.failure();
        }
        match error.downcast_ref::<TimedOut>() {
            Some(TimedOut::Backend) => Self::new().no_retry(),
            Some(TimedOut::Client) => Self::new().blameless().no_retry(),
            None => Self::new(),
        }
    }
}

fn is_request_body_error(error: &(dyn Error + 'static)) -> bool {
    find::<RequestBodyError>(error).is_some() || find::<BodyTooLong>(error).is_some()
}

/// Classifies the error of an attempt, and returns it as a [`BoxError`].
pub(super) fn failure_of<E>(error: E, classify: Option<&dyn Classify>) -> (Failure, BoxError)
where
    E: Into<BoxError> + 'static,
{
    let classified = |mut error| {
        let failure = match classify {
            Some(classify) => classify.error(&mut error),
            None => Failure::from_error(&mut error),
        };
        // Otherwise a client could make any endpoint count as failed.
        let failure = if is_request_body_error(&*error) { failure.blameless().no_retry() } else { failure };
        (failure, error)
    };
    match as_is(error) {
        Ok(NoResponse::Inner { error, left }) => {
            let (mut failure, error) = classified(error);
            failure.no_retry |= left.is_zero();
            failure.time_left = Some(left);
            if let Some(request) = &mut failure.request {
                request.body_mut().unwatch();
            }
            (failure, error)
        }
        Ok(NoResponse::NoTimeLeft) => (Failure::new().blameless().no_retry(), NoResponse::NoTimeLeft.into()),
        Ok(NoResponse::TimedOut(timed_out)) => {
            let mut error = timed_out.into();
            (Failure::from_error(&mut error), error)
        }
        Err(error) => classified(error.into()),
    }
}

/// Classifies a response.
#[inline]
pub(super) fn failed_response<R>(response: &Response<R>, classify: Option<&dyn Classify>) -> Option<Failure> {
    classify?.response(response.status(), response.headers())
}
