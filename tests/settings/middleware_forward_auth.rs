//! `forward_auth`: values, inheritance, and mistakes.

use std::time::Duration;

use pmesh::settings::{AcceptedCertificates, ForwardAuth};

use crate::Start;

const ROUTE: &str = "[[routes]]\nhost = \"a.test\"\nupstream = \"a:1\"\n";

fn read(file: &str) -> Vec<Option<ForwardAuth>> {
    Start::new().file(file).loaded().settings.routes.into_iter().map(|route| route.middleware.forward_auth).collect()
}

#[test]
fn keys_merge_with_those_of_the_parent() {
    let all = read(
        r#"
        [defaults]
        forward_auth = { url = "http://127.0.0.1:9091/verify", copy_headers = ["Remote-User", "remote-groups"] }
        [[routes]]
        host = "a.test"
        upstream = "a:1"
        [[routes.routes]]
        prefix = "/more"
        forward_auth = { copy_headers = "x-forwarded-user", timeout = "1m" }
        [[routes.routes]]
        prefix = "/other"
        forward_auth = { url = "https://Auth.test", copy_headers = false, tls = { skip_verify = true } }
        [[routes.routes]]
        prefix = "/off"
        forward_auth = false
        "#,
    );
    let [Some(plain), Some(more), Some(other), None] = &all[..] else { panic!("{all:?}") };
    assert_eq!(
        (plain.server.to_string(), plain.url.to_string()),
        ("127.0.0.1:9091".into(), "http://127.0.0.1:9091/verify".into())
    );
    assert_eq!(plain.copy_headers, ["remote-user", "remote-groups"]);
    assert_eq!(plain.timeout, Duration::from_secs(10));
    assert_eq!(
        *more,
        ForwardAuth {
            copy_headers: vec!["x-forwarded-user".parse().unwrap()],
            timeout: Duration::from_secs(60),
            ..plain.clone()
        }
    );
    assert_eq!(other.server.to_string(), "https://auth.test:443");
    assert_eq!(other.url.path_and_query().unwrap(), "/");
    assert!(other.copy_headers.is_empty());
    assert!(matches!(other.tls.accepted, AcceptedCertificates::Any(_)));
}

#[test]
fn servers_are_named_by_their_url() {
    for (url, server, asked) in [
        ("http://127.0.0.1:9091", "127.0.0.1:9091", "http://127.0.0.1:9091/"),
        ("http://127.0.0.1:9091?a=b", "127.0.0.1:9091", "http://127.0.0.1:9091/?a=b"),
        ("http://auth/verify?rd=https://login.test/", "auth:80", "http://auth/verify?rd=https://login.test/"),
        ("https://auth.test:8443/verify", "https://auth.test:8443", "http://auth.test:8443/verify"),
        ("h2c://[::1]:9000/verify", "h2c://[::1]:9000", "http://[::1]:9000/verify"),
        ("unix:/run/auth.sock:/verify", "unix:/run/auth.sock", "http://localhost/verify"),
        ("http://unix:/run/auth.sock:/verify?a", "unix:/run/auth.sock", "http://localhost/verify?a"),
        ("unix:/run/auth.sock", "unix:/run/auth.sock", "http://localhost/"),
    ] {
        let auth = read(&format!("{ROUTE}forward_auth = {{ url = \"{url}\" }}\n")).remove(0).unwrap();
        assert_eq!((auth.server.to_string(), auth.url.to_string()), (server.into(), asked.into()), "{url}");
    }
}

