//! `rewrite` and `add_prefix`: values, inheritance, and mistakes.

use pmesh::settings::Route;

use crate::Start;

const ROUTE: &str = "[[routes]]\nhost = \"a.test\"\nupstream = \"a:1\"\n";

fn routes(file: &str) -> Vec<Route> {
    Start::new().file(file).loaded().settings.routes
}

/// The forwarded path.
fn becomes(route: &Route, uri: &str) -> String {
    route.path_edits().apply(&uri.parse().expect("a URI")).map_or_else(|error| error.to_string(), |uri| uri.to_string())
}

#[test]
fn paths_are_rewritten() {
    for (keys, uri, expected) in [
        ("rewrite = \"/index.html\"", "/a/b?c", "/index.html?c"),
        ("rewrite = \"/x/{1}\"\npath_regex = \"^/u/([0-9]+)$\"", "/u/7?a", "/x/7?a"),
        ("rewrite = \"/x/$1\"\npath_regex = \"^/u/([0-9]+)$\"", "/u/7", "/x/7"),
        ("rewrite = \"/x/{*}\"\nprefix = \"/u\"", "/u/7", "/x/7"),
        ("rewrite = \"/x?path={path}\"", "/u?a", "/x?path=/u"),
        ("rewrite = { to = \"/x{path}\" }", "/u", "/x/u"),
        ("rewrite = { regex = \"^/old/(.*)$\", to = \"/new/$1\" }", "/old/a%20b?c", "/new/a%20b?c"),
        ("rewrite = { regex = \"(?i)^/old/(.*)\", to = \"/new/{1}\" }", "/OLD/a", "/new/a"),
        ("rewrite = { regex = \"^/old/(.*)$\", to = \"/new/$1\" }", "/a", "/a"),
        ("add_prefix = \"/v1/\"", "/a?b", "/v1/a?b"),
        ("add_prefix = \"/v1\"\nstrip_prefix = true\nprefix = \"/api\"", "/api/a", "/v1/a"),
        ("add_prefix = \"/v1\"", "/../a", "the changed path is ambiguous: some backends would read it as another path"),
        ("add_prefix = \"/v1\"\nallow_ambiguous_paths = true", "/../a", "/v1/../a"),
        (
            "prefix = \"/api\"\nstrip_prefix = true\nrewrite = { regex = \"^/api/old/(.*)$\", to = \"/api/new/$1\" }\nadd_prefix = \"/v1\"",
            "/api/old/a",
            "/v1/new/a",
        ),
    ] {
        assert_eq!(becomes(&routes(&format!("{ROUTE}{keys}\n"))[0], uri), expected, "{keys}");
    }
}

#[test]
fn they_are_inherited() {
    let all = routes(
        r#"
        [defaults]
        add_prefix = "/v1"
        rewrite = { regex = "^/old/(.*)$", to = "/new/$1" }
        [[routes]]
        host = "a.test"
        upstream = "a:1"
        [[routes.routes]]
        prefix = "/other"
        rewrite = { to = "/other/$1" }
        add_prefix = "/v2"
        [[routes.routes]]
        prefix = "/off"
        rewrite = false
        add_prefix = false
        [[routes.routes]]
        path = "/elsewhere"
        redirect = "https://b.test"
        "#,
    );
    let found: Vec<_> = all.iter().map(|route| becomes(route, "/old/a")).collect();
    assert_eq!(found, ["/v1/new/a", "/v2/other/a", "/old/a", "/old/a"]);
    assert!(all[2].middleware.is_empty());
    assert_eq!(all[0].middleware.keys, ["rewrite", "add_prefix"]);
}

