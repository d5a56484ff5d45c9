//! Nodes with certificates from the user's own authority.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::{
    Node,
    support::{Backend, Client, Start},
    two,
};

struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Puts a certificate for the node in its home.
    fn certify(&self, node: &Node, start: Start) -> Start {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([node.name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        let files = [("ca", self.0.pem()), ("cert", certificate.pem()), ("key", key.serialize_pem())];
        files.into_iter().fold(start, |start, (name, pem)| {
            let path = start.home().join(format!("node-{name}.pem"));
            fs::write(&path, pem).unwrap();
            start.flags(&[&format!("--mesh-{name}"), path.to_str().unwrap()])
        })
    }
}

#[test]
fn certificate_files_replace_certificates_derived_from_the_secret() {
    let (backend, (a, b), ca) = (Backend::answering("hello"), two(), Ca::new());
    let c = Node::new("c");
    let _b = ca.certify(&b, b.start(&[])).route("x.test", &backend).run();
    let a = ca.certify(&a, a.start(&[&b])).flags(&["--route", "x.test=mesh://b"]).run();
    assert_eq!(Client::connect(a.http()).get("x.test", "/").text(), "hello");
    // The secret alone is not enough.
    let c = c.start(&[&b]).flags(&["--route", "x.test=mesh://b"]).run();
    assert_eq!(Client::connect(c.http()).get("x.test", "/").status, 502);
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn a_certificate_for_another_node_is_an_error_at_startup() {
    let ((a, b), ca) = (two(), Ca::new());
    let output = ca.certify(&b, a.start(&[])).output();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--mesh-cert") && said.contains("the certificate does not name the node a"), "{said}");
}
