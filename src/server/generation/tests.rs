//! Routes to services, with real instances on their addresses.

use std::{
    convert::Infallible,
    future::pending,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use ::http::{Request, Response, Version};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use pmesh_layers::{
    balance::Attempts,
    body::RequestBody,
    connect::Resolver,
    identity::{Authority, Secret},
    node::NodeIdentity,
    wait_ready::NotReady,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::Notify,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use tower::{BoxError, ServiceExt};

use super::*;
use crate::{
    admission::{Admission, Limits, spares::SpareDescriptors},
    cli::Arguments,
    config::{Defaults, Source},
    mesh::Peers,
    secret::CONTEXT,
    services::table::Slot,
    settings::{
        Answer,
        endpoint::{Endpoint, InstanceAddress, Protocol},
    },
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A builder, and the generation that it has built last.
struct Node {
    home: TempDir,
    builder: Builder,
    generation: Option<Generation>,
}

impl Node {
    fn new() -> Self {
        let limits = Limits { max: 10, per_client: 0, exempt: Vec::new() };
        let admission = Arc::new(Admission::new(limits, 1, SpareDescriptors::new(0).unwrap()));
        let secret = Secret::generate().unwrap();
        let identity = NodeIdentity::new(CONTEXT, "a".parse().unwrap(), [&secret]).unwrap();
        let issuer = Issuer::new(Arc::new(Authority::derive(&secret, CONTEXT).unwrap())).unwrap();
        let peers = Arc::new(Peers::for_workers(1, Default::default()));
        let endpoints = Endpoints::new(1, admission, Resolver::system(), identity, peers);
        Self { home: tempfile::tempdir().unwrap(), builder: Builder::new(issuer, endpoints), generation: None }
    }

    /// A node with a service, and a route to it.
    fn with_service(service: &str) -> Self {
        let mut node = Self::new();
        node.load(&format!("{}{service}", route("\"service://web\""))).unwrap();
        node
    }

    /// Reads this configuration, and builds the next generation.
    fn load(&mut self, file: &str) -> Result<(), BoxError> {
        self.load_with(file, |_| {})
    }

    /// Like [`load`](Self::load), with changes to the settings that no file can make.
    fn load_with(&mut self, file: &str, change: impl FnOnce(&mut Settings)) -> Result<(), BoxError> {
        let path = self.home.path().join("config.toml");
        std::fs::write(&path, file)?;
        let home = self.home.path().to_str().unwrap();
        let arguments = Arguments::parse(["pmesh", "--config", path.to_str().unwrap(), "--home", home])?;
        let mut settings = Source::new(arguments.flags, [], Defaults::none()).load()?.settings;
        change(&mut settings);
        let next = self.builder.build(settings, self.generation.as_ref())?;
        self.builder.forget_unused(Some(&next));
        self.generation = Some(next);
        Ok(())
    }

    fn generation(&self) -> &Generation {
        self.generation.as_ref().unwrap()
    }

    fn instances(&self) -> &Arc<crate::services::table::Instances> {
        &self.generation().services[&"web".parse().unwrap()]
    }

    fn slot(&self, index: usize) -> &Slot {
        &self.instances().slots[index]
    }

    /// Starts a process at a slot, and lets requests go there.
    async fn start(&self, index: usize, text: &'static str) -> Process {
        let process = Process::start(self.slot(index), text).await;
        self.slot(index).health.resume();
        self.instances().readiness.set_ready(true);
        process
    }

    /// Sends a request, in its own task.
    fn send(&self, method: &str, body: &'static str) -> JoinHandle<Result<String, BoxError>> {
        let request = Request::builder().method(method).uri("/").header("host", "a.test");
        let service = self.generation().routes.services(0)[0].clone();
        let request = request.body(RequestBody::new(Full::<Bytes>::from(body))).unwrap();
        tokio::spawn(async move {
            let response = timeout(PATIENCE, service.oneshot(request)).await.unwrap()?;
            let body = response.into_body().collect().await?.to_bytes();
            Ok(String::from_utf8_lossy(&body).into_owned())
        })
    }

    async fn answer(&self) -> String {
        self.send("POST", "").await.unwrap().unwrap()
    }

    fn in_use(&self, index: usize) -> usize {
        self.builder.traffic().of(&self.slot(index).instance).in_use
    }

    /// Waits until a condition holds.
    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let polled = async {
            while !holds(self) {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, polled).await.unwrap();
    }
}

fn route(upstream: &str) -> String {
    format!("[[routes]]\nhost = \"a.test\"\nupstream = {upstream}\n")
}

fn service(more: &str) -> String {
    // Other than the default, this port is rarely in use on all addresses.
    let has_own = ["port =", "listen = \"port\"", "listen = \"unix\""].iter().any(|key| more.contains(key));
    let port = if has_own { "" } else { "port = 7391\n" };
    format!("[services.web]\ncommand = \"true\"\n{port}{more}\n")
}

/// A program that listens on the address of a slot. When it is dropped, it dies at once, with all its connections.
struct Process {
    task: JoinHandle<()>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Requests so far.
    requests: AtomicU32,
    /// Whether requests wait for `go_on`.
    holds: AtomicBool,
    go_on: Notify,
    versions: Mutex<Vec<Version>>,
}

impl Process {
    async fn start(slot: &Slot, text: &'static str) -> Self {
        let state = Arc::<State>::default();
        let (of_task, is_http2) = (Arc::clone(&state), slot.instance.protocol == Protocol::H2c);
        let task = match &slot.instance.address {
            InstanceAddress::Socket(address) => {
                let listener = TcpListener::bind(address).await.unwrap();
                let accept = async move || listener.accept().await.map(|(stream, _)| stream);
                tokio::spawn(serve(accept, text, of_task, is_http2))
            }
            InstanceAddress::Unix(path) => {
                let listener = UnixListener::bind(path).unwrap();
                let accept = async move || listener.accept().await.map(|(stream, _)| stream);
                tokio::spawn(serve(accept, text, of_task, is_http2))
            }
        };
        Self { task, state }
    }

    fn requests(&self) -> u32 {
        self.state.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve<C>(accept: impl AsyncFn() -> io::Result<C>, text: &'static str, state: Arc<State>, is_http2: bool)
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut connections = JoinSet::new();
    while let Ok(stream) = accept().await {
        let state = Arc::clone(&state);
        let respond = hyper::service::service_fn(move |request: Request<Incoming>| {
            let state = Arc::clone(&state);
            async move {
                state.requests.fetch_add(1, Ordering::Relaxed);
                state.versions.lock().unwrap().push(request.version());
                if state.holds.load(Ordering::Relaxed) {
                    state.go_on.notified().await;
                }
                let _ = request.into_body().collect().await;
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text)))
            }
        });
        let stream = TokioIo::new(stream);
        if is_http2 {
            connections.spawn(
                hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(stream, respond),
            );
        } else {
            connections.spawn(hyper::server::conn::http1::Builder::new().serve_connection(stream, respond));
        }
    }
    pending::<()>().await;
}

#[tokio::test]
async fn requests_wait_until_an_instance_is_ready() {
    let node = Node::with_service(&service("wait_timeout = \"60s\""));
    let sent: Vec<_> = ["GET", "POST"].map(|method| node.send(method, "body")).into();
    node.until(|node| node.instances().readiness.waiting() == 2).await;
    assert_eq!(node.instances().readiness.wanted().await.waiting, 2);
    let process = node.start(0, "ready").await;
    for one in sent {
        assert_eq!(one.await.unwrap().unwrap(), "ready");
    }
    assert_eq!(process.requests(), 2);
    assert_eq!(node.builder.traffic().of(&node.slot(0).instance).requests, 2);
}

#[tokio::test]
async fn requests_fail_after_the_wait_timeout() {
    let node = Node::with_service(&service("wait_timeout = \"50ms\""));
    let error = node.send("GET", "").await.unwrap().unwrap_err();
    assert!(error.is::<NotReady>(), "{error}");
    assert_eq!(pmesh_layers::respond::status(&*error), 503);
}

#[tokio::test]
async fn no_request_fails_while_instances_are_replaced() {
    for listen in ["address", "port", "unix"] {
        let node = Node::with_service(&service(&format!("instances = 2\nlisten = \"{listen}\"")));
        let mut running = vec![(0, node.start(0, "old").await), (2, node.start(2, "old").await)];
        let is_done = Arc::<AtomicBool>::default();
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let (is_done, service) = (Arc::clone(&is_done), node.generation().routes.services(0)[0].clone());
                tokio::spawn(async move {
                    let mut count = 0;
                    while !is_done.load(Ordering::Relaxed) {
                        let request = Request::post("/").header("host", "a.test");
                        let request = request.body(RequestBody::new(Full::<Bytes>::from("body"))).unwrap();
                        let response = service.clone().oneshot(request).await.unwrap();
                        response.into_body().collect().await.unwrap();
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        for _ in 0..10 {
            for (index, process) in &mut running {
                // 0 and 1 are the slots of the first instance, 2 and 3 those of the second.
                let other = *index ^ 1;
                let new = node.start(other, "new").await;
                node.until(|_| new.requests() > 5).await;
                node.slot(*index).health.drain();
                // As the supervisor does, for requests that have just chosen this instance.
                sleep(Duration::from_millis(20)).await;
                node.until(|node| node.in_use(*index) == 0).await;
                *process = new;
                if let InstanceAddress::Unix(path) = &node.slot(*index).instance.address {
                    std::fs::remove_file(path).unwrap();
                }
                *index = other;
            }
        }
        is_done.store(true, Ordering::Relaxed);
        for client in clients {
            assert!(client.await.unwrap() > 0);
        }
    }
}

#[tokio::test]
async fn an_idempotent_request_survives_an_instance_that_dies_at_once() {
    let node = Node::with_service(&service(""));
    let process = node.start(0, "old").await;
    process.state.holds.store(true, Ordering::Relaxed);
    let (get, post) = (node.send("GET", ""), node.send("POST", "body"));
    node.until(|_| process.requests() == 2).await;
    drop(process);
    // Nobody knows whether the POST was processed.
    assert!(post.await.unwrap().is_err());
    // What the supervisor does, a moment later.
    node.slot(0).health.drain();
    node.instances().readiness.set_ready(false);
    let unsent = node.send("POST", "body");
    node.until(|node| node.instances().readiness.waiting() == 2).await;
    let _new = node.start(1, "new").await;
    assert_eq!(get.await.unwrap().unwrap(), "new");
    assert_eq!(unsent.await.unwrap().unwrap(), "new");
}

#[tokio::test]
async fn requests_in_flight_count_as_traffic_even_after_the_route_is_gone() {
    let mut node = Node::with_service(&service(""));
    let process = node.start(0, "text").await;
    process.state.holds.store(true, Ordering::Relaxed);
    let sent = node.send("GET", "");
    node.until(|node| node.in_use(0) == 1 && process.requests() == 1).await;
    node.slot(0).is_occupied.store(true, Ordering::Relaxed);
    node.load(&(route("\"127.0.0.1:1\"") + &service(""))).unwrap();
    assert_eq!(node.in_use(0), 1);
    process.state.go_on.notify_one();
    assert_eq!(sent.await.unwrap().unwrap(), "text");
    node.until(|node| node.in_use(0) == 0).await;
}

#[tokio::test]
async fn instances_can_speak_http2_and_listen_on_unix_sockets() {
    for (more, version) in [
        ("protocol = \"h2c\"", Version::HTTP_2),
        ("listen = \"unix\"", Version::HTTP_11),
        ("listen = \"unix\"\nprotocol = \"h2c\"", Version::HTTP_2),
        ("listen = \"port\"", Version::HTTP_11),
    ] {
        let node = Node::with_service(&service(more));
        let process = node.start(1, "hello").await;
        assert_eq!(node.answer().await, "hello", "{more}");
        assert_eq!(*process.state.versions.lock().unwrap(), [version], "{more}");
    }
}

#[tokio::test]
async fn a_service_can_share_a_route_with_other_endpoints() {
    let mut node = Node::new();
    let file = route("\"service://web\"") + &service("wait_timeout = \"60s\"");
    node.load(&file).unwrap();
    // The other endpoint has an address that is free.
    let address = match &node.slot(1).instance.address {
        InstanceAddress::Socket(address) => *address,
        InstanceAddress::Unix(path) => panic!("{}", path.display()),
    };
    let add = |settings: &mut Settings| {
        let Answer::Upstream(endpoints) = &mut settings.routes[0].answer else { panic!("no upstream") };
        endpoints.push(Endpoint::http(address));
    };
    node.load_with(&file, add).unwrap();
    let other = Process::start(node.slot(1), "other").await;
    // It answers while no instance is ready, and the service is still asked for.
    assert_eq!(node.answer().await, "other");
    node.instances().readiness.wanted().await;
    let _process = node.start(0, "instance").await;
    let mut seen = [node.answer().await, node.answer().await];
    seen.sort();
    assert_eq!(seen, ["instance", "other"]);
    drop(other);
    for _ in 0..4 {
        assert_eq!(node.send("GET", "").await.unwrap().unwrap(), "instance");
    }
}

#[tokio::test]
async fn files_fall_back_to_a_service_and_copies_go_to_one() {
    let mut node = Node::new();
    let root = node.home.path().join("files");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("index.html"), "file").unwrap();
    let file = format!("{}files = \"{}\"\n{}", route("\"service://web\""), root.display(), service(""));
    node.load(&file).unwrap();
    let process = node.start(0, "service").await;
    assert_eq!(node.answer().await, "service");
    assert_eq!(process.requests(), 1);

    let mirrored = "[[routes]]\nhost = \"a.test\"\nupstream = \"service://web\"\nmirror = \"127.0.0.1:1\"\n";
    let copies = "[services.copies]\ncommand = \"true\"\nport = 7391\n";
    let to_service = |settings: &mut Settings| {
        let mirror = settings.routes[0].middleware.mirror.as_mut().unwrap();
        mirror.upstream = Endpoint::Service("copies".parse().unwrap());
    };
    node.load_with(&format!("{mirrored}{}{copies}", service("")), to_service).unwrap();
    let slots = &node.generation().services[&"copies".parse().unwrap()];
    let copied = Process::start(&slots.slots[0], "copy").await;
    slots.slots[0].health.resume();
    slots.readiness.set_ready(true);
    assert_eq!(node.answer().await, "service");
    node.until(|_| copied.requests() == 1).await;
}

#[tokio::test]
async fn a_reload_keeps_connections_and_applies_changes() {
    let file = |more: &str| route("\"service://web\"") + &service(more);
    let mut node = Node::new();
    node.load(&file("wait_timeout = \"60s\"")).unwrap();
    let process = node.start(0, "old").await;
    node.slot(0).is_occupied.store(true, Ordering::Relaxed);
    assert_eq!(node.answer().await, "old");
    let endpoints = |node: &Node| {
        let all = node.generation().routes.endpoints();
        all.iter().map(|(connections, _)| Arc::as_ptr(connections)).collect::<Vec<_>>()
    };
    let before = endpoints(&node);
    // Different variables do not matter to routes.
    node.load(&file("wait_timeout = \"60s\"\nenv = { A = \"B\" }")).unwrap();
    assert_eq!(endpoints(&node), before);
    // A different timeout does.
    node.load(&file("wait_timeout = \"50ms\"")).unwrap();
    assert_eq!(endpoints(&node), before);
    node.slot(0).health.drain();
    node.instances().readiness.set_ready(false);
    assert!(node.send("GET", "").await.unwrap().unwrap_err().is::<NotReady>());
    node.slot(0).health.resume();
    node.instances().readiness.set_ready(true);

    // With another port, the process stays in use until it is replaced.
    node.load(&file("port = 8099")).unwrap();
    assert_eq!(node.instances().slots.len(), 3);
    assert_eq!(node.answer().await, "old");
    let _new = node.start(1, "new").await;
    node.slot(2).health.drain();
    assert_eq!(node.answer().await, "new");
    drop(process);
    node.slot(2).is_occupied.store(false, Ordering::Relaxed);
    node.load(&file("port = 8099")).unwrap();
    assert_eq!(node.instances().slots.len(), 2);
    assert_eq!(node.answer().await, "new");

    // A reload that fails changes nothing.
    let slots = node.generation().services.clone();
    let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let other = format!("[services.other]\ncommand = \"true\"\nport = {port}\n");
    assert!(node.load(&(file("port = 8100") + &other)).is_err());
    assert!(Arc::ptr_eq(&node.builder.services.snapshot()[&"web".parse().unwrap()], &slots[&"web".parse().unwrap()]));
    assert_eq!(node.answer().await, "new");
}

#[tokio::test]
async fn an_attempt_names_the_instance() {
    let node = Node::with_service(&service(""));
    let _process = node.start(0, "hello").await;
    let attempts = Attempts::default();
    let mut request = Request::get("/").header("host", "a.test").body(RequestBody::empty()).unwrap();
    request.extensions_mut().insert(attempts.clone());
    node.generation().routes.services(0)[0].clone().oneshot(request).await.unwrap();
    let endpoint = Endpoint::Instance(node.slot(0).instance.clone());
    assert_eq!(attempts.endpoint(), Some(&*endpoint.to_string()));
}
