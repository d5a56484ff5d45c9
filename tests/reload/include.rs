//! Included files that are added, changed and removed.

use std::{fs, path::PathBuf};

use crate::{
    TOP, assert_silent, eventually, fetch, generation, lines, reload, route, served, start,
    support::{Backend, Program, Start},
    try_reload,
    watch::wait_until_served,
    write,
};

fn included(program: &Program, name: &str) -> PathBuf {
    let folder = program.home().join("routes.d");
    fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

/// Writes a file under a name that no pattern matches, then renames it, so that it never appears half written.
fn put(program: &Program, name: &str, text: &str) {
    let staged = included(program, &format!(".{name}.new"));
    fs::write(&staged, text).unwrap();
    fs::rename(staged, included(program, name)).unwrap();
}

const INCLUDE: &str = "include = \"routes.d/*.toml\"\n";

#[test]
fn a_reload_reads_all_included_files_or_changes_nothing() {
    let backend = Backend::answering("ok");
    let same = format!("{INCLUDE}{}", route("main.test", backend.address));
    let program = start(&same);
    put(&program, "a.toml", &route("a.test", backend.address));
    put(&program, "b.toml", &route("b.test", backend.address));
    let report = reload(&program, &same);
    assert_eq!(report["routes"]["added"], serde_json::json!(["a.test/", "b.test/"]));
    let status = fetch(&program, "/v1/status");
    assert_eq!(status["configuration"]["file"], program.home().join("config.toml").display().to_string());
    assert_eq!(status["configuration"]["included"], 2);

    put(&program, "a.toml", &route("renamed.test", backend.address));
    put(&program, "b.toml", "# one\n[[routes]]\nhots = 1\n");
    let error = try_reload(&program).unwrap_err();
    assert!(error.contains("routes.d/b.toml:3: routes[0].hots: unknown key; did you mean `host`?"), "{error}");
    assert_eq!((served(&program, "a.test"), served(&program, "b.test")), ("ok".into(), "ok".into()));
    assert_silent(program.http(), "renamed.test");
    put(&program, "b.toml", &route("renamed.test", backend.address));
    let error = try_reload(&program).unwrap_err();
    assert!(error.contains("routes.d/b.toml:1: routes[0]: renamed.test/ has two routes"), "{error}");
    assert!(error.contains("routes.d/a.toml:1: routes[0]"), "{error}");

    fs::remove_file(included(&program, "b.toml")).unwrap();
    let report = reload(&program, &same);
    assert_eq!(report["routes"]["removed"], serde_json::json!(["a.test/", "b.test/"]));
    assert_eq!(fetch(&program, "/v1/status")["configuration"]["included"], 1);
    assert_eq!(served(&program, "renamed.test"), "ok");
    // `include` itself can change.
    let report = reload(&program, &route("main.test", backend.address));
    assert_eq!(report["settings"], serde_json::json!(["include"]));
    assert_silent(program.http(), "renamed.test");
}

#[test]
fn the_watch_notices_files_added_changed_and_removed() {
    let backend = Backend::answering("ok");
    let file = |include: &str| format!("{TOP}watch_config = true\n{include}{}", route("main.test", backend.address));
    let program = Start::new().config(&file(INCLUDE)).run();
    assert_eq!(served(&program, "main.test"), "ok");
    put(&program, "a.toml", &route("new.test", backend.address));
    wait_until_served(&program, "new.test");
    put(&program, "a.toml", &route("changed.test", backend.address));
    wait_until_served(&program, "changed.test");
    assert_silent(program.http(), "new.test");
    fs::remove_file(included(&program, "a.toml")).unwrap();
    eventually("the included file is gone", || fetch(&program, "/v1/status")["configuration"]["included"] == 0);
    assert_silent(program.http(), "changed.test");
    assert_eq!(generation(&program), 4);

    put(&program, "b.toml", "host = \"b.test\"\n");
    program.wait_for_line("routes.d/b.toml:1: host: unknown key");
    assert_eq!(served(&program, "main.test"), "ok");
    put(&program, "b.toml", &route("b.test", backend.address));
    wait_until_served(&program, "b.test");
    // The error is logged once, however often the file is checked.
    assert_eq!(lines(&program, "ERROR").len(), 1, "{:#?}", program.log());

    // Newly included files are watched from that reload on.
    fs::write(program.home().join("more.toml"), route("more.test", backend.address)).unwrap();
    write(&program, &file("include = [\"more.toml\", \"routes.d/*.toml\"]\n"));
    wait_until_served(&program, "more.test");
    fs::write(program.home().join("more.toml"), route("other.test", backend.address)).unwrap();
    wait_until_served(&program, "other.test");
    assert_eq!((served(&program, "b.test"), generation(&program)), ("ok".into(), 7));
}
