//! Several services in turn, each only when it is ready.

use pmesh_layers::balance::{Balance, Unsent};
use tower::{BoxError, Service, ServiceExt, util::MapErr};
use tower_test::{assert_request_eq, mock};

/// An error that keeps its request.
#[derive(Debug, thiserror::Error)]
#[error("failed")]
struct Failed;

impl Unsent<&'static str> for Failed {
    fn take_request(&mut self) -> Option<&'static str> {
        None
    }
}

type Mock = mock::Mock<&'static str, &'static str>;

fn failing(mock: Mock) -> MapErr<Mock, fn(BoxError) -> Failed> {
    mock.map_err(|_| Failed)
}

#[tokio::test]
async fn a_request_waits_until_its_service_is_ready() {
    let (one, mut first): (Mock, _) = mock::pair();
    let (two, mut second): (Mock, _) = mock::pair();
    first.allow(0);
    second.allow(0);
    let mut balance = Balance::new([failing(one), failing(two)]);
    // Which service must be ready is known with the request only.
    std::future::poll_fn(|cx| balance.poll_ready(cx)).await.unwrap();
    let mut held = task(balance.call("a"));
    let mut next = task(balance.call("b"));
    assert!(held.poll_once().is_none() && next.poll_once().is_none());

    second.allow(1);
    assert!(held.poll_once().is_none() && next.poll_once().is_none());
    assert_request_eq!(second, "b").send_response("from the second");
    assert_eq!(next.poll_once().unwrap().unwrap(), "from the second");

    first.allow(1);
    assert!(held.poll_once().is_none());
    assert_request_eq!(first, "a").send_response("from the first");
    assert_eq!(held.poll_once().unwrap().unwrap(), "from the first");
}

#[tokio::test]
async fn clones_take_turns_together() {
    let (one, mut first): (Mock, _) = mock::pair();
    let (two, mut second): (Mock, _) = mock::pair();
    let balance = Balance::new([failing(one), failing(two)]);
    for turn in 0..4 {
        let response = tokio::spawn(balance.clone().oneshot("request"));
        let handle = if turn % 2 == 0 { &mut first } else { &mut second };
        assert_request_eq!(handle, "request").send_response("response");
        assert_eq!(response.await.unwrap().unwrap(), "response");
    }
}

#[tokio::test]
async fn a_request_that_was_sent_is_not_sent_again() {
    let (one, mut first): (Mock, _) = mock::pair();
    let (two, mut second): (Mock, _) = mock::pair();
    let response = tokio::spawn(Balance::new([failing(one), failing(two)]).oneshot("request"));
    assert_request_eq!(first, "request").send_error("broke off");
    assert!(response.await.unwrap().unwrap_err().is::<Failed>());
    assert!(second.next_request().await.is_none());
}

struct Task<F>(std::pin::Pin<Box<F>>);

fn task<F: Future>(future: F) -> Task<F> {
    Task(Box::pin(future))
}

impl<F: Future> Task<F> {
    fn poll_once(&mut self) -> Option<F::Output> {
        futures_util::FutureExt::now_or_never(self.0.as_mut())
    }
}
