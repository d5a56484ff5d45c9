use std::{fs, path::Path};

use tempfile::TempDir;

use super::*;
use crate::{
    cli::Arguments,
    config::{Defaults, Source},
    pem::PemError,
    settings::{Origin, PemFile},
};

/// A folder with files of authorities.
struct Setup(TempDir);

impl Setup {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes a new authority to this file.
    fn write(&self, name: &str) -> PemFile {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut authority = rcgen::CertificateParams::new([]).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        self.write_text(name, &authority.self_signed(&key).unwrap().pem())
    }

    fn write_text(&self, name: &str, text: &str) -> PemFile {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        PemFile { path, origin: Origin::default() }
    }
}

/// Routes with TLS, one for each of `trusted`.
fn routes(trusted: &[Option<&PemFile>]) -> Vec<Route> {
    let arguments = Arguments::parse(["pmesh", "--route", "a.example=https://127.0.0.1:1"]).unwrap();
    let environment = [("HOME".into(), "/nonexistent".into())];
    let loaded = Source::new(arguments.flags, environment, Defaults::none()).load().unwrap();
    let route = loaded.settings.routes.into_iter().next().unwrap();
    trusted.iter().map(|ca| Route { tls: tls(*ca), ..route.clone() }).collect()
}

fn tls(ca: Option<&PemFile>) -> UpstreamTls {
    UpstreamTls { accepted: ca.cloned().map(AcceptedCertificates::Ca).unwrap_or_default(), ..UpstreamTls::default() }
}

fn load(trusted: &[Option<&PemFile>], previous: Option<&Trust>) -> Result<Trust, TrustError> {
    Trust::load(&routes(trusted), previous)
}

fn is_same(before: &Trust, after: &Trust, ca: &PemFile) -> bool {
    let [before, after] = [before, after].map(|trust| trust.authorities(&tls(Some(ca))).unwrap());
    assert_eq!(before.id == after.id, Arc::ptr_eq(&before.verifier, &after.verifier));
    before.id == after.id
}

#[test]
fn a_file_is_the_same_until_its_certificates_change() {
    let setup = Setup::new();
    let (stays, changes) = (setup.write("stays"), setup.write("changes"));
    let trusted = [Some(&stays), Some(&changes), Some(&stays)];
    let before = load(&trusted, None).unwrap();
    assert_ne!(before.id(&tls(Some(&stays))), before.id(&tls(Some(&changes))));

    let text = fs::read_to_string(&stays.path).unwrap();
    setup.write_text("stays", &format!("# The authority of the backends.\n{text}"));
    setup.write("changes");
    let after = load(&trusted, Some(&before)).unwrap();
    assert!(is_same(&before, &after, &stays));
    assert!(!is_same(&before, &after, &changes));
}

#[test]
fn authorities_keep_their_id_in_another_file_and_after_being_unused() {
    let setup = Setup::new();
    let file = setup.write("a");
    let copy = setup.write_text("copy", &fs::read_to_string(&file.path).unwrap());
    let first = load(&[Some(&file)], None).unwrap();
    let moved = load(&[Some(&copy)], Some(&first)).unwrap();
    assert_eq!(first.id(&tls(Some(&file))), moved.id(&tls(Some(&copy))));
    assert!(Arc::ptr_eq(&first.files[&file.path].verifier, &moved.files[&copy.path].verifier));
    let without = load(&[], Some(&moved)).unwrap();
    assert_eq!(load(&[Some(&file)], Some(&without)).unwrap().id(&tls(Some(&file))), first.id(&tls(Some(&file))));
}

#[test]
fn an_additional_certificate_changes_the_id() {
    let setup = Setup::new();
    let file = setup.write("a");
    let before = load(&[Some(&file)], None).unwrap();
    let (one, more) = (fs::read_to_string(&file.path).unwrap(), setup.write("more"));
    setup.write_text("a", &(one + &fs::read_to_string(&more.path).unwrap()));
    assert!(!is_same(&before, &load(&[Some(&file)], Some(&before)).unwrap(), &file));
}

