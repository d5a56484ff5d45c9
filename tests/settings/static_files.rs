//! `files`: values, inheritance, and mistakes.

use std::path::PathBuf;

use pmesh::settings::{Answer, Files};

use crate::Start;

const ROUTE: &str = "[[routes]]\nhost = \"a.test\"\n";

fn start(text: &str) -> Start {
    Start::new().write("www/index.html", "").write("other/index.html", "").file(text)
}

/// The files of each route, and the number of its upstreams.
fn files(start: &Start) -> Vec<Option<(Files, usize)>> {
    let routes = start.loaded().settings.routes.into_iter();
    let files = routes.map(|route| match route.answer {
        Answer::Files(files, endpoints) => Some((files, endpoints.len())),
        _ => None,
    });
    files.collect()
}

#[test]
fn files_are_a_folder_or_a_table() {
    for (text, index, spa, upstreams) in [
        ("files = \"www\"", "index.html", false, 0),
        ("files = { root = \"www\" }", "index.html", false, 0),
        ("files = { root = \"[DIR]/www\", index = \"home.htm\", spa = true }", "home.htm", true, 0),
        ("files = \"./www\"\nupstream = [\"a:1\", \"b:1\"]", "index.html", false, 2),
        ("files = { root = \"www\", spa = false }\nupstream = \"a:1\"", "index.html", false, 1),
        ("upstream = false\nfiles = \"www\"", "index.html", false, 0),
    ] {
        let start = start("");
        let text = format!("{ROUTE}{}\n", start.with_folder(text));
        let start = start.write("config.toml", &text).variable("PMESH_CONFIG", "[DIR]/config.toml");
        // Relative to the folder of the file.
        let root = PathBuf::from(start.with_folder("[DIR]/www"));
        let expected = Files { root, index: index.to_owned(), spa };
        assert_eq!(files(&start), [Some((expected, upstreams))], "{text}");
    }
}

#[test]
fn a_child_replaces_the_answer_as_a_whole() {
    let start = start(
        r#"
        [[routes]]
        host = "a.test"
        files = { root = "www", index = "home.htm" }
        upstream = "a:1"
        [[routes.routes]]
        prefix = "/same"
        [[routes.routes]]
        prefix = "/other"
        files = "other"
        [[routes.routes]]
        prefix = "/api"
        upstream = "a:1"
        "#,
    );
    let found = files(&start);
    assert_eq!(found[0], found[1]);
    let other = Files { root: start.with_folder("[DIR]/other").into(), index: "index.html".to_owned(), spa: false };
    assert_eq!(found[2], Some((other, 0)));
    assert_eq!(found[3], None);
}

#[test]
fn mistakes_say_what_to_write() {
    for (keys, expected) in [
        ("files = \"none\"", "files: the folder [DIR]/none does not exist: create it, or write another one"),
        (
            "files = { root = \"none/x\" }",
            "files.root: the folder [DIR]/none/x does not exist: create it, or write another one",
        ),
        (
            "files = \"www/index.html\"",
            "files: [DIR]/www/index.html is not a folder: name the folder with the files, such as [DIR]/www",
        ),
        ("files = { index = \"a.html\" }", "files: no folder: write root = \"/srv/www\""),
        (
            "files = true",
            "files: expected a folder such as \"/srv/www\", or a table such as { root = \"/srv/www\", spa = true }, found \
             true",
        ),
        (
            "files = { root = \"www\", index = \"a/b.html\" }",
            "files.index: expected the name of a file, such as \"index.html\", found \"a/b.html\": each folder has its own \
             index: write a name without a path",
        ),
        (
            "files = { root = \"www\", index = \".html\" }",
            "files.index: expected the name of a file, such as \"index.html\", found \".html\"",
        ),
        ("files = { root = \"www\", spa = \"yes\" }", "files.spa: expected true or false, found \"yes\""),
        (
            "files = { root = \"www\", spa = true }\nupstream = \"a:1\"",
            "files.spa: with spa = true, no page would ever reach `upstream`: write a child route for the upstream, such \
             as prefix = \"/api\"",
        ),
        ("files = \"www\"\nredirect = \"/x\"", "files: a route can only have one answer: remove `redirect` or `files`"),
        (
            "prefix = \"/a\"\nstrip_prefix = true\nfiles = \"www\"\nupstream = \"mesh://berlin\"",
            "upstream: other nodes get the path as the client sent it, so `strip_prefix` cannot apply to `files` here: write one \
             route for the files and one for the node",
        ),
        (
            "file_server = \"www\"",
            "file_server: unknown key: write files = \"/srv/www\", or files = { root = \"/srv/www\", index = \"index.html\" }",
        ),
        (
            "try_files = \"/index.html\"",
            "try_files: unknown key: write files = { root = \"/srv/www\", spa = true } for a single-page application; or files \
             with `upstream`, which gets the requests for missing files",
        ),
        ("files = { path = \"www\" }", "files.path: unknown key: write root"),
        ("files = { root = \"www\", browse = true }", "files.browse: unknown key: folders are never listed"),
    ] {
        let start = start(&format!("{ROUTE}{keys}\n"));
        let error = start.error();
        let (place, message) = error.split_once(": routes[0].").unwrap_or_else(|| panic!("{error}"));
        assert!(place.starts_with("[DIR]/config.toml:"), "{place}");
        assert_eq!(message, expected, "{keys}");
    }
}

#[test]
fn checked_routes_name_their_files() {
    let routes = start(&format!("{ROUTE}files = \"www\"\nupstream = \"a:1\"\n")).loaded().settings.routes;
    let shown = routes[0].to_string();
    assert!(shown.starts_with("a.test/ -> files /") && shown.ends_with("/www, else a:1"), "{shown}");
}

#[test]
fn a_folder_with_the_secret_cannot_be_served() {
    for (home, root, is_refused) in [
        ("home", ".", true),
        ("home", "home", true),
        ("home/x", "www/../home", true),
        ("home", "www", false),
        // Never served, because of the dot.
        (".home", ".", false),
        (".home", ".home", true),
    ] {
        let start = Start::new().write("home/a", "").write(".home/a", "").write("www/a", "");
        let start = start.file(&format!("{ROUTE}files = \"{root}\"\n"));
        let home = start.with_folder(&format!("[DIR]/{home}"));
        let start = start.flags(&["--home", &home]);
        if is_refused {
            let shown = home.replace(&start.with_folder("[DIR]"), "[DIR]");
            let expected = format!("routes[0].files: clients could read {shown}, which has pmesh's secret");
            assert!(start.error().contains(&expected), "{root}");
        } else {
            start.load().unwrap();
        }
    }
}
