use std::{fs, os::unix::net::UnixListener, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use futures_util::{FutureExt, future::BoxFuture};
use tokio::task::JoinHandle;
use tower::ServiceExt;

use super::*;
use crate::{
    admission::{Admission, Limits, spares::SpareDescriptors},
    explain::{Explanation, Question},
    mesh::{CountersReport, HealthReport, NodeReport, PeersReport, RegistryReport},
    settings::Admin,
};

struct Fake;

impl Node for Fake {
    fn status(&self) -> StatusReport {
        StatusReport {
            node: NodeReport {
                name: "berlin".to_owned(),
                instance: "0".to_owned(),
                version: "0".to_owned(),
                uptime: 1,
                time: 2,
                serves: Vec::new(),
                listeners: Vec::new(),
            },
            configuration: None,
            health: HealthReport { serving: true },
            registry: RegistryReport { servers: None, connected: false, since: None, error: None, unbelieved: 0 },
            jwt_keys: Vec::new(),
            counters: CountersReport {
                connections: 0,
                requests: 0,
                silent: [].into(),
                limited: [].into(),
                mirrored: [].into(),
            },
            peers: PeersReport { peers: Vec::new() },
        }
    }

    fn routes(&self) -> RoutesReport {
        RoutesReport { routes: Vec::new() }
    }

    fn upstreams(&self) -> UpstreamsReport {
        UpstreamsReport { endpoints: Vec::new() }
    }

    fn explain(&self, _: Question) -> BoxFuture<'static, Result<Explanation, String>> {
        async { Err("no listener".to_owned()) }.boxed()
    }

    fn reload(&self) -> BoxFuture<'static, Result<ReloadReport, String>> {
        async { Ok(ReloadReport { generation: 2, ..ReloadReport::default() }) }.boxed()
    }

    fn reload_secret(&self) -> BoxFuture<'static, Result<SecretReport, String>> {
        async { Err("no secret".to_owned()) }.boxed()
    }
}

/// Serves until the returned task is aborted.
fn start(admin: &Admin) -> JoinHandle<std::io::Result<()>> {
    let limits = Limits { max: 1, per_client: 1, exempt: Vec::new() };
    let admission = Admission::new(limits, 1, SpareDescriptors::new(0).unwrap());
    tokio::spawn(serve(Socket::bind(admin).unwrap().unwrap(), Arc::new(Fake), Arc::new(admission)))
}

#[tokio::test]
async fn a_client_gets_the_reports_of_the_node() {
    let home = tempfile::tempdir().unwrap();
    let admin = Admin::Unix(home.path().join("admin.sock"));
    let served = start(&admin);
    let client = Client::new(&admin);
    assert_eq!(client.get::<StatusReport>("/v1/status").await.unwrap(), Fake.status());
    assert_eq!(client.get::<PeersReport>("/v1/peers").await.unwrap(), Fake.status().peers);
    assert_eq!(client.get::<RoutesReport>("/v1/routes").await.unwrap(), Fake.routes());
    assert_eq!(client.get::<UpstreamsReport>("/v1/upstreams").await.unwrap(), Fake.upstreams());
    assert_eq!(client.post::<ReloadReport>("/v1/reload").await.unwrap().generation, 2);
    let error = client.post::<SecretReport>("/v1/secret/reload").await.unwrap_err();
    assert!(matches!(&error, ClientError::Failed(text) if text == "no secret"), "{error:?}");
    let error = client.post_json::<Explanation>("/v1/explain", &Question::default()).await.unwrap_err();
    assert!(matches!(&error, ClientError::Failed(text) if text == "no listener"), "{error:?}");
    let error = client.post_json::<Explanation>("/v1/explain", &7).await.unwrap_err();
    assert!(matches!(&error, ClientError::Failed(text) if text.contains("Question")), "{error:?}");
    let error = client.get::<ReloadReport>("/v1/reload").await.unwrap_err();
    assert!(matches!(error, ClientError::Status(StatusCode::METHOD_NOT_ALLOWED)), "{error:?}");
    let error = client.get::<StatusReport>("/v1/routes").await.unwrap_err();
    assert!(matches!(error, ClientError::Content(_)), "{error:?}");

    served.abort();
    assert!(served.await.unwrap_err().is_cancelled());
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    let error = client.get::<StatusReport>("/v1/status").await.unwrap_err();
    assert!(matches!(error, ClientError::Connect(_)), "{error:?}");
}

#[tokio::test]
async fn a_connection_closed_before_the_response_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("admin.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let accepted = std::thread::spawn(move || drop(listener.accept()));
    let error = Client::new(&Admin::Unix(path)).get::<StatusReport>("/v1/status").await.unwrap_err();
    assert!(matches!(error, ClientError::Incomplete(_)), "{error:?}");
    accepted.join().unwrap();
}

async fn status(router: &Router, headers: &[(&str, &str)]) -> StatusCode {
    let request =
        headers.iter().fold(Request::post("/v1/reload"), |request, (name, value)| request.header(*name, *value));
    router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status()
}

#[tokio::test]
async fn a_web_page_cannot_use_the_api_over_tcp() {
    let router = router_for_tcp(Arc::new(Fake));
    for host in ["127.0.0.1:9901", "localhost:9901", "[::1]:9901", "[::ffff:127.0.0.1]", "localhost"] {
        assert_eq!(status(&router, &[("host", host)]).await, StatusCode::OK, "{host}");
        let from_page = status(&router, &[("host", host), ("origin", "http://example.com")]).await;
        assert_eq!(from_page, StatusCode::FORBIDDEN);
    }
    for host in ["example.com:9901", "localhost.example.com", "10.0.0.1:9901", "", "a b"] {
        assert_eq!(status(&router, &[("host", host)]).await, StatusCode::FORBIDDEN, "{host}");
    }
    assert_eq!(status(&router, &[]).await, StatusCode::FORBIDDEN);
}
