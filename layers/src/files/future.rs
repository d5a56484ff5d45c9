use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::task::JoinHandle;
use tower::{BoxError, Service};

use super::error::FilesError;
use crate::body::ResponseBody;

/// The response, or `None` if there is no such file.
pub(super) type Answer = io::Result<Option<Response<ResponseBody>>>;

pin_project! {
    /// The response future of [`Files`](super::Files).
    pub struct ResponseFuture<S: Service<Request<B>>, B> {
        #[pin]
        state: State<S::Future>,
        // Taken if there is no file.
        fallback: Option<(S, Request<B>)>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Answered { answer: Option<Answer> },
        Reading { reading: Reading },
        Fallback { #[pin] future: F },
    }
}

/// Cancelled on drop, unless it has begun.
struct Reading(JoinHandle<Answer>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<S: Service<Request<B>>, B> ResponseFuture<S, B> {
    pub(super) fn answered(answer: Answer, fallback: S, request: Request<B>) -> Self {
        Self { state: State::Answered { answer: Some(answer) }, fallback: Some((fallback, request)) }
    }

    pub(super) fn reading(reading: JoinHandle<Answer>, fallback: S, request: Request<B>) -> Self {
        Self { state: State::Reading { reading: Reading(reading) }, fallback: Some((fallback, request)) }
    }

    pub(super) fn fallback(mut fallback: S, request: Request<B>) -> Self {
        Self { state: State::Fallback { future: fallback.call(request) }, fallback: None }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>, Error: Into<BoxError>>,
    R: Body<Data = bytes::Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Output = Result<Response<ResponseBody>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let answer = match this.state.as_mut().project() {
                StateProj::Fallback { future } => {
                    let response = ready!(future.poll(cx)).map_err(Into::into)?;
                    return Poll::Ready(Ok(response.map(ResponseBody::new)));
                }
                StateProj::Answered { answer } => answer.take(),
                StateProj::Reading { reading } => {
                    Some(ready!(Pin::new(&mut reading.0).poll(cx)).unwrap_or_else(|error| Err(io::Error::other(error))))
                }
            };
            match answer {
                Some(Ok(Some(response))) => return Poll::Ready(Ok(response)),
                Some(Ok(None)) => {
                    let Some((mut fallback, request)) = this.fallback.take() else { panic!("polled after completion") };
                    this.state.set(State::Fallback { future: fallback.call(request) });
                }
                Some(Err(error)) => return Poll::Ready(Err(FilesError::from(error).into())),
                None => panic!("polled after completion"),
            }
        }
    }
}

impl<S: Service<Request<B>>, B> fmt::Debug for ResponseFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
