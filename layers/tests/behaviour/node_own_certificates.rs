//! Nodes whose certificates come from a separate authority instead of the one derived from the secret.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use pmesh_layers::{
    identity::IdentityError,
    node::{NodeAcceptor, NodeCertificates, NodeIdentity, NodeRejected},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::support::node::{DEADLINE, Network, identity, name, secret, with_causes};

use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};

struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, names: &[&str], usages: &[ExtendedKeyUsagePurpose]) -> NodeCertificates {
        self.issue_until(names, usages, SystemTime::now() + Duration::from_secs(3600))
    }

    fn issue_until(
        &self,
        names: &[&str],
        usages: &[ExtendedKeyUsagePurpose],
        not_after: SystemTime,
    ) -> NodeCertificates {
        let names: Vec<_> = names.iter().copied().map(String::from).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = usages.to_vec();
        params.not_after = not_after.into();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        NodeCertificates::new(vec![self.0.der().clone()], vec![certificate.into()], key.into())
    }

    fn node(&self, node: &str, digit: char) -> NodeIdentity {
        let certificates = self.issue(&[node, &format!("{node}.example")], &[ClientAuth, ServerAuth]);
        NodeIdentity::with_certificates("example", name(node), [&secret(digit)], certificates).unwrap()
    }
}

#[tokio::test]
async fn nodes_need_the_authority_and_the_secret() {
    let network = Network::default();
    let ca = Ca::new("ours");
    let (a, b) = (ca.node("a", '1'), ca.node("b", '1'));
    for (from, to, requested) in [(&a, &b, "b"), (&b, &a, "a")] {
        let (_, _, peer) = network.connect(from, to, requested).await.unwrap();
        assert_eq!(&peer, from.name());
    }
    assert!(network.connect(&ca.node("a", '2'), &b, "b").await.unwrap_err().is_silence());
    for other in [Ca::new("theirs").node("b", '1'), identity("b", "1")] {
        let error = with_causes(network.connect(&a, &other, "b").await.unwrap_err());
        assert!(error.contains("UnknownIssuer"), "{error}");
    }
    // A certificate without usage limits is accepted.
    let unlimited = ca.issue(&["b"], &[]);
    let b = NodeIdentity::with_certificates("example", name("b"), [&secret('1')], unlimited).unwrap();
    network.connect(&a, &b, "b").await.unwrap();
}

#[tokio::test]
async fn certificates_that_peers_would_reject_are_rejected_early() {
    let ca = Ca::new("ours");
    let both = &[ClientAuth, ServerAuth];
    let new = |certificates| NodeIdentity::with_certificates("example", name("b"), [&secret('1')], certificates);
    let (mut foreign, mut empty, mut other_key) =
        (Ca::new("theirs").issue(&["b"], both), ca.issue(&["b"], both), ca.issue(&["b"], both));
    foreign.roots = ca.issue(&["b"], both).roots;
    empty.chain.clear();
    other_key.key = KeyPair::generate().unwrap().into();
    let expired = ca.issue_until(&["b"], both, SystemTime::now() - Duration::from_secs(60));
    let named =
        "the certificate does not name the node b; issue one with the DNS name b and no other name without a dot";
    let cases: [(&str, Result<_, IdentityError>, &str); 9] = [
        ("another node", new(ca.issue(&["c"], both)), named),
        ("two nodes", new(ca.issue(&["b", "c"], both)), named),
        ("a host", new(ca.issue(&["b.example"], both)), named),
        ("a server", new(ca.issue(&["b"], &[ServerAuth])), "for clientAuth"),
        ("a client", new(ca.issue(&["b"], &[ClientAuth])), "for serverAuth"),
        ("expired", new(expired), "expired"),
        ("of another authority", new(foreign), "UnknownIssuer"),
        ("none", new(empty), "there is no certificate for this node"),
        ("with another key", new(other_key), "certificate and key cannot be used for TLS"),
    ];
    for (case, made, expected) in cases {
        let error = with_causes(made.unwrap_err());
        assert!(error.contains(expected), "{case}: {error}");
    }
}

#[tokio::test]
async fn a_certificate_that_does_not_name_a_single_node_is_rejected() {
    let ca = Ca::new("ours");
    let b = NodeAcceptor::new(ca.node("b", '1'));
    for names in [&["web.example"][..], &["a", "c"], &["*.example"]] {
        let NodeCertificates { roots, chain, key, .. } = ca.issue(names, &[ClientAuth]);
        let mut trusted = rustls::RootCertStore::empty();
        trusted.add(roots[0].clone()).unwrap();
        let config = rustls::ClientConfig::builder().with_root_certificates(trusted);
        let config = config.with_client_auth_cert(chain, key).unwrap();
        let proof = identity("a", "1").proof(&name("b"), SystemTime::now()).unwrap();
        let (near, far) = tokio::io::duplex(64 * 1024);
        let connector = TlsConnector::from(Arc::new(config));
        let connector = connector.with_alpn(vec![proof, b"h2".to_vec()]);
        let (accepted, _near) =
            tokio::join!(b.accept(far, DEADLINE), connector.connect(ServerName::try_from("b").unwrap(), near));
        let rejected = accepted.err().unwrap();
        assert!(matches!(rejected.reason, NodeRejected::NoName), "{names:?}: {:?}", rejected.reason);
    }
}

#[tokio::test]
async fn secrets_and_certificates_can_be_replaced_separately() {
    let network = Network::default();
    let ca = Ca::new("ours");
    let (a, b) = (ca.node("a", '1'), ca.node("b", '1'));
    assert!(
        !b.renew(SystemTime::now() + Duration::from_secs(1_000_000)).unwrap(),
        "certificates from files are not renewed here"
    );

    a.replace([&secret('2')]).unwrap();
    b.replace([&secret('2')]).unwrap();
    let (client, _, _) = network.connect(&a, &b, "b").await.unwrap();
    let before = client.get_ref().1.peer_certificates().unwrap()[0].clone();

    let new = ca.issue(&["b"], &[ClientAuth, ServerAuth]);
    let expected = new.chain[0].clone();
    assert!(b.replace_certificates(ca.issue(&["c"], &[ClientAuth, ServerAuth])).is_err());
    b.replace_certificates(new).unwrap();
    let (client, _, _) = network.connect(&a, &b, "b").await.unwrap();
    assert_ne!(before, expected);
    assert_eq!(client.get_ref().1.peer_certificates().unwrap()[0], expected);
}
