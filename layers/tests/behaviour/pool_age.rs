//! The maximum age of pooled connections.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use h2::server;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use pmesh_layers::pool::{Http2Pool, Pool};
use tokio::time::sleep;
use tower::{Service, ServiceExt};

use super::support::backend::{Connector, backend, settle};

type Body = BoxBody<Bytes, Infallible>;

const MAX_AGE: Duration = Duration::from_secs(60);
/// The maximum age minus a tenth.
const MIN_AGE: Duration = Duration::from_secs(54);
const SECOND: Duration = Duration::from_secs(1);

fn get() -> Request<Body> {
    Request::get("/").header("host", "a.test").body(Empty::new().boxed()).unwrap()
}

/// Sends a request and reads the response.
async fn text<S, B>(pool: &S) -> Bytes
where
    S: Service<Request<Body>, Response = Response<B>> + Clone,
    S::Error: std::fmt::Debug,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    pool.clone().oneshot(get()).await.unwrap().into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test(start_paused = true)]
async fn http1_connections_are_replaced_under_steady_traffic() {
    let (connector, mut backend) = backend();
    let pool: Pool<Connector> = Pool::new(connector, "http://backend".parse().unwrap()).max_age(Some(MAX_AGE));
    tokio::spawn(async move {
        for number in 0.. {
            let mut connection = backend.accept().await;
            tokio::spawn(async move {
                loop {
                    connection.answer(&number.to_string()).await;
                }
            });
        }
    });
    let mut used = [0; 3];
    while used[2] == 0 {
        let answer = text(&pool).await;
        used[usize::from(answer[0] - b'0')] += 1;
        sleep(SECOND).await;
    }
    for requests in &used[..2] {
        assert!((MIN_AGE.as_secs()..=MAX_AGE.as_secs() + 1).contains(requests), "{used:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_http1_connection_is_closed_when_it_is_too_old() {
    let (connector, mut backend) = backend();
    let pool = Pool::with_limits(connector, "http://backend".parse().unwrap(), 8, Duration::MAX);
    let pool: Pool<Connector> = pool.max_age(Some(MAX_AGE));
    let request = tokio::spawn({
        let pool = pool.clone();
        async move { text(&pool).await }
    });
    let mut connection = backend.accept().await;
    connection.answer("ok").await;
    request.await.unwrap();
    sleep(MIN_AGE - SECOND).await;
    assert!(!connection.has_ended().await);
    sleep(MAX_AGE / 2).await;
    assert!(connection.has_ended().await);
}

#[tokio::test(start_paused = true)]
async fn an_old_http2_connection_gets_no_new_streams_and_closes_after_the_last() {
    let (connector, mut backend) = backend();
    let pool: Http2Pool<Connector> =
        Http2Pool::new(connector, "http://backend".parse().unwrap()).max_age(Some(MAX_AGE));

    let slow = tokio::spawn(pool.clone().oneshot(get()));
    let mut old = server::handshake(backend.accept().await.0).await.unwrap();
    let (_, mut answer) = old.accept().await.unwrap().unwrap();
    let mut rest = answer.send_response(Response::new(()), false).unwrap();
    let old = tokio::spawn(async move {
        let mut requests = 0;
        while let Some(Ok((_, mut answer))) = old.accept().await {
            answer.send_response(Response::new(()), true).unwrap();
            requests += 1;
        }
        requests
    });
    let slow = slow.await.unwrap().unwrap();
    for _ in 0..MIN_AGE.as_secs() - 1 {
        text(&pool).await;
        sleep(SECOND).await;
    }
    sleep(MAX_AGE).await;
    assert!(!old.is_finished());

    let next = tokio::spawn(pool.clone().oneshot(get()));
    let mut new = server::handshake(backend.accept().await.0).await.unwrap();
    let (_, mut answer) = new.accept().await.unwrap().unwrap();
    answer.send_response(Response::new(()), true).unwrap();
    let _new = tokio::spawn(async move { while let Some(Ok(_)) = new.accept().await {} });
    assert_eq!(next.await.unwrap().unwrap().status(), 200);

    rest.send_data("late".into(), true).unwrap();
    assert_eq!(slow.into_body().collect().await.unwrap().to_bytes(), "late");
    settle().await;
    assert!(old.is_finished());
    assert_eq!(old.await.unwrap(), MIN_AGE.as_secs() - 1);
}