#[test]
fn mistakes_say_what_to_write() {
    const URL: &str = "expected a URL such as http://127.0.0.1:9091/verify, found";
    const NAME: &str = "expected the name of a header, such as remote-user, found";

    for (value, expected) in [
        (
            "true",
            "forward_auth: expected a table such as { url = \"http://127.0.0.1:9091/verify\" }, found true".to_owned(),
        ),
        ("\"http://a/verify\"", "forward_auth: write forward_auth = { url = \"http://a/verify\" }".to_owned()),
        ("{}", "forward_auth: no url: write { url = \"http://127.0.0.1:9091/verify\" }".to_owned()),
        (
            "{ copy_headers = [\"a\"] }",
            "forward_auth: no url: write { url = \"http://127.0.0.1:9091/verify\" }".to_owned(),
        ),
    ] {
        let file = format!("{ROUTE}forward_auth = {value}\n");
        assert_eq!(Start::new().file(&file).error(), format!("[DIR]/config.toml:4: routes[0].{expected}"), "{value}");
    }
    for (url, expected) in [
        ("127.0.0.1:9091/verify", "the scheme is missing: write \"http://127.0.0.1:9091/verify\""),
        (
            "http://u:p@a/verify",
            "it cannot have a user or password; the server gets the client's Authorization header: write http://a/verify",
        ),
        ("http://a/verify#b", "a server never gets the part after the #: remove it"),
        ("ftp://a/verify", "the scheme must be http, https, h2c, h2, mesh, service or unix"),
        ("mesh://berlin-1/verify", "a node cannot be the authentication server: write the address of the server"),
        ("http:///verify", "the host is empty"),
        ("http://a:0/verify", "the port is not a number from 1 to 65535"),
        ("http://::1/verify", "an IPv6 address needs brackets: write http://[::1]:80"),
        ("unix:run/auth.sock:/verify", "the path of a socket must start with a slash: write unix:/run/auth.sock"),
        (
            "http://a/verify?rd={uri}",
            "uri cannot be part of it; the server gets the original URL in X-Original-URL, and its parts in \
             X-Forwarded-Proto, -Host and -Uri",
        ),
    ] {
        let file = format!("{ROUTE}forward_auth = {{ url = \"{url}\" }}\n");
        let shown = url.replace(":p@", ":***@");
        let expected = format!("[DIR]/config.toml:4: routes[0].forward_auth.url: {URL} {shown:?}: {expected}");
        assert_eq!(Start::new().file(&file).error(), expected, "{url}");
    }
    for (name, expected) in [
        ("host", ": it cannot be copied: use host_header"),
        ("Content-Length", ": it cannot be copied: it describes the body of the answer"),
        ("Transfer-Encoding", ": it cannot be copied: it belongs to the connection"),
        ("X-Forwarded-For", ": it cannot be copied: pmesh sets it itself"),
        ("x-forwarded-uri", ": it cannot be copied: pmesh sets it itself"),
        ("x-pmesh-node", ": it cannot be copied: pmesh sets it itself"),
        ("set-cookie", ": it cannot be copied: the client gets it anyway"),
        ("X-Auth-*", ": name each header"),
        ("X-Auth-User>Remote-User", ": headers cannot be renamed: write \"x-auth-user\""),
        ("remote-user, remote-groups", ": for several headers, write [\"remote-user\", \"remote-groups\"]"),
        ("", ""),
    ] {
        let file = format!("{ROUTE}forward_auth = {{ url = \"http://a\", copy_headers = [\"a\", \"{name}\"] }}\n");
        let expected =
            format!("[DIR]/config.toml:4: routes[0].forward_auth.copy_headers[1]: {NAME} {name:?}{expected}");
        assert_eq!(Start::new().file(&file).error(), expected, "{name}");
    }
}

#[test]
fn keys_of_other_programs_get_advice() {
    for (keys, expected) in [
        (
            "auth_request = \"/auth\"",
            "auth_request: unknown key: write forward_auth = { url = \"http://127.0.0.1:9091/verify\", copy_headers = [\"remote-user\"] }",
        ),
        ("forward_auth = { address = \"http://a\" }", "forward_auth.address: unknown key: write url"),
        (
            "forward_auth = { url = \"http://a\", authResponseHeaders = [\"a\"] }",
            "forward_auth.authResponseHeaders: unknown key: write copy_headers",
        ),
        (
            "forward_auth = { url = \"http://a\", trustForwardHeader = true }",
            "forward_auth.trustForwardHeader: unknown key: the server gets the same forwarding headers as the upstream; list \
             proxies in front of pmesh in trusted_proxies, above the first [table]",
        ),
        (
            "forward_auth = { url = \"http://a\", authRequestHeaders = [\"a\"] }",
            "forward_auth.authRequestHeaders: unknown key: the server gets all headers of the client, except those about its \
             connection and its body",
        ),
        (
            "forward_auth = { url = \"http://a\", tls = { ca = \"ca.pem\" } }",
            "forward_auth.tls: `tls` needs a server with TLS, but this url does not begin with https://",
        ),
        (
            "forward_auth = { url = \"http://a\", timeout = 5 }",
            "forward_auth.timeout: expected a duration over 0 and up to a year, such as 10s or 1m 30s, found 5: add a unit, as in 5s or 5ms",
        ),
    ] {
        let file = format!("{ROUTE}{keys}\n");
        assert_eq!(Start::new().file(&file).error(), format!("[DIR]/config.toml:4: routes[0].{expected}"), "{keys}");
    }
}
