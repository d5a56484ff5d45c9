//! Which certificate a client of `https` gets.

use std::sync::Arc;

use rustls::RootCertStore;

use crate::support::{Backend, Start, files, tls::Tls};

#[test]
fn nodes_with_the_same_secret_are_trusted_alike() {
    const SECRET: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let backend = Backend::answering("ok");
    let node = || {
        let start = Start::new().route("a.test", &backend).route("*.b.test", &backend);
        std::fs::write(start.home().join("secret"), SECRET).unwrap();
        std::fs::set_permissions(start.home().join("secret"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        start.run()
    };
    let [one, other] = [node(), node()];
    let stranger = Start::new().route("a.test", &backend).run();
    let tls = Tls::of(&one);
    for (name, host) in [("a.test", "a.test"), ("x.b.test", "x.b.test"), ("y.x.b.test", "y.x.b.test")] {
        assert_eq!(tls.get(other.https(), name, host).status, 200, "{name}");
    }
    assert!(tls.connect(stranger.https(), "a.test").is_err());
    assert_eq!(Tls::of(&stranger).get(stranger.https(), "a.test", "a.test").status, 200);
}

#[test]
fn a_certificate_from_files_is_used_for_the_names_it_covers() {
    let backend = Backend::answering("ok");
    let start = Start::new().route("a.test", &backend).route("b.test", &backend);
    let certificate = files::certificate(start.home(), "a.test");
    let [cert, key] = ["cert.pem", "key.pem"].map(|file| start.home().join(file).to_str().unwrap().to_owned());
    let program = start.flags(&["--cert", &cert, "--key", &key]).run();

    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let by_files = Tls { roots: Arc::new(roots), ..Tls::stranger() };
    let by_authority = Tls::of(&program);
    assert_eq!(by_files.get(program.https(), "a.test", "a.test").status, 200);
    assert_eq!(by_authority.get(program.https(), "b.test", "b.test").status, 200);
    assert!(by_files.connect(program.https(), "b.test").is_err());
    assert!(by_authority.connect(program.https(), "a.test").is_err());
}
