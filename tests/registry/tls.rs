//! A registry over TLS.

use crate::{Nats, programs::start};

#[test]
fn nodes_find_each_other_over_tls_if_the_certificate_is_trusted() {
    let Some(mut nats) = Nats::new(&[]) else { return };
    let roots = nats.require_tls().display().to_string();
    nats.restart();
    // TLS is used whenever the server requires it. With tls://, the node requires it as well.
    let a = start("a", &format!("tls://{}", nats.address)).variable("SSL_CERT_FILE", &roots).run();
    let b = start("b", &nats.url()).variable("SSL_CERT_FILE", &roots).run();
    a.wait_for_line("node b found in the registry");
    b.wait_for_line("node a found in the registry");
    nats.restart();
    for node in [&a, &b] {
        node.wait_for_line("the node registry is unavailable");
    }
    let c = start("c", &nats.url()).variable("SSL_CERT_FILE", &roots).run();
    for node in [&a, &b] {
        node.wait_for_line("node c found in the registry");
    }
    c.wait_for_line("node a found in the registry");
}

#[test]
fn a_certificate_from_an_unknown_authority_is_refused() {
    let Some(mut nats) = Nats::new(&[]) else { return };
    nats.require_tls();
    nats.restart();
    let a = start("a", &format!("tls://{}", nats.address)).run();
    let line = a.wait_for_line("the node registry is unavailable");
    assert!(line.contains("invalid peer certificate: UnknownIssuer"), "{line}");
}

#[test]
fn a_server_without_tls_is_not_used_for_a_tls_url() {
    let Some(nats) = Nats::start(&[]) else { return };
    let a = start("a", &format!("tls://{}", nats.address)).run();
    let b = start("b", &nats.url()).run();
    a.wait_for_line("the node registry is unavailable");
    b.wait_for_line("connected to the node registry");
    assert!(!a.log().iter().any(|line| line.contains("connected to the node registry")));
}
