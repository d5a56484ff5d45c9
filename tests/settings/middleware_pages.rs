//! `error_pages` and `maintenance`: values, inheritance, and mistakes.

use std::path::PathBuf;

use pmesh::settings::Route;

use crate::Start;

const ROUTE: &str = "[[routes]]\nhost = \"a.test\"\nupstream = \"a:1\"\n";

fn statuses(route: &Route) -> Vec<u16> {
    route.middleware.error_pages.keys().map(|status| status.as_u16()).collect()
}

#[test]
fn pages_merge_by_status() {
    let start =
        Start::new().write("down.html", "down").write("pages/404.html", "none").write("other.html", "other").file(
            r#"
        [defaults]
        error_pages = { 502 = "down.html", 503 = "down.html" }
        [[routes]]
        host = "a.test"
        upstream = "a:1"
        error_pages = { 404 = "pages/404.html" }
        [[routes.routes]]
        prefix = "/child"
        error_pages = { 502 = "other.html", 503 = false }
        [[routes.routes]]
        prefix = "/off"
        error_pages = false
        "#,
        );
    let routes = start.loaded().settings.routes;
    assert_eq!(statuses(&routes[0]), [404, 502, 503]);
    assert_eq!(statuses(&routes[1]), [404, 502]);
    assert!(routes[2].middleware.is_empty());
    let page = |route: usize, at: usize| routes[route].middleware.error_pages.values().nth(at).expect("a page");
    assert_eq!(page(0, 1), page(0, 2));
    assert_ne!(page(0, 1), page(1, 1));
}

#[test]
fn a_changed_page_is_a_changed_route() {
    let start =
        Start::new().write("down.html", "down").file(&format!("{ROUTE}error_pages = {{ 502 = \"down.html\" }}\n"));
    let before = start.loaded().settings.routes;
    assert_eq!(before, start.loaded().settings.routes);
    let start = start.write("down.html", "still down");
    assert_ne!(before, start.loaded().settings.routes);
}

#[test]
fn the_file_for_maintenance_need_not_exist() {
    let file = "[defaults]\nmaintenance = \"down.html\"\n[[routes]]\nhost = \"a.test\"\nupstream = \"a:1\"\n\
                [[routes.routes]]\nprefix = \"/status\"\nmaintenance = false\n\
                [[routes.routes]]\nprefix = \"/other\"\nmaintenance = \"/run/pmesh/down.html\"\n";
    let start = Start::new().file(file);
    let routes = start.loaded().settings.routes;
    let paths: Vec<_> = routes.iter().map(|route| route.middleware.maintenance.clone()).collect();
    let beside = PathBuf::from(start.with_folder("[DIR]/down.html"));
    assert_eq!(paths, [Some(beside), None, Some("/run/pmesh/down.html".into())]);
}

#[test]
fn mistakes_say_what_to_write() {
    for (keys, expected) in [
        (
            "error_pages = { 502 = \"none.html\" }",
            "error_pages.502: cannot use [DIR]/none.html as a page: No such file or directory (os error 2)",
        ),
        ("error_pages = { 502 = \"folder\" }", "error_pages.502: cannot use [DIR]/folder as a page: not a file"),
        ("error_pages = { 200 = \"a.html\" }", "error_pages.200: expected a status from 400 to 599, found \"200\""),
        ("error_pages = { 0502 = \"a.html\" }", "error_pages.0502: expected a status from 400 to 599, found \"0502\""),
        (
            "error_pages = { 5xx = \"a.html\" }",
            "error_pages.5xx: expected a status from 400 to 599, found \"5xx\": name each status, such as 500 and 503",
        ),
        (
            "error_pages = \"a.html\"",
            "error_pages: expected a table such as { 502 = \"down.html\", 404 = \"404.html\" }, found \"a.html\"",
        ),
        ("error_pages = { 502 = true }", "error_pages.502: expected a path, found true"),
        ("errorfile = \"a.html\"", "errorfile: unknown key: write error_pages = { 502 = \"down.html\" }"),
        (
            "maintenance = true",
            "maintenance: expected a path such as \"/run/down.html\": the route answers 503 while that file exists, \
             found true",
        ),
        ("maintenance = \"folder\"", "maintenance: [DIR]/folder is a folder: name a file in it"),
    ] {
        let start = Start::new().write("folder/a", "").write("a.html", "").file(&format!("{ROUTE}{keys}\n"));
        assert_eq!(start.error(), format!("[DIR]/config.toml:4: routes[0].{expected}"), "{keys}");
    }
}