#[test]
fn mistakes_say_what_to_write() {
    const EXPECTED: &str = "expected a path such as /new/{*} or /new/$1, or a table with regex and to, found";
    const PATH: &str = "expected a path that starts with a slash, such as /api, found";

    for (keys, expected) in [
        ("rewrite = \"new\"", format!("rewrite: {EXPECTED} \"new\": write \"/new\"")),
        ("rewrite = true", format!("rewrite: {EXPECTED} true")),
        (
            "rewrite = \"https://b.test/\"",
            format!("rewrite: {EXPECTED} \"https://b.test/\": a rewrite only changes the path: write a path such as /new/{{*}}, and use a redirect to send clients elsewhere"),
        ),
        (
            "rewrite = \"/a/../b\"",
            format!("rewrite: {EXPECTED} \"/a/../b\": the path of a route must be unambiguous: no dot segments, `//`, `;` or `\\`, and percent-encoding only in capitals (`%C3`) and only of characters that need it"),
        ),
        (
            "rewrite = \"/x/{1}\"",
            "rewrite: {1} in /x/{1} refers to a group of path_regex, which has none: write a path_regex with the part it stands for in parentheses".to_owned(),
        ),
        (
            "rewrite = { regex = \"^/(a)$\", to = \"/$1/$2\" }",
            "rewrite: {2} in /$1/$2 refers to a group of regex, which has only one".to_owned(),
        ),
        ("rewrite = { regex = \"^/a$\" }", "rewrite: no target: write to = \"/new/$1\"".to_owned()),
        (
            "rewrite = { regex = \"^/old\", to = \"/new\" }",
            "rewrite.regex: `to` replaces the whole path, so the expression has to match from ^ to $: write \"^/old(.*)$\", and in `to` the number of that group".to_owned(),
        ),
        (
            "rewrite = { regex = \"/old/(.*)\", to = \"/new/$1\" }",
            "rewrite.regex: `to` replaces the whole path, so the expression has to match from ^ to $: write \"^/old/(.*)\"".to_owned(),
        ),
        (
            "rewrite = { regex = \"^/(?!api)$\", to = \"/\" }",
            "rewrite.regex: expected a regular expression such as ^/u/([0-9]+)$, found \"^/(?!api)$\": look-around, including look-ahead and look-behind, is not supported".to_owned(),
        ),
        (
            "path = \"/a\"\nrewrite = \"/{*}\"",
            "5: routes[0].rewrite: {*} in /{*} stands for the path after a prefix, but the route has exact paths only: write {path}, or use a prefix (in [redirects], a path that ends in /*)".to_owned(),
        ),
        ("add_prefix = \"v1\"", format!("add_prefix: {PATH} \"v1\": write \"/v1\"")),
        ("add_prefix = true", format!("add_prefix: {PATH} true")),
        ("add_prefix = \"/v1/*\"", format!("add_prefix: {PATH} \"/v1/*\": a prefix is not a pattern; it matches all paths below it: write \"/v1\"")),
        ("addPrefix = \"/v1\"", "addPrefix: unknown key: write add_prefix = \"/v1\"".to_owned()),
        ("replacePathRegex = {}", "replacePathRegex: unknown key: write rewrite = { regex = \"^/old/(.*)$\", to = \"/new/$1\" }".to_owned()),
    ] {
        let expected = if expected.starts_with('5') { expected } else { format!("4: routes[0].{expected}") };
        let error = Start::new().file(&format!("{ROUTE}{keys}\n")).error();
        assert_eq!(error, format!("[DIR]/config.toml:{expected}"), "{keys}");
    }
}

#[test]
fn an_answer_that_forwards_nothing_has_no_path_to_change() {
    for (answer, instead) in [
        ("redirect = \"https://b.test\"", ", and write the new path in the target of `redirect`"),
        ("respond = 404", ""),
    ] {
        for key in ["rewrite = \"/x\"", "strip_prefix = true", "add_prefix = \"/v1\""] {
            let error = Start::new().file(&format!("[[routes]]\nhost = \"a.test\"\n{answer}\n{key}\n")).error();
            let (name, kind) = (key.split(' ').next().unwrap_or(key), answer.split(' ').next().unwrap_or(answer));
            assert_eq!(
                error,
                format!(
                    "[DIR]/config.toml:4: routes[0].{name}: `{kind}` forwards no requests, so there is no path to change: remove `{name}`{instead}"
                )
            );
        }
    }
}
