//! Hop-by-hop and forwarding headers: which are removed and which are replaced, for arbitrary input.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::Empty;
use pmesh_layers::{
    conn::ConnInfo,
    forwarded::{DistrustLayer, ForwardedLayer, ProxyHeaders, TrustedProxies},
    hop_by_hop::HopByHopLayer,
};
use proptest::prelude::*;
use tower::{Layer, ServiceExt, service_fn};

use super::support::client::PEER;

const HOP_BY_HOP: [&str; 7] =
    ["keep-alive", "proxy-authorization", "proxy-connection", "te", "transfer-encoding", "upgrade", "connection"];

fn field() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        "x-[abc]",
        prop::sample::select(&HOP_BY_HOP[..]).prop_map(str::to_owned),
        "x[-_]forwarded[-_](for|host|proto|port|prefix)",
        Just("forwarded".to_owned()),
        "x[-_]real[-_]ip",
        Just("host".to_owned()),
        Just("content-length".to_owned()),
    ];
    (name, "[a-z0-9]{0,3}")
}

/// A forwarding header that a proxy or its client might send, well-formed or not.
fn claim() -> impl Strategy<Value = (String, String)> {
    let name = prop::sample::select(&["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"][..]);
    let part = prop::sample::select(
        &[
            "for=",
            "For=",
            "host=",
            "proto=",
            "by=",
            ",",
            ", ",
            ";",
            "\"",
            "\"",
            "\\",
            "192.0.2.9",
            "198.51.100.1",
            "\"[2001:db8::1]:80\"",
            "2001:db8::1",
            "a.test",
            "\"a.test:1\"",
            "https",
            "_x",
            "unknown",
            "a b",
        ][..],
    );
    (name.prop_map(str::to_owned), prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat().trim().to_owned()))
}

/// The values of a parameter of `Forwarded`. Parses only the syntax that the layer writes.
fn parameters(forwarded: &str, name: &str) -> Vec<String> {
    let pairs = forwarded.split([',', ';']).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(other, _)| *other == name).map(|(_, value)| value.trim_matches('"').to_owned()).collect()
}

/// The value of a `Connection` header.
fn connection() -> impl Strategy<Value = String> {
    let token = prop_oneof!["[xX]-[aBc]", "close", "Host", "content-length", "connection", "upgrade", "[=@ ]", ""];
    prop::collection::vec(token, 0..4).prop_map(|tokens| tokens.join(" , "))
}

fn headers(fields: &[(String, String)]) -> HeaderMap {
    let parse = |(name, value): &(String, String)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    let mut headers = HeaderMap::<HeaderValue>::new();
    for (name, value) in fields.iter().map(parse) {
        headers.append(name, value);
    }
    headers
}

/// The headers that the inner service of `layer` sees.
fn seen<L>(layer: L, headers: HeaderMap, peer: ConnInfo) -> HeaderMap
where
    L: Layer<Inner>,
    L::Service: tower::Service<Request<Empty<Bytes>>, Response = Response<HeaderMap>, Error: std::fmt::Debug>,
{
    let mut request = Request::new(Empty::new());
    *request.headers_mut() = headers;
    request.extensions_mut().insert(peer);
    let inner: Inner = service_fn(|request: Request<Empty<Bytes>>| {
        std::future::ready(Ok(Response::new(request.into_parts().0.headers)))
    });
    let response = layer.layer(inner).oneshot(request);
    futures_util::FutureExt::now_or_never(response).unwrap().unwrap().into_body()
}

type Ready = std::future::Ready<Result<Response<HeaderMap>, Infallible>>;
type Inner = tower::util::ServiceFn<fn(Request<Empty<Bytes>>) -> Ready>;

