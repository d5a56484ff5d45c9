//! How certificates are kept across a reload.

use super::*;

fn config(certificates: &Certificates, name: &str) -> Option<Arc<ServerConfig>> {
    certificates.server_config(&host(name))
}

/// Whether a name has the very same configuration as before, at the same address in memory.
fn is_same(before: &Certificates, after: &Certificates, name: &str) -> bool {
    Arc::ptr_eq(&config(before, name).unwrap(), &config(after, name).unwrap())
}

#[test]
fn names_that_stay_keep_their_certificates() {
    let setup = Setup::new();
    let before = setup.certificates(&["a.example", "b.example", "*.c.example"]).unwrap();
    for name in ["a.example", "b.example", "x.c.example"] {
        config(&before, name).unwrap();
    }
    let after = setup.next_certificates(&["a.example", "*.c.example", "d.example"], &before).unwrap();
    assert!(config(&after, "b.example").is_none());
    assert!(config(&after, "d.example").is_some());
    for name in ["a.example", "x.c.example"] {
        assert!(is_same(&before, &after, name), "{name}");
    }
    // Even a certificate that is issued later, by either of the two.
    assert!(is_same(&before, &after, "y.c.example"));
}

#[test]
fn files_with_the_same_contents_are_not_parsed_again() {
    let mut setup = Setup::new();
    setup.add(&["a.example"]);
    setup.add(&["*.b.example", "127.0.0.1"]);
    let before = setup.certificates(&["a.example", "x.b.example"]).unwrap();
    // From another line of the settings, and valid for a name that was not served before.
    setup.files.reverse();
    for files in &mut setup.files {
        files.origin = "elsewhere".to_owned();
    }
    let moved = setup.folder.path().join("moved.crt");
    fs::rename(&setup.files[0].cert, &moved).unwrap();
    setup.files[0].cert = moved;
    let after = setup.next_certificates(&["a.example", "y.b.example", "127.0.0.1"], &before).unwrap();
    assert!(is_same(&before, &after, "a.example"));
    let file = config(&before, "x.b.example").unwrap();
    for name in ["y.b.example", "127.0.0.1"] {
        assert!(Arc::ptr_eq(&file, &config(&after, name).unwrap()), "{name}");
    }
    assert_eq!(after.log_renewed(&before), 0);
}

#[test]
fn doubts_are_about_the_current_names() {
    let mut setup = Setup::new();
    setup.add(&["a.example"]);
    let before = setup.certificates(&["a.example"]).unwrap();
    assert!(before.doubts().is_empty());
    let after = setup.next_certificates(&["b.example"], &before).unwrap();
    assert!(after.doubts()[0].ends_with("is not valid for any served name"), "{:?}", after.doubts());
}

#[test]
fn a_failed_build_does_not_change_the_previous_certificates() {
    let mut setup = Setup::new();
    let certificate = setup.add(&["a.example"]);
    let before = setup.certificates(&["a.example", "b.example"]).unwrap();
    let issued = config(&before, "b.example").unwrap();
    setup.write("0.key", "");
    let error = setup.next_certificates(&["a.example", "b.example"], &before).unwrap_err();
    assert!(matches!(error, CertificateError::File(PemError::NoKey { .. })), "{error}");
    assert_eq!(setup.presented(&before, "a.example"), certificate);
    assert!(Arc::ptr_eq(&issued, &config(&before, "b.example").unwrap()));
}

#[test]
fn changed_files_are_read_and_sessions_survive() {
    let mut setup = Setup::new();
    setup.add(&["a.example"]);
    let before = setup.certificates(&["a.example", "b.example"]).unwrap();
    let clients = [&TLS12, &TLS13].map(|version| Arc::new(setup.client(version)));
    let kinds = |certificates: &Certificates, name| {
        clients
            .each_ref()
            .map(|client| handshake(&config(certificates, name).unwrap(), client, name).1.handshake_kind().unwrap())
    };
    for name in ["a.example", "b.example"] {
        assert_eq!(kinds(&before, name), [HandshakeKind::Full; 2]);
    }
    let (renewed, texts) = setup.next(&["a.example"]);
    setup.write("0.crt", &texts[0]);
    setup.write("0.key", &texts[1]);
    let mut watch = CertificateWatch::new(&setup.files);
    let after = setup.next_certificates(&["a.example", "b.example"], &before).unwrap();
    assert_eq!(after.log_renewed(&before), 1);
    for name in ["a.example", "b.example"] {
        assert_eq!(kinds(&after, name), [HandshakeKind::Resumed; 2]);
    }
    assert_eq!(setup.presented(&after, "a.example"), renewed);
    assert_eq!(watch.refresh(&after, false), Refreshed { new: 0, unusable: 0 });
}

#[test]
fn a_change_during_a_reload_is_noticed_by_the_new_watch() {
    let mut setup = Setup::new();
    setup.add(&["a.example"]);
    let before = setup.certificates(&["a.example"]).unwrap();
    let mut watch = CertificateWatch::new(&setup.files);
    let after = setup.next_certificates(&["a.example"], &before).unwrap();
    let (renewed, texts) = setup.next(&["a.example"]);
    setup.write("0.crt", &texts[0]);
    setup.write("0.key", &texts[1]);
    assert_eq!(watch.refresh(&after, false), Refreshed { new: 1, unusable: 0 });
    assert_eq!(setup.presented(&after, "a.example"), renewed);
}

#[test]
fn a_new_authority_issues_for_all_generations() {
    let setup = Setup::new();
    let before = setup.certificates(&["a.example"]).unwrap();
    let first = config(&before, "a.example").unwrap();
    let after = setup.next_certificates(&["a.example"], &before).unwrap();
    setup.issuer.replace_authority(Arc::new(Authority::derive(&"2".repeat(64).parse().unwrap(), "example").unwrap()));
    assert!(!Arc::ptr_eq(&first, &config(&after, "a.example").unwrap()));
    assert!(is_same(&before, &after, "a.example"));
}

#[test]
fn certificates_of_another_issuer_are_not_reused() {
    let (one, other) = (Setup::new(), Setup::new());
    let before = one.certificates(&["a.example"]).unwrap();
    let after = other.next_certificates(&["a.example"], &before).unwrap();
    assert!(!is_same(&before, &after, "a.example"));
}
