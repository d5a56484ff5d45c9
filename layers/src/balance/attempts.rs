use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU32, AtomicUsize, Ordering},
};

/// The names of the endpoints of a [`Balance`](super::Balance).
pub(super) type Names = Arc<[Arc<str>]>;

/// The endpoint that responded or was tried last, and the number of attempts.
///
/// Add it to the extensions of a request, and [`Balance`](super::Balance) fills it in. Clones share the result, which stays
/// available even if the response future is dropped.
///
/// ```
/// use std::convert::Infallible;
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Empty;
/// use pmesh_layers::{balance::{Attempts, Balance}, body::{RequestBody, ResponseBody}};
/// use tower::{ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// let endpoint = service_fn(async |_: Request<RequestBody>| Ok::<_, Infallible>(Response::new(ResponseBody::from("hello"))));
/// let attempts = Attempts::default();
/// let mut request = Request::new(Empty::<Bytes>::new());
/// request.extensions_mut().insert(attempts.clone());
/// Balance::new([("10.0.0.1:80", endpoint)]).oneshot(request).await?;
/// assert_eq!((attempts.endpoint(), attempts.count()), (Some("10.0.0.1:80"), 1));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Attempts(Arc<State>);

#[derive(Debug, Default)]
struct State {
    names: OnceLock<Names>,
    last: AtomicUsize,
    count: AtomicU32,
}

impl Attempts {
    /// The endpoint that responded, or else the endpoint of the last attempt, even if the request could not be sent. `None`
    /// if there was no attempt.
    pub fn endpoint(&self) -> Option<&str> {
        self.0.names.get()?.get(self.0.last.load(Ordering::Relaxed)).map(AsRef::as_ref)
    }

    /// The number of attempts. An endpoint that was tried twice counts twice.
    pub fn count(&self) -> u32 {
        self.0.count.load(Ordering::Relaxed)
    }

    pub(super) fn record(&self, names: &Names, index: usize) {
        self.0.names.get_or_init(|| Arc::clone(names));
        self.0.last.store(index, Ordering::Relaxed);
        self.0.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Records that the response came from an earlier attempt.
    pub(super) fn return_to(&self, index: usize) {
        self.0.last.store(index, Ordering::Relaxed);
    }
}