proptest! {
    #[test]
    fn only_hop_by_hop_headers_are_removed(
        fields in prop::collection::vec(field(), 0..10),
        connections in prop::collection::vec(connection(), 0..3),
    ) {
        let before = headers(&fields);
        let mut sent = before.clone();
        for value in &connections {
            sent.append("connection", value.parse().unwrap());
        }
        let named = |name: &HeaderName| {
            let named = sent.get_all("connection").iter().filter_map(|value| value.to_str().ok());
            named.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case(name.as_str()))
        };
        let after = seen(HopByHopLayer::new(), sent.clone(), ConnInfo::plain(PEER.into()));
        for name in before.keys() {
            let protected = name == "host" || name == "content-length";
            let expected = protected || !(HOP_BY_HOP.contains(&name.as_str()) || named(name));
            // An upgrade is rewritten and kept.
            let upgrade = (name == "upgrade" || name == "connection") && after.contains_key("upgrade");
            prop_assert!(after.contains_key(name) == expected || upgrade, "{} in {:?}", name, after);
            if expected {
                prop_assert!(after.get_all(name).iter().eq(before.get_all(name)), "{}", name);
            }
        }
    }

    #[test]
    fn forwarded_and_x_forwarded_headers_agree(
        claims in prop::collection::vec(claim(), 0..5),
        in_forwarded in any::<bool>(),
        trusted in any::<bool>(),
    ) {
        let proxies = TrustedProxies::new(trusted.then(|| "192.0.2.0/24".parse().unwrap()));
        let proxies = proxies.headers(if in_forwarded { ProxyHeaders::Forwarded } else { ProxyHeaders::XForwarded });
        let layers = tower::ServiceBuilder::new()
            .layer(DistrustLayer::new(proxies.clone()))
            .layer(ForwardedLayer::new(proxies))
            .into_inner();
        let host = ("host".to_owned(), "own.test".to_owned());
        let after = seen(layers, headers(&[&claims[..], &[host]].concat()), ConnInfo::plain(PEER.into()));

        let one = |name: &str| {
            let lines: Vec<_> = after.get_all(name).iter().map(|line| line.to_str().unwrap()).collect();
            assert_eq!(lines.len(), 1, "{name} in {after:?}");
            lines[0]
        };
        let forwarded = one("forwarded");
        let nodes = parameters(forwarded, "for");
        // Only `Forwarded` puts IPv6 addresses in brackets.
        let nodes: Vec<_> = nodes.iter().map(|node| node.trim_matches(['[', ']'])).collect();
        prop_assert_eq!(nodes.join(", "), one("x-forwarded-for"));
        prop_assert_eq!(parameters(forwarded, "host"), [one("x-forwarded-host")]);
        prop_assert_eq!(parameters(forwarded, "proto"), [one("x-forwarded-proto")]);
        prop_assert!(!one("x-forwarded-for").contains(['"', '=', ';', '[']), "{}", forwarded);
    }

    #[test]
    fn a_client_cannot_hide_what_its_proxy_appends(
        claims in prop::collection::vec(claim(), 0..4),
        on_new_line in any::<bool>(),
        element in prop::sample::select(&[
            "for=198.51.100.7;host=b.test;proto=https",
            "proto=https; ext=\"a,\\\\\\\"\";for=\"198.51.100.7:1\" ;host=\"b.test\"",
        ][..]),
    ) {
        let proxies = TrustedProxies::new(["192.0.2.0/24".parse().unwrap()]).headers(ProxyHeaders::Forwarded);
        let lines: Vec<_> = claims.into_iter().map(|(_, value)| value).collect();
        let lines = match lines.split_last() {
            Some((last, others)) if !on_new_line => [others, &[format!("{last}, {element}")]].concat(),
            _ => [&lines[..], &[element.to_owned()]].concat(),
        };
        let lines: Vec<_> = lines.into_iter().map(|line| ("forwarded".to_owned(), line)).collect();
        let after = seen(ForwardedLayer::new(proxies), headers(&lines), ConnInfo::plain(PEER.into()));
        let chain = after["x-forwarded-for"].to_str().unwrap();
        prop_assert!(chain.ends_with("198.51.100.7, 192.0.2.1"), "{}", chain);
        prop_assert_eq!(&after["x-forwarded-host"], "b.test");
        prop_assert_eq!(&after["x-forwarded-proto"], "https");
    }

    #[test]
    fn headers_of_untrusted_clients_are_not_forwarded(fields in prop::collection::vec(field(), 0..10), trusted in any::<bool>()) {
        let proxies = TrustedProxies::new(trusted.then(|| "192.0.2.0/24".parse().unwrap()));
        let layers = tower::ServiceBuilder::new()
            .layer(DistrustLayer::new(proxies.clone()))
            .layer(ForwardedLayer::new(proxies))
            .into_inner();
        let before = headers(&fields);
        let after = seen(layers, before.clone(), ConnInfo::plain(PEER.into()));

        prop_assert!(after.keys().all(|name| !name.as_str().contains("_")), "{:?}", after);
        let client = after["x-forwarded-for"].to_str().unwrap();
        prop_assert!(client.ends_with("192.0.2.1"), "{}", client);
        if !trusted {
            prop_assert_eq!(client, "192.0.2.1");
            prop_assert_eq!(&after["x-forwarded-proto"], "http");
            prop_assert_eq!(&after["x-real-ip"], "192.0.2.1");
            prop_assert_eq!(&after["x-forwarded-port"], "80");
            prop_assert!(!after.contains_key("x-forwarded-prefix"));
            prop_assert_eq!(after.get("x-forwarded-host"), before.get("host"));
        }
    }
}
