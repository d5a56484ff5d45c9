use std::{
    fs,
    io::{Read, Write},
    ops::ControlFlow,
    os::unix::net::UnixListener,
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use futures_util::{FutureExt, future::BoxFuture};
use tokio::{
    sync::{broadcast, mpsc},
    task::JoinHandle,
};
use tower::ServiceExt;

use super::*;
use crate::{
    admission::{Admission, Limits, spares::SpareDescriptors},
    explain::{Explanation, Question},
    mesh::{CountersReport, HealthReport, NodeReport, PeersReport, RegistryReport},
    services::report::{OutputLine, ServiceReport, ServiceState, ServicesReport},
    settings::Admin,
};

#[derive(Default)]
struct Fake {
    /// Where the lines of its services come from.
    output: Option<broadcast::Sender<OutputLine>>,
}

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
            services: self.services().by_state(),
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

    fn services(&self) -> ServicesReport {
        ServicesReport { services: vec![service("web")] }
    }

    fn act_on_service(&self, name: String, action: ServiceAction) -> BoxFuture<'static, Result<ServiceReport, String>> {
        async move {
            let service = ServiceReport { command: action.name().to_owned(), ..service(&name) };
            if name == "a/b" { Err("no such service".to_owned()) } else { Ok(service) }
        }
        .boxed()
    }

    fn service_output(
        &self,
        service: Option<&str>,
        count: usize,
    ) -> Result<(Vec<OutputLine>, broadcast::Receiver<OutputLine>), String> {
        let sender = self.output.as_ref().filter(|_| service != Some("none")).ok_or("there is no service none")?;
        let last = [line("web", 1, "first"), line("web", 2, "second"), line("web", 1, "third")];
        Ok((last[last.len().saturating_sub(count)..].to_vec(), sender.subscribe()))
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

fn service(name: &str) -> ServiceReport {
    ServiceReport {
        name: name.to_owned(),
        command: "true".to_owned(),
        state: ServiceState::Ready,
        waiting_requests: 0,
        failed_rollout: None,
        instances: Vec::new(),
    }
}

fn line(service: &str, instance: u16, text: &str) -> OutputLine {
    OutputLine { time_ms: 1, service: service.to_owned(), instance, is_stderr: false, text: text.to_owned() }
}

/// Serves until the returned task is aborted.
fn start(admin: &Admin) -> JoinHandle<std::io::Result<()>> {
    start_node(admin, Fake::default())
}

fn start_node(admin: &Admin, node: Fake) -> JoinHandle<std::io::Result<()>> {
    let limits = Limits { max: 1, per_client: 1, exempt: Vec::new() };
    let admission = Admission::new(limits, 1, SpareDescriptors::new(0).unwrap());
    tokio::spawn(serve(Socket::bind(admin).unwrap().unwrap(), Arc::new(node), Arc::new(admission)))
}

#[tokio::test]
async fn a_client_gets_the_reports_of_the_node() {
    let home = tempfile::tempdir().unwrap();
    let admin = Admin::Unix(home.path().join("admin.sock"));
    let served = start(&admin);
    let client = Client::new(&admin);
    assert_eq!(client.get::<StatusReport>("/v1/status").await.unwrap(), Fake::default().status());
    assert_eq!(client.get::<PeersReport>("/v1/peers").await.unwrap(), Fake::default().status().peers);
    assert_eq!(client.get::<RoutesReport>("/v1/routes").await.unwrap(), Fake::default().routes());
    assert_eq!(client.get::<UpstreamsReport>("/v1/upstreams").await.unwrap(), Fake::default().upstreams());
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
async fn services_are_reported_and_controlled() {
    let home = tempfile::tempdir().unwrap();
    let admin = Admin::Unix(home.path().join("admin.sock"));
    let _served = start(&admin);
    let client = Client::new(&admin);
    assert_eq!(client.get::<ServicesReport>("/v1/services").await.unwrap(), Fake::default().services());
    let status = client.get::<StatusReport>("/v1/status").await.unwrap();
    assert_eq!(status.services, [(ServiceState::Ready, vec!["web".to_owned()])].into());
    for action in ServiceAction::ALL {
        let path = format!("/v1/services/web/{}", action.name());
        assert_eq!(client.post_patiently::<ServiceReport>(&path).await.unwrap().command, action.name());
    }
    let error = client.post_patiently::<ServiceReport>("/v1/services/a%2Fb/stop").await.unwrap_err();
    assert!(matches!(&error, ClientError::Failed(text) if text == "no such service"), "{error:?}");
    let error = client.post_patiently::<ServiceReport>("/v1/services/web/explode").await.unwrap_err();
    assert!(matches!(error, ClientError::Status(StatusCode::NOT_FOUND)), "{error:?}");
    let error = client.get::<ServiceReport>("/v1/services/web/stop").await.unwrap_err();
    assert!(matches!(error, ClientError::Status(StatusCode::METHOD_NOT_ALLOWED)), "{error:?}");
}

/// The lines that the client gets for this query, until there are no more.
async fn output(admin: &Admin, query: &str) -> Result<Vec<OutputItem>, ClientError> {
    let mut items = Vec::new();
    let take = |item| {
        items.push(item);
        ControlFlow::Continue(())
    };
    Client::new(admin).stream(&format!("/v1/services/output{query}"), take).await?;
    Ok(items)
}

#[tokio::test]
async fn the_last_lines_of_services_are_sent() {
    let home = tempfile::tempdir().unwrap();
    let admin = Admin::Unix(home.path().join("admin.sock"));
    let sender = broadcast::channel(1).0;
    let _served = start_node(&admin, Fake { output: Some(sender.clone()) });
    let all = [line("web", 1, "first"), line("web", 2, "second"), line("web", 1, "third")].map(OutputItem::Line);
    assert_eq!(output(&admin, "").await.unwrap(), all);
    assert_eq!(output(&admin, "?service=web&lines=2").await.unwrap(), all[1..]);
    assert_eq!(output(&admin, "?service=web&instance=1&lines=1").await.unwrap(), all[2..]);
    assert_eq!(output(&admin, "?lines=0").await.unwrap(), []);
    for wrong in ["?service=none", "?lines=many"] {
        assert!(matches!(output(&admin, wrong).await, Err(ClientError::Failed(_))), "{wrong}");
    }
    assert_eq!(sender.receiver_count(), 0);
}

#[tokio::test]
async fn further_lines_are_sent_as_they_come_and_lost_ones_are_counted() {
    let home = tempfile::tempdir().unwrap();
    let admin = Admin::Unix(home.path().join("admin.sock"));
    let sender = broadcast::channel(2).0;
    let _served = start_node(&admin, Fake { output: Some(sender.clone()) });
    let (seen, mut received) = mpsc::unbounded_channel();
    let follow = tokio::spawn(async move {
        let take = |item: OutputItem| {
            seen.send(item).unwrap();
            ControlFlow::Continue(())
        };
        Client::new(&admin).stream("/v1/services/output?service=web&lines=1&follow=true", take).await
    });
    assert_eq!(received.recv().await.unwrap(), OutputItem::Line(line("web", 1, "third")));
    sender.send(line("other", 1, "of another service")).unwrap();
    sender.send(line("web", 1, "fourth")).unwrap();
    assert_eq!(received.recv().await.unwrap(), OutputItem::Line(line("web", 1, "fourth")));
    // All at once: nothing else runs on this thread in between.
    for text in ["lost", "lost", "lost", "fifth", "sixth"] {
        sender.send(line("web", 1, text)).unwrap();
    }
    assert_eq!(received.recv().await.unwrap(), OutputItem::Skipped { skipped_lines: 3 });
    assert_eq!(received.recv().await.unwrap(), OutputItem::Line(line("web", 1, "fifth")));
    assert_eq!(received.recv().await.unwrap(), OutputItem::Line(line("web", 1, "sixth")));
    // The node forgets a client that disconnects.
    follow.abort();
    while sender.receiver_count() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_lines_and_breaks_with_the_node() {
    let home = tempfile::tempdir().unwrap();
    let admin = Admin::Unix(home.path().join("admin.sock"));
    let sender = broadcast::channel(1).0;
    let node = Fake { output: Some(sender) };
    let router = router(Arc::new(node));
    let request = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request("/v1/services/output?follow=true&lines=0")).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let body = tokio::spawn(axum::body::to_bytes(response.into_body(), 1024));
    // The last sender.
    drop(router);
    assert_eq!(body.await.unwrap().unwrap(), "");

    let path = home.path().join("cut.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let cut = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        client.read_exact(&mut [0; 16]).unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    });
    drop(admin);
    let error = output(&Admin::Unix(path), "").await.unwrap_err();
    assert!(matches!(error, ClientError::Incomplete(_)), "{error:?}");
    cut.join().unwrap();
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
    let router = router_for_tcp(Arc::new(Fake::default()));
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
