use std::{fs, path::Path};

use tempfile::TempDir;

use super::*;
use crate::{
    cli::Arguments,
    config::{Defaults, Source},
    settings::{Origin, UpstreamTls},
};

/// A folder with files of authorities.
struct Setup(TempDir);

impl Setup {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes a new authority to this file.
    fn write(&self, name: &str) -> CaFile {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut authority = rcgen::CertificateParams::new([]).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        self.write_text(name, &authority.self_signed(&key).unwrap().pem())
    }

    fn write_text(&self, name: &str, text: &str) -> CaFile {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        CaFile { path, origin: Origin::default() }
    }
}

/// One route with TLS for each.
fn routes(trusted: &[Option<&CaFile>]) -> Vec<Route> {
    let arguments = Arguments::parse(["pmesh", "--route", "a.example=https://127.0.0.1:1"]).unwrap();
    let environment = [("HOME".into(), "/nonexistent".into())];
    let loaded = Source::new(arguments.flags, environment, Defaults::none()).load().unwrap();
    let route = loaded.settings.routes.into_iter().next().unwrap();
    trusted
        .iter()
        .map(|ca| Route { tls: UpstreamTls { ca: ca.cloned(), ..UpstreamTls::default() }, ..route.clone() })
        .collect()
}

fn load(trusted: &[Option<&CaFile>], previous: Option<&Trust>) -> Result<Trust, TrustError> {
    Trust::load(&routes(trusted), previous)
}

fn is_same(before: &Trust, after: &Trust, ca: &CaFile) -> bool {
    let [before, after] = [before, after].map(|trust| trust.find(Some(ca)).unwrap());
    assert_eq!(before.id == after.id, Arc::ptr_eq(&before.verifier, &after.verifier));
    before.id == after.id
}

#[test]
fn a_file_is_the_same_until_its_certificates_change() {
    let setup = Setup::new();
    let (stays, changes) = (setup.write("stays"), setup.write("changes"));
    let trusted = [Some(&stays), Some(&changes), Some(&stays)];
    let before = load(&trusted, None).unwrap();
    assert_ne!(before.id(Some(&stays)), before.id(Some(&changes)));

    let text = fs::read_to_string(&stays.path).unwrap();
    setup.write_text("stays", &format!("# The authority of the backends.\n{text}"));
    setup.write("changes");
    let after = load(&trusted, Some(&before)).unwrap();
    assert!(is_same(&before, &after, &stays));
    assert!(!is_same(&before, &after, &changes));
}

#[test]
fn the_same_authorities_are_the_same_in_another_file_and_after_they_were_away() {
    let setup = Setup::new();
    let file = setup.write("a");
    let copy = setup.write_text("copy", &fs::read_to_string(&file.path).unwrap());
    let first = load(&[Some(&file)], None).unwrap();
    let moved = load(&[Some(&copy)], Some(&first)).unwrap();
    assert_eq!(first.id(Some(&file)), moved.id(Some(&copy)));
    assert!(Arc::ptr_eq(&first.files[&file.path].verifier, &moved.files[&copy.path].verifier));
    let without = load(&[], Some(&moved)).unwrap();
    assert_eq!(load(&[Some(&file)], Some(&without)).unwrap().id(Some(&file)), first.id(Some(&file)));
}

#[test]
fn one_more_certificate_makes_others_of_them() {
    let setup = Setup::new();
    let file = setup.write("a");
    let before = load(&[Some(&file)], None).unwrap();
    let (one, more) = (fs::read_to_string(&file.path).unwrap(), setup.write("more"));
    setup.write_text("a", &(one + &fs::read_to_string(&more.path).unwrap()));
    assert!(!is_same(&before, &load(&[Some(&file)], Some(&before)).unwrap(), &file));
}

#[test]
fn authorities_of_the_system_are_not_those_of_a_file() {
    let setup = Setup::new();
    let file = setup.write("a");
    let named = pem::certificates(&file.path, &file.origin.to_string()).unwrap();
    assert_ne!(TrustId::new(true, &named), TrustId::new(false, &named));
}

#[test]
fn a_load_that_fails_names_the_file_and_leaves_the_previous_one_as_it_is() {
    let setup = Setup::new();
    let file = setup.write("a");
    let before = load(&[Some(&file)], None).unwrap();
    let id = before.id(Some(&file));
    let error = |path: &Path| {
        let file = CaFile { path: path.to_owned(), ..file.clone() };
        let error = load(&[Some(&file)], Some(&before)).unwrap_err();
        assert!(error.to_string().contains(&file.path.display().to_string()), "{error}");
        error
    };
    assert!(matches!(error(&setup.0.path().join("missing")), TrustError::File(PemError::Unreadable { .. })));
    for (text, is_expected) in [
        ("", (|error| matches!(error, TrustError::File(PemError::NoCertificate { .. }))) as fn(&TrustError) -> bool),
        ("-----BEGIN CERTIFICATE-----\n!\n", |error| matches!(error, TrustError::File(PemError::Damaged { .. }))),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", |error| {
            matches!(error, TrustError::Unusable { .. })
        }),
    ] {
        setup.write_text("a", text);
        assert!(is_expected(&error(&file.path)), "{text}");
    }
    assert_eq!(before.id(Some(&file)), id);
    assert!(before.client_config(Some(&file)).is_ok());
}

#[test]
fn what_no_route_names_is_not_trusted() {
    let setup = Setup::new();
    let (file, other) = (setup.write("a"), setup.write("other"));
    let trust = load(&[Some(&file)], None).unwrap();
    assert!(trust.client_config(Some(&file)).is_ok());
    for ca in [None, Some(&other)] {
        assert!(trust.client_config(ca).is_err());
    }
}