#[test]
fn a_failed_load_names_the_file_and_keeps_the_previous_trust() {
    let setup = Setup::new();
    let file = setup.write("a");
    let before = load(&[Some(&file)], None).unwrap();
    let id = before.id(&tls(Some(&file)));
    let error = |path: &Path| {
        let file = PemFile { path: path.to_owned(), ..file.clone() };
        let error = load(&[Some(&file)], Some(&before)).unwrap_err();
        assert!(error.to_string().contains(&file.path.display().to_string()), "{error}");
        error
    };
    assert!(matches!(error(&setup.0.path().join("missing")), TrustError::File(PemError::Unreadable { .. })));
    for (text, is_expected) in [
        ("", (|error| matches!(error, TrustError::File(PemError::NoCertificate { .. }))) as fn(&TrustError) -> bool),
        ("-----BEGIN CERTIFICATE-----\n!\n", |error| matches!(error, TrustError::File(PemError::Damaged { .. }))),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", |error| {
            matches!(error, TrustError::BadCertificate { .. })
        }),
    ] {
        setup.write_text("a", text);
        assert!(is_expected(&error(&file.path)), "{text}");
    }
    assert_eq!(before.id(&tls(Some(&file))), id);
    assert!(before.client_config(&tls(Some(&file))).is_ok());
}

#[test]
fn files_that_no_route_names_are_not_trusted() {
    let setup = Setup::new();
    let (file, other) = (setup.write("a"), setup.write("other"));
    let trust = load(&[Some(&file)], None).unwrap();
    assert!(trust.client_config(&tls(Some(&file))).is_ok());
    for ca in [None, Some(&other)] {
        assert!(trust.client_config(&tls(ca)).is_err());
    }
}

#[test]
fn the_presented_certificate_is_part_of_the_id() {
    let setup = Setup::new();
    let file = setup.write("a");
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new([]).unwrap().self_signed(&key).unwrap();
    let cert = setup.write_text("cert", &certificate.pem());
    let key = setup.write_text("key", &key.serialize_pem());
    let presenting = |accepted: &AcceptedCertificates, cert: &PemFile| {
        let client = Some(ClientCertificate { cert: cert.clone(), key: key.clone() });
        UpstreamTls { accepted: accepted.clone(), client, ..UpstreamTls::default() }
    };
    let with = |tls: &UpstreamTls| Route { tls: tls.clone(), ..routes(&[None])[0].clone() };
    let copy = setup.write_text("copy", &format!("# A copy.\n{}", certificate.pem()));
    let by_ca = AcceptedCertificates::Ca(file.clone());
    let all =
        [tls(Some(&file)), presenting(&by_ca, &cert), presenting(&AcceptedCertificates::Any(Origin::default()), &cert)];
    let trust = Trust::load(&all.each_ref().map(with), None).unwrap();
    let ids: std::collections::HashSet<_> = all.iter().map(|tls| trust.id(tls)).collect();
    assert_eq!(ids.len(), all.len());
    assert!(trust.client_config(&all[1]).unwrap().client_auth_cert_resolver.has_certs());
    assert!(!trust.client_config(&all[0]).unwrap().client_auth_cert_resolver.has_certs());

    let moved = presenting(&by_ca, &copy);
    assert_eq!(Trust::load(&[with(&moved)], Some(&trust)).unwrap().id(&moved), trust.id(&all[1]));
    setup.write_text("key", &rcgen::KeyPair::generate().unwrap().serialize_pem());
    assert!(matches!(Trust::load(&[with(&all[1])], None), Err(TrustError::Mismatch { .. })));
    setup.write_text("cert", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let error = Trust::load(&[with(&all[1])], None).unwrap_err();
    assert!(matches!(error, TrustError::BadCertificate { .. }), "{error:?}");
}
