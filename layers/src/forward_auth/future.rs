use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header::SET_COOKIE};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::{BoxError, Service};

use super::{
    settings::Settings,
    verdict::{NoVerdict, cookies, drain},
};
use crate::{
    body::{RequestBody, ResponseBody},
    call::Call,
};

pin_project! {
    /// The response future of [`ForwardAuth`](super::ForwardAuth).
    pub struct ForwardAuthFuture<S: Service<Request<RequestBody>>, A: Service<Request<RequestBody>>> {
        #[pin]
        state: State<S, A>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S: Service<Request<RequestBody>>, A: Service<Request<RequestBody>>> {
        Asking {
            #[pin]
            verdict: Call<A, Request<RequestBody>>,
            waiting: Option<(S, Request<RequestBody>, Arc<Settings>)>,
        },
        Admitted {
            #[pin]
            response: S::Future,
            cookies: Vec<HeaderValue>,
        },
    }
}

impl<S: Service<Request<RequestBody>>, A: Service<Request<RequestBody>>> ForwardAuthFuture<S, A> {
    /// Passes `request` to `inner` if the server admits it.
    pub(super) fn asking(
        verdict: Call<A, Request<RequestBody>>,
        inner: S,
        request: Request<RequestBody>,
        settings: Arc<Settings>,
    ) -> Self {
        Self { state: State::Asking { verdict, waiting: Some((inner, request, settings)) } }
    }
}

impl<S, A, R, V> Future for ForwardAuthFuture<S, A>
where
    S: Service<Request<RequestBody>, Response = Response<R>, Error: Into<BoxError>>,
    A: Service<Request<RequestBody>, Response = Response<V>, Error: Into<BoxError>>,
    R: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    V: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Output = Result<Response<ResponseBody>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let (verdict, waiting) = match self.as_mut().project().state.project() {
                StateProj::Asking { verdict, waiting } => (ready!(verdict.poll(cx)).map_err(Into::into)?, waiting),
                StateProj::Admitted { response, cookies } => {
                    let mut response = ready!(response.poll(cx)).map_err(Into::into)?;
                    response.headers_mut().extend(cookies.drain(..).map(|cookie| (SET_COOKIE, cookie)));
                    return Poll::Ready(Ok(response.map(ResponseBody::new)));
                }
            };
            let Some((mut inner, mut request, settings)) = waiting.take() else { panic!("polled after completion") };
            let verdict = verdict.map(ResponseBody::new);
            if verdict.status().is_informational() {
                return Poll::Ready(Err(NoVerdict(verdict.status()).into()));
            }
            if !verdict.status().is_success() {
                return Poll::Ready(Ok(rejection(verdict, request.method())));
            }
            let (verdict, rest) = verdict.into_parts();
            drain(rest);
            settings.copied.copy(&verdict.headers, &mut request);
            let cookies = cookies(&verdict.headers);
            let response = inner.call(request);
            self.as_mut().project().state.set(State::Admitted { response, cookies });
        }
    }
}

/// The server's answer as the response to a request with this method. The server itself got a GET.
fn rejection(verdict: Response<ResponseBody>, method: &Method) -> Response<ResponseBody> {
    if *method != Method::HEAD {
        return verdict;
    }
    verdict.map(|body| {
        drain(body);
        ResponseBody::empty()
    })
}

impl<S: Service<Request<RequestBody>>, A: Service<Request<RequestBody>>> fmt::Debug for ForwardAuthFuture<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardAuthFuture").finish_non_exhaustive()
    }
}
