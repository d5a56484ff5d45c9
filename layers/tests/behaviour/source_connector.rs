//! `SourceConnector`: source addresses, names with several addresses, and errors.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use pmesh_layers::{
    body::ResponseBody,
    connect::{Name, Resolver, SourceConnector, SourceSubnet},
    respond::RespondLayer,
};
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpSocket};
use tower::{ServiceBuilder, ServiceExt, service_fn};

/// The source addresses of `count` connections.
async fn sources(connector: &SourceConnector, count: usize) -> Vec<IpAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut seen = Vec::new();
    for _ in 0..count {
        let (stream, accepted) = tokio::join!(connector.connect("127.0.0.1", port), listener.accept());
        let (_accepted, peer) = accepted.unwrap();
        assert_eq!(stream.unwrap().local_addr().unwrap(), peer);
        seen.push(peer.ip());
    }
    seen
}

#[tokio::test]
async fn addresses_of_the_subnet_are_used_in_turn() {
    let connector = SourceConnector::new().subnet("127.77.1.0/30".parse().unwrap());
    let seen = sources(&connector, 4).await;
    assert_ne!(seen[0], seen[1]);
    assert_eq!(seen[..2], seen[2..]);
}

#[tokio::test]
async fn clones_share_one_rotation() {
    let connector = SourceConnector::new().subnet("127.77.2.0/29".parse().unwrap());
    let subnet: SourceSubnet = "127.77.2.0/29".parse().unwrap();
    let mut seen = HashSet::new();
    for _ in 0..subnet.addresses() {
        seen.extend(sources(&connector.clone(), 1).await);
    }
    assert_eq!(seen.len(), 6);
    assert!(seen.iter().all(|source| subnet.contains(*source)), "{seen:?}");
}

#[tokio::test]
async fn every_source_address_can_connect_to_the_same_destination() {
    let connector = SourceConnector::new().subnet("127.77.3.0/24".parse().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri: Uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let mut open = Vec::new();
    for _ in 0..254 {
        let (io, accepted) = tokio::join!(connector.clone().oneshot(uri.clone()), listener.accept());
        open.push((io.unwrap(), accepted.unwrap()));
    }
    let sources: HashSet<_> = open.iter().map(|(_, (_, peer))| peer.ip()).collect();
    assert_eq!(sources.len(), 254);
}

#[tokio::test]
async fn without_a_subnet_the_kernel_chooses() {
    let elsewhere = SourceConnector::new().source_addresses(["192.0.2.1".parse().unwrap()]);
    for connector in [SourceConnector::new(), elsewhere] {
        assert_eq!(sources(&connector, 1).await, ["127.0.0.1".parse::<IpAddr>().unwrap()]);
    }
}

#[tokio::test]
async fn a_source_address_that_the_machine_does_not_have_is_an_error() {
    let connector = SourceConnector::new().source_addresses(["192.0.2.1".parse().unwrap()]);
    let error = connector.connect("192.0.2.7", 80).await.unwrap_err();
    assert!(error.to_string().starts_with("no source address to connect to 192.0.2.7:80 from: "), "{error}");
}

#[tokio::test]
async fn an_unreachable_destination_is_a_clear_error() {
    // Bound but not listening: connections are refused, and nothing else can take the port.
    let (_bound, address) = refusing();
    let refused = format!("http://{address}");
    let no_tls = "https://127.0.0.1:1/ needs TLS, which this connector does not speak";
    for (uri, expected) in [
        (refused.as_str(), "cannot connect to 127.0.0.1:"),
        ("/path", "there is no host in /path"),
        ("https://127.0.0.1:1/", no_tls),
    ] {
        let connector = SourceConnector::new().connect_timeout(Duration::from_secs(5));
        let error = connector.oneshot(uri.parse::<Uri>().unwrap()).await.unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(!error.is_timeout());
    }
}

/// A port that refuses connections. The socket keeps others from using it.
fn refusing() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A port that does not respond because its backlog is full, and the connection that fills it.
fn black_hole() -> (TcpListener, TcpStream) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    socket.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(socket.into()).unwrap();
    let first = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener, first)
}

/// A resolver that knows only one name.
fn resolver_for(name: &'static str, addresses: &[SocketAddr]) -> Resolver {
    let addresses = addresses.to_vec();
    Resolver::new(service_fn(move |requested: Name| {
        let known = (requested.as_str() == name).then(|| addresses.clone());
        std::future::ready(known.ok_or_else(|| format!("unknown name {requested}")))
    }))
}

