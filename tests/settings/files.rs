//! Which configuration file is read, and what paths in it are relative to.

use std::path::PathBuf;

use pmesh::config::Defaults;

use crate::Start;

/// Looks for a file in the home folder, and in `etc` instead of `/etc/pmesh`.
fn with_search() -> Start {
    let mut start = Start::new();
    start.defaults = Defaults { system_file: Some(start.folder.join("etc/config.toml")), ..Defaults::program() };
    start
}

#[test]
fn the_first_file_that_exists_is_read() {
    let start = with_search();
    assert_eq!(start.loaded().file, None);
    assert_eq!(
        start.without_folder(&start.loaded().file_line()),
        "config    none, looked for [DIR]/.pmesh/config.toml and [DIR]/etc/config.toml"
    );

    let start = start.write("etc/config.toml", "http = 1001\nhome = \"kept\"");
    assert_eq!(start.explained("http"), ("1001".into(), "[DIR]/etc/config.toml:1".into()));
    assert_eq!(start.without_folder(&start.loaded().file_line()), "config    [DIR]/etc/config.toml");
    assert_eq!(start.loaded().settings.home, start.folder.join("etc/kept"));

    let start = start.write(".pmesh/config.toml", "http = 1002");
    assert_eq!(start.explained("http"), ("1002".into(), "[DIR]/.pmesh/config.toml:1".into()));

    let start = start.write("other/config.toml", "http = 1003").variable("PMESH_HOME", "~/other");
    assert_eq!(start.explained("http"), ("1003".into(), "[DIR]/other/config.toml:1".into()));
    assert_eq!(start.explained("config"), ("[DIR]/other/config.toml".into(), "default".into()));

    let start = start.write("named.toml", "http = 1004").flags(&["--config", "[DIR]/named.toml"]);
    assert_eq!(start.explained("http"), ("1004".into(), "[DIR]/named.toml:1".into()));
    assert_eq!(start.explained("config"), ("[DIR]/named.toml".into(), "--config".into()));
}

#[test]
fn with_the_search_off_only_a_named_file_is_read() {
    let start = Start::new().write(".pmesh/config.toml", "http = 1001").write("a.toml", "http = 1002");
    assert_eq!(start.explained("http"), ("80".into(), "default".into()));
    let start = start.flags(&["--config", "[DIR]/a.toml"]);
    assert_eq!(start.explained("http"), ("1002".into(), "[DIR]/a.toml:1".into()));
}

#[test]
fn paths_are_relative_to_the_file_or_to_the_working_directory() {
    let file = "secret_file = \"s\"\nhome = \"../h\"\n[[certificates]]\ncert = \"~/c\"\nkey = \"/k\"\n";
    let start = Start::new().write("conf/a.toml", file).flags(&["--config", "[DIR]/conf/a.toml"]);
    let settings = start.loaded().settings;
    assert_eq!(start.explained("secret_file").0, "[DIR]/conf/s");
    assert_eq!(settings.home, start.folder.join("conf/../h"));
    assert_eq!(settings.certificates[0].cert, start.folder.join("c"));
    assert_eq!(settings.certificates[0].key, PathBuf::from("/k"));

    let start = start.flags(&["--home", "h"]).variable("PMESH_SECRET_FILE", "~/s");
    assert_eq!(start.loaded().settings.home, PathBuf::from("h"));
    assert_eq!(start.explained("secret_file").0, "[DIR]/s");
}
