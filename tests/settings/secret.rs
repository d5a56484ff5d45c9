//! The secret: where it comes from, and that it is never shown.

use pmesh::settings::{SecretSource, explain};

use crate::Start;

const TEXT: &str = "a-very-secret-text";

#[test]
fn a_secret_is_never_shown() {
    let loaded = Start::new().variable("PMESH_SECRET", TEXT).loaded();
    match &loaded.settings.secret {
        SecretSource::Given { value, origin } => assert_eq!((value.expose(), origin.as_str()), (TEXT, "PMESH_SECRET")),
        other => panic!("{other:?}"),
    }
    let explained = explain(&loaded, None).expect("all") + &explain(&loaded, Some("secret")).expect("one");
    assert!(explained.contains("not shown"));
    assert!(!explained.contains(TEXT));
    assert!(!format!("{loaded:?}").contains(TEXT));
}

#[test]
fn the_strongest_source_is_chosen() {
    let start = Start::new();
    assert_eq!(start.loaded().settings.secret, SecretSource::Home(start.folder.join(".pmesh/secret")));

    let start = start.file("\nsecret_file = \"key\"\n");
    let origin = start.with_folder("[DIR]/config.toml:2: secret_file");
    assert_eq!(start.loaded().settings.secret, SecretSource::File { path: start.folder.join("key"), origin });

    let start = start.variable("PMESH_SECRET", TEXT);
    assert_eq!(start.loaded().settings.secret.given(), Some("PMESH_SECRET"));

    let start = start.variable("PMESH_SECRET_FILE", "/key");
    assert_eq!(start.error(), "PMESH_SECRET: the secret is set here and by PMESH_SECRET_FILE: set only one");
}