/// Connects by name. Returns whether the connection leads to this listener.
async fn leads_to(connector: &SourceConnector, listener: &TcpListener) -> bool {
    let stream = connector.connect("name.test", 80).await.unwrap();
    stream.peer_addr().unwrap() == listener.local_addr().unwrap()
}

#[tokio::test]
async fn an_address_that_does_not_respond_is_tried_last_for_a_while() {
    let (hole, _first) = black_hole();
    let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_bound, refused) = refusing();
    let addresses = [refused, hole.local_addr().unwrap(), good.local_addr().unwrap()];
    let connector = SourceConnector::new().resolver(resolver_for("name.test", &addresses));
    let connector = connector.connect_timeout(Duration::from_secs(60));
    assert!(leads_to(&connector, &good).await);
    // It responds again, but is still tried last.
    hole.accept().await.unwrap();
    assert!(leads_to(&connector, &good).await);
    assert!(leads_to(&connector.clone(), &good).await);
    // Until the other address fails.
    let address = good.local_addr().unwrap();
    drop(good);
    let _taken = TcpSocket::new_v4().map(|socket| socket.bind(address).unwrap());
    assert!(leads_to(&connector, &hole).await);
}

#[tokio::test]
async fn the_source_is_chosen_for_each_address_of_a_name() {
    let (_bound, refused) = refusing();
    let subnet: SourceSubnet = "127.77.4.0/30".parse().unwrap();
    let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connector = SourceConnector::new()
        .subnet("127.77.4.0/30".parse().unwrap())
        .source_addresses(["192.0.2.1".parse().unwrap()])
        .resolver(resolver_for("name.test", &[refused, good.local_addr().unwrap()]));
    for _ in 0..3 {
        let stream = connector.connect("name.test", 80).await.unwrap();
        assert!(subnet.contains(stream.local_addr().unwrap().ip()));
    }
}

#[tokio::test]
async fn port_0_from_the_resolver_means_the_port_of_the_uri() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connector =
        SourceConnector::new().resolver(resolver_for("name.test", &[SocketAddr::from(([127, 0, 0, 1], 0))]));
    let uri: Uri = format!("http://name.test:{port}").parse().unwrap();
    connector.oneshot(uri).await.unwrap();
}

#[tokio::test]
async fn names_that_cannot_be_connected_to_are_errors() {
    let (hole, _first) = black_hole();
    let hole = hole.local_addr().unwrap();
    let (_bound, refused) = refusing();
    for (name, addresses, expected, is_timeout) in [
        ("other.test", vec![], "cannot resolve name.test".to_owned(), false),
        ("name.test", vec![], "name.test has no address".to_owned(), false),
        ("name.test", vec![refused], format!("cannot connect to {refused}"), false),
        ("name.test", vec![hole], format!("name.test did not accept a connection in time, at {hole}"), true),
        (
            "name.test",
            vec![refused, hole],
            format!("name.test did not accept a connection in time, at {refused}, {hole}"),
            true,
        ),
    ] {
        let connector = SourceConnector::new().resolver(resolver_for(name, &addresses));
        let connector = connector.connect_timeout(Duration::from_millis(50));
        let error = connector.connect("name.test", 80).await.unwrap_err();
        assert_eq!((error.to_string(), error.is_timeout()), (expected, is_timeout));
    }
}

#[tokio::test]
async fn a_changed_address_of_a_name_is_noticed() {
    let listeners = [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
    let address = Arc::new(Mutex::new(listeners[0].local_addr().unwrap()));
    let resolver = Resolver::new(service_fn({
        let address = Arc::clone(&address);
        move |_: Name| std::future::ready(Ok::<_, std::io::Error>([*address.lock().unwrap()]))
    }));
    let connector = SourceConnector::new().resolver(resolver);
    assert!(leads_to(&connector, &listeners[0]).await);
    *address.lock().unwrap() = listeners[1].local_addr().unwrap();
    // The result of a lookup is used for a second.
    while !leads_to(&connector, &listeners[1]).await {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_connect_timeout_under_another_client_is_504() {
    let resolver =
        Resolver::new(service_fn(async |_: Name| std::future::pending::<std::io::Result<[SocketAddr; 1]>>().await));
    let connector = SourceConnector::new().resolver(resolver);
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let service = ServiceBuilder::new()
        .layer(RespondLayer::new())
        .map_response(|response: Response<Incoming>| response.map(ResponseBody::new))
        .service(client);
    let Ok(response) = service.oneshot(Request::get("http://slow.test/").body(Empty::new()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
}
