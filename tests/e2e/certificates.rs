//! Which certificate a client gets on `https`.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
};

use nix::sys::signal::Signal;
use rustls::{RootCertStore, pki_types::CertificateDer};

use crate::support::{Backend, Program, Start, files, tls::Tls};

/// A client that trusts only one certificate.
fn trusting(certificate: CertificateDer<'static>) -> Tls {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    Tls { roots: Arc::new(roots), ..Tls::stranger() }
}

#[test]
fn nodes_with_the_same_secret_have_the_same_authority() {
    const SECRET: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let backend = Backend::answering("ok");
    let node = || {
        let start = Start::new().route("a.test", &backend).route("*.b.test", &backend);
        fs::write(start.home().join("secret"), SECRET).unwrap();
        fs::set_permissions(start.home().join("secret"), Permissions::from_mode(0o600)).unwrap();
        start.run()
    };
    let [one, other] = [node(), node()];
    let stranger = Start::new().route("a.test", &backend).run();
    let tls = Tls::trusting(&one);
    for (name, host) in [("a.test", "a.test"), ("x.b.test", "x.b.test"), ("y.x.b.test", "y.x.b.test")] {
        assert_eq!(tls.get(other.https(), name, host).status, 200, "{name}");
    }
    assert!(tls.connect(stranger.https(), "a.test").is_err());
    assert_eq!(Tls::trusting(&stranger).get(stranger.https(), "a.test", "a.test").status, 200);
}

#[test]
fn a_certificate_from_files_is_used_for_the_names_it_covers() {
    let backend = Backend::answering("ok");
    let start = Start::new().route("a.test", &backend).route("b.test", &backend);
    let certificate = files::certificate(start.home(), "a.test");
    let [cert, key] = ["cert.pem", "key.pem"].map(|file| start.home().join(file).to_str().unwrap().to_owned());
    let program = start.flags(&["--cert", &cert, "--key", &key]).run();

    let trusts_files = trusting(certificate);
    let trusts_authority = Tls::trusting(&program);
    assert_eq!(trusts_files.get(program.https(), "a.test", "a.test").status, 200);
    assert_eq!(trusts_authority.get(program.https(), "b.test", "b.test").status, 200);
    assert!(trusts_files.connect(program.https(), "b.test").is_err());
    assert!(trusts_authority.connect(program.https(), "a.test").is_err());
}

/// Serves `a.test` and `b.test`, each with files in a folder of its name. Returns a client for each.
fn start(backend: &Backend) -> (Program, [Tls; 2]) {
    let start = Start::new().route("a.test", backend).route("b.test", backend);
    let home = start.home().to_owned();
    let clients = ["a.test", "b.test"].map(|name| {
        fs::create_dir(home.join(name)).unwrap();
        trusting(files::certificate(&home.join(name), name))
    });
    let config = ["a.test", "b.test"].map(|name| {
        let folder = home.join(name);
        format!("[[certificates]]\ncert = \"{0}/cert.pem\"\nkey = \"{0}/key.pem\"\n", folder.display())
    });
    (start.config(&config.concat()).run(), clients)
}

/// Replaces the files of `name` atomically. Returns a client that trusts the new certificate.
fn renew(home: &Path, name: &str) -> Tls {
    let staged = tempfile::tempdir_in(home).unwrap();
    let client = trusting(files::certificate(staged.path(), name));
    for file in ["cert.pem", "key.pem"] {
        fs::rename(staged.path().join(file), home.join(name).join(file)).unwrap();
    }
    client
}

#[test]
fn changed_files_are_loaded_and_open_connections_continue() {
    let backend = Backend::answering("ok");
    let (program, [before, _]) = start(&backend);
    let mut open = before.connect(program.https(), "a.test").unwrap();
    assert_eq!(open.get("a.test", "/").status, 200);

    let after = renew(program.home(), "a.test");
    let line = program.wait_for_line("now using the new certificate");
    assert!(
        line.contains("INFO") && line.contains("/a.test/cert.pem") && line.contains("valid until 4096-01-01"),
        "{line}"
    );
    assert_eq!(after.get(program.https(), "a.test", "a.test").status, 200);
    assert!(before.connect(program.https(), "a.test").is_err());
    assert_eq!(open.get("a.test", "/").status, 200);
}

#[test]
fn unusable_files_are_reported_once_and_change_nothing() {
    let backend = Backend::answering("ok");
    let (program, [first, _]) = start(&backend);
    let stray = program.home().join("stray.pem");
    files::stray_key(&stray);
    fs::rename(stray, program.home().join("a.test/key.pem")).unwrap();
    let warning = "stays in use";
    let line = program.wait_for_line(warning);
    assert!(line.contains("WARN") && line.contains("/a.test/key.pem does not match"), "{line}");
    // The next check finds a new pair for `b.test`, and does not repeat the warning.
    let second = renew(program.home(), "b.test");
    program.wait_for_line("now using the new certificate");
    assert_eq!(second.get(program.https(), "b.test", "b.test").status, 200);
    assert_eq!(first.get(program.https(), "a.test", "a.test").status, 200);
    let is_warning = |line: &&String| line.contains(warning) && line.contains("/a.test/");
    assert_eq!(program.log().iter().filter(is_warning).count(), 1);
}

#[test]
fn sighup_checks_the_files_at_once() {
    let backend = Backend::answering("ok");
    let (program, _) = start(&backend);
    let after = renew(program.home(), "a.test");
    program.signal(Signal::SIGHUP);
    let line = program.wait_for_line("SIGHUP");
    assert!(line.contains("INFO") && line.contains("reading the configuration"), "{line}");
    program.wait_for_line("now using the new certificate");
    assert_eq!(after.get(program.https(), "a.test", "a.test").status, 200);
    program.signal(Signal::SIGUSR1);
    program.wait_for_line("SIGUSR1 and SIGUSR2 are ignored");
}
