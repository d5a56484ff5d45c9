//! Which settings can change while the program runs.

use pmesh::{
    config::{Kind, SETTINGS, Setting},
    settings::{Change, Loaded},
};

use crate::{
    Start,
    sources::{Source, holds, put, text},
};

/// The settings before and after a file with another value.
fn reloaded(setting: &'static Setting) -> (Loaded, Loaded) {
    let start = Start::new();
    let start = if holds(Source::Default, setting) {
        put(start, Source::Default, setting, &text(setting, false))
    } else {
        start
    };
    let before = start.loaded();
    (before, put(start, Source::File, setting, &text(setting, true)).loaded())
}

/// All settings that a file can set, except `include`.
fn in_file() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(|setting| holds(Source::File, setting) && setting.kind != Kind::Include)
}

#[test]
fn only_settings_that_need_a_restart_keep_their_value() {
    for setting in in_file() {
        let (before, after) = reloaded(setting);
        let (before, mut after) = (before.settings, after.settings);
        assert_ne!(before, after, "{}", setting.key);
        after.keep_from_start(&before);
        assert_eq!(before == after, setting.needs_restart, "{}", setting.key);
    }
}

#[test]
fn each_change_is_reported() {
    for setting in in_file().filter(|setting| !matches!(setting.kind, Kind::Routes | Kind::Services)) {
        let (before, after) = reloaded(setting);
        let (before, after) = (before.values(), after.values());
        let mut changes = before.changes(&after);
        // The default of secret_file depends on home.
        changes.retain(|change| setting.key != "home" || change.key != "secret_file");
        let [Change { key, needs_restart, .. }] = changes[..] else { panic!("{}: {changes:?}", setting.key) };
        assert_eq!((key, needs_restart), (setting.key, setting.needs_restart));
        assert_eq!(after.changes(&after), []);
    }
}

#[test]
fn changes_are_shown_without_passwords() {
    let start = Start::new().flags(&["--internal", "off"]).file("");
    let values = |text: &str| {
        std::fs::write(start.folder.join("config.toml"), text).expect("a file");
        start.loaded().values()
    };
    let before = values("keep_alive_timeout = \"60s\"\nmesh_registry = \"nats://u:hunter2@a\"");
    let after =
        values("keep_alive_timeout = \"1m\"\nmesh_registry = \"nats://u:hunter3@a\"\nbind = [\"::1\", \"10.0.0.1\"]");
    let changes = before.changes(&after);
    let shown: Vec<_> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "bind: 0.0.0.0 -> ::1, 10.0.0.1",
            "keep_alive_timeout: 60s -> 1m",
            "mesh_registry: nats://u:***@a:4222, with another password"
        ]
    );
    assert!(!format!("{before:?} {changes:?}").contains("hunter"));
}

#[test]
fn a_node_that_keeps_its_name_is_not_its_own_peer() {
    let start = Start::new().flags(&["--mesh-peer", "a=a:1", "--mesh-peer", "b=b:1"]);
    let start = start.file("node = \"a\"");
    let running = start.loaded().settings;
    let mut settings = start.file("node = \"b\"").loaded().settings;
    settings.keep_from_start(&running);
    assert_eq!(settings.node.as_str(), "a");
    assert!(settings.mesh.peers.is_empty(), "{:?}", settings.mesh.peers);
}

#[test]
fn a_route_that_moves_to_another_line_has_not_changed() {
    let route = "[[routes]]\nhost = \"a\"\nupstream = [\"https://a\"]\ntls.ca = \"ca.pem\"\n";
    let start = Start::new().file(route);
    let before = start.loaded().settings.routes;
    let start = start.file(&format!("# A comment.\n\n{route}"));
    assert_eq!(start.loaded().settings.routes, before);
}

#[test]
fn commands_find_the_node_if_the_rest_of_the_file_is_invalid() {
    for broken in ["nonsense", "htpp = 80", "http = \"x\"", "[[routes]]", "mesh_advertise = 1"] {
        let start = Start::new().file(&format!("home = \"h\"\nadmin = \"unix:a.sock\"\n{broken}\n"));
        assert!(start.load().is_err(), "{broken}");
        let settings = start.source().load_for_command().unwrap_or_else(|error| panic!("{broken}: {error}"));
        // A file that is not valid TOML is ignored.
        let expected = if broken == "nonsense" { "unix:[DIR]/.pmesh/admin.sock" } else { "unix:[DIR]/a.sock" };
        assert_eq!(start.without_folder(&settings.admin.to_string()), expected, "{broken}");
    }
    // Settings that are only valid together with the rest of the file are accepted.
    let start = Start::new().file("bind = \"::1\"").variable("PMESH_MESH_REGISTRY", "nats://a");
    assert!(start.load().is_ok() && start.source().load_for_command().is_ok());
    let start = Start::new().file("admin = 4");
    let error = start.without_folder(&start.source().load_for_command().unwrap_err().to_string());
    assert!(error.starts_with("[DIR]/config.toml:1: admin: expected unix, "), "{error}");
}

#[test]
fn the_file_is_read_again_each_time() {
    let start = Start::new().variable("PMESH_HTTPS", "1443").file("http = 1080");
    let source = start.source();
    assert_eq!(source.load().unwrap().settings.http.to_string(), "1080");
    let start = start.write("config.toml", "http = 1081");
    let settings = source.load().unwrap().settings;
    assert_eq!((settings.http.to_string(), settings.https.to_string()), ("1081".into(), "1443".into()));
    let start = start.write("config.toml", "http = 1081\nhttps = what\n");
    let error = start.without_folder(&source.load().unwrap_err().to_string());
    assert!(error.starts_with("[DIR]/config.toml:2: this is not valid TOML: "), "{error}");
}
