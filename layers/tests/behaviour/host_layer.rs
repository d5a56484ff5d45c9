//! `HostLayer`: the host that a request names, and the `Host` header that the inner service gets.

use http::{Request, Version};
use pmesh_layers::host::{HostLayer, HostName, HostRejected, HostSet};
use tower::{ServiceBuilder, ServiceExt};
use tower_test::mock::{self, Mock};

fn layer() -> HostLayer<HostSet> {
    HostLayer::new(HostSet::new(["a.example", "*.b.example", "192.0.2.1"].map(|host| host.parse().unwrap())))
}

fn request(version: Version, method: &str, target: &str, hosts: &[&str]) -> Request<()> {
    let mut request = Request::builder().version(version).method(method).uri(target);
    for host in hosts {
        request = request.header("host", *host);
    }
    request.body(()).unwrap()
}

/// The name and the `Host` that the inner service sees.
async fn admitted(request: Request<()>) -> Result<(String, String), HostRejected> {
    let service = ServiceBuilder::new().layer(layer()).service_fn(async |request: Request<()>| {
        let name = request.extensions().get::<HostName>().unwrap().to_string();
        let host = request.headers().get("host").map(|host| host.to_str().unwrap().to_owned());
        Ok::<_, tower::BoxError>((name, host.unwrap_or_default()))
    });
    service.oneshot(request).await.map_err(|error| *error.downcast().unwrap())
}

#[tokio::test]
async fn http1_requests_must_name_one_served_host() {
    use HostRejected::{NoHost, NotServed, SeveralHosts};
    for (name, method, target, hosts, expected) in [
        ("host", "GET", "/", &["a.example"][..], Ok(("a.example", "a.example"))),
        ("as written", "GET", "/", &["A.Example.:80"], Ok(("a.example", "A.Example.:80"))),
        ("no port", "GET", "/", &["a.example:"], Ok(("a.example", "a.example"))),
        ("absolute form, no port", "GET", "http://a.example:/", &["other"], Ok(("a.example", "a.example"))),
        ("below", "GET", "/", &["x.b.example"], Ok(("x.b.example", "x.b.example"))),
        ("a configured address", "GET", "/", &["192.0.2.1:80"], Ok(("192.0.2.1", "192.0.2.1:80"))),
        ("another address", "GET", "/", &["192.0.2.2"], Err(NotServed)),
        ("absolute form", "GET", "http://a.example:8080/", &["other"], Ok(("a.example", "a.example:8080"))),
        ("absolute form without host", "GET", "http://a.example/", &[], Ok(("a.example", "a.example"))),
        ("absolute form unserved", "GET", "http://other/", &["a.example"], Err(NotServed)),
        ("absolute form, two hosts", "GET", "http://a.example/", &["x", "y"], Err(SeveralHosts)),
        ("authority form", "GET", "a.example", &["a.example"], Err(NoHost)),
        ("CONNECT", "CONNECT", "a.example:443", &["other"], Ok(("a.example", "a.example:443"))),
        ("asterisk form", "OPTIONS", "*", &["a.example"], Ok(("a.example", "a.example"))),
        ("none", "GET", "/", &[], Err(NoHost)),
        ("two", "GET", "/", &["a.example", "a.example"], Err(SeveralHosts)),
    ] {
        let expected = expected.map(|(name, host): (&str, &str)| (name.to_owned(), host.to_owned()));
        assert_eq!(admitted(request(Version::HTTP_11, method, target, hosts)).await, expected, "{name}");
    }
    for host in ["", "a.example,b", "u@a.example", "a.example:0", "a example", "a.example/"] {
        let rejected = admitted(request(Version::HTTP_11, "GET", "/", &[host])).await;
        assert!(matches!(rejected, Err(HostRejected::Invalid(_))), "{host:?}: {rejected:?}");
    }
}

#[tokio::test]
async fn http2_requests_must_name_one_served_host() {
    use HostRejected::{HostDiffers, NotServed, SeveralHosts};
    for (name, target, hosts, expected) in [
        ("authority", "http://a.example/", &[][..], Ok(("a.example", "a.example"))),
        ("host agrees", "http://a.example:80/", &["A.EXAMPLE"], Ok(("a.example", "a.example:80"))),
        ("no port", "http://a.example:/", &[], Ok(("a.example", "a.example"))),
        ("no port in either", "http://a.example:/", &["a.example:"], Ok(("a.example", "a.example"))),
        ("host differs", "http://a.example/", &["x.b.example"], Err(HostDiffers)),
        ("host is malformed", "http://a.example/", &["a.example:0"], Err(HostDiffers)),
        ("host alone", "/", &["a.example"], Ok(("a.example", "a.example"))),
        ("unserved", "http://other/", &[], Err(NotServed)),
        ("two hosts", "http://a.example/", &["a.example", "a.example"], Err(SeveralHosts)),
    ] {
        let expected = expected.map(|(name, host): (&str, &str)| (name.to_owned(), host.to_owned()));
        assert_eq!(admitted(request(Version::HTTP_2, "GET", target, hosts)).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_rejected_request_does_not_reach_the_inner_service() {
    let (mut service, mut handle): (_, mock::Handle<Request<()>, ()>) =
        mock::spawn_with(|mock: Mock<_, _>| tower::Layer::layer(&layer(), mock));
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
    let rejected = service.call(request(Version::HTTP_11, "GET", "/", &["other"])).await.unwrap_err();
    assert_eq!(rejected.downcast_ref(), Some(&HostRejected::NotServed));
    drop(service);
    assert!(handle.next_request().await.is_none());
}
