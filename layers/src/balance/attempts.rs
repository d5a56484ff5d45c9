use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU32, AtomicUsize, Ordering},
};

/// The names of the endpoints of a [`Balance`](super::Balance).
pub(super) type Names = Arc<[Arc<str>]>;

/// Which endpoint a request was sent to last, or has its response from, and how often it was sent.
///
/// [`Balance`](super::Balance) writes it down where it is among the extensions of a request. Clones tell the same, also
/// when nobody waits for the response any more.
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
    /// The endpoint it was sent to last, or was to be sent to; `None` if to none.
    pub fn endpoint(&self) -> Option<&str> {
        self.0.names.get()?.get(self.0.last.load(Ordering::Relaxed)).map(AsRef::as_ref)
    }

    /// How many endpoints were tried, one that was tried twice counted as two.
    pub fn count(&self) -> u32 {
        self.0.count.load(Ordering::Relaxed)
    }

    pub(super) fn note(&self, names: &Names, index: usize) {
        self.0.names.get_or_init(|| Arc::clone(names));
        self.0.last.store(index, Ordering::Relaxed);
        self.0.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Of several attempts, an earlier one has brought the response.
    pub(super) fn return_to(&self, index: usize) {
        self.0.last.store(index, Ordering::Relaxed);
    }
}
