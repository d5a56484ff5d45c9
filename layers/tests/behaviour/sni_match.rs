//! Every request on a TLS connection must be for the name of the handshake.

use http::Request;
use pmesh_layers::{
    conn::ConnInfo,
    host::HostName,
    sni::{Misdirected, SniMatchLayer},
};
use tower_test::mock;

fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

#[tokio::test]
async fn only_the_name_of_the_handshake_is_accepted() {
    let peer = ([192, 0, 2, 1], 40000).into();
    let cases = [
        ("the same", Some(ConnInfo::tls(peer, host("a.example"))), Some("A.example."), true),
        ("another", Some(ConnInfo::tls(peer, host("a.example"))), Some("b.example"), false),
        ("a subdomain", Some(ConnInfo::tls(peer, host("a.example"))), Some("x.a.example"), false),
        ("plain", Some(ConnInfo::plain(peer)), Some("a.example"), true),
        ("plain, and no HostLayer", Some(ConnInfo::plain(peer)), None, true),
    ];
    for (name, info, requested, passes) in cases {
        let (mut service, mut handle) = mock::spawn_layer::<Request<()>, (), _>(SniMatchLayer::new());
        let mut request = Request::new(());
        request.extensions_mut().extend(extensions(info, requested.map(host)));
        handle.allow(1);
        assert!(service.poll_ready().is_ready());
        let response = service.call(request);
        if passes {
            let (_, respond) = handle.next_request().await.unwrap();
            respond.send_response(());
            response.await.unwrap();
        } else {
            assert!(response.await.unwrap_err().is::<Misdirected>(), "{name}");
        }
    }
}

fn extensions(info: Option<ConnInfo>, host: Option<HostName>) -> http::Extensions {
    let mut extensions = http::Extensions::new();
    info.map(|info| extensions.insert(info));
    host.map(|host| extensions.insert(host));
    extensions
}

#[tokio::test]
async fn the_layer_is_ready_when_the_inner_service_is() {
    let (mut service, mut handle) = mock::spawn_layer::<Request<()>, (), _>(SniMatchLayer::new());
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.is_woken() && service.poll_ready().is_ready());
}
