//! Routes in a file: which requests they are for, and how they answer them.

use std::time::Duration;

use pmesh::settings::{Answer, Respond};

use crate::Start;

const ROUTE: &str = "[[routes]]\nhost = \"a\"\n";

/// The routes of a file, as they are displayed.
fn shown(file: &str) -> Vec<String> {
    Start::new().file(file).loaded().settings.routes.iter().map(ToString::to_string).collect()
}

#[test]
fn paths_and_methods_can_be_one_value_or_a_list() {
    for (keys, expected) in [
        ("prefix = \"/api\"", "a/api"),
        ("prefix = [\"/x\", \"/y/\"]", "a/x, a/y"),
        ("path = \"/robots.txt\"", "a/robots.txt (exact)"),
        ("path = [\"/\", \"/a/\"]\nprefix = \"/static\"", "a/ (exact), a/a/ (exact), a/static"),
        ("path_regex = \"^/u/([0-9]+)$\"", "a/ ~ ^/u/([0-9]+)$"),
        ("prefix = [\"/x\", \"/y\"]\npath_regex = \"[.]php$\"", "a/x ~ [.]php$, a/y ~ [.]php$"),
        ("methods = [\"GET\", \"POST\"]", "a/ [GET, HEAD, POST]"),
        ("methods = \"PUT\"\nmatch = { upgrade = \"websocket\" }", "a/ [PUT, upgrade websocket]"),
        (
            "match = { headers = { accept = \"text/*\", x-debug = true }, query = { v = \"2\" }, clients = \"10.0.0.1\" }",
            "a/ [header accept: text/*, header x-debug: *, query v=2, client 10.0.0.1/32]",
        ),
    ] {
        assert_eq!(shown(&format!("{ROUTE}{keys}\nupstream = \"b:1\"")), [format!("{expected} -> b:1")], "{keys}");
    }
}

#[test]
fn a_child_replaces_the_path_and_merges_conditions() {
    let file = r#"
        [[routes]]
        host = "a"
        prefix = "/api"
        methods = ["POST"]
        match = { headers = { x-one = "1" } }
        upstream = "b:1"
        [[routes.routes]]
        path = "/exact"
        match.headers.x-two = "2"
        [[routes.routes]]
        path = "/other"
        match.headers.X-One = "3"
        [[routes.routes]]
        methods = false
        match = false
        respond = 403
    "#;
    assert_eq!(
        shown(file),
        [
            "a/api [POST, header x-one: 1] -> b:1",
            "a/exact (exact) [POST, header x-one: 1, header x-two: 2] -> b:1",
            "a/other (exact) [POST, header x-one: 3] -> b:1",
            "a/api -> 403",
        ]
    );
}

#[test]
fn answers_are_upstreams_redirects_and_fixed_responses() {
    for (answer, expected) in [
        ("upstream = \"http://b/\"", "b:80"),
        ("redirect = \"https://b\"", "308 https://b"),
        ("redirect = { to = \"/new{path}\", status = 302 }", "302 /new{path}"),
        ("respond = 403", "403"),
        ("respond = \"silence\"", "silence"),
        ("respond = { body = \"hello\" }", "200"),
    ] {
        assert_eq!(shown(&format!("{ROUTE}{answer}")), [format!("a/ -> {expected}")], "{answer}");
    }
}

#[test]
fn the_content_type_depends_on_the_body() {
    for (body, expected) in [
        (r#"{"m.server": "a:443"}"#, "application/json"),
        ("[1]", "application/json"),
        ("{not json}", "text/plain; charset=utf-8"),
        ("7", "text/plain; charset=utf-8"),
    ] {
        let routes = Start::new().file(&format!("{ROUTE}respond.body = '{body}'")).loaded().settings.routes;
        let Answer::Respond(Respond::Fixed { content_type, .. }) = &routes[0].answer else { panic!("{routes:?}") };
        assert_eq!(content_type, expected, "{body}");
    }
    let html = format!("{ROUTE}respond = {{ status = 503, body = \"<p>\", content_type = \"text/html\" }}");
    let routes = Start::new().file(&html).loaded().settings.routes;
    assert!(
        matches!(&routes[0].answer, Answer::Respond(Respond::Fixed { content_type, .. }) if content_type == "text/html")
    );
}

#[test]
fn redirects_become_routes() {
    let file = r#"
        [redirects]
        "www.example.com" = "https://example.com"
        "example.com/old/*" = "/new/{*}"
        "example.com/feed" = { to = "/feed.xml", status = 301 }
        "*.example.org/*" = "https://example.com/"
    "#;
    assert_eq!(
        shown(file),
        [
            "*.example.org/ -> 308 https://example.com/",
            "example.com/feed (exact) -> 301 /feed.xml",
            "example.com/old -> 308 /new/{*}",
            "www.example.com/ -> 308 https://example.com",
        ]
    );
}

#[test]
fn routes_can_override_redirect_https_and_hsts() {
    let file = r#"
        redirect_https = true
        [defaults]
        hsts = "365d"
        [[routes]]
        host = "a"
        upstream = "b:1"
        [[routes.routes]]
        prefix = "/plain"
        redirect_https = false
        hsts = false
        [[routes.routes]]
        prefix = "/more"
        hsts = { max_age = "730d", include_subdomains = true }
    "#;
    let routes = Start::new().file(file).loaded().settings.routes;
    assert_eq!(routes.iter().map(|route| route.redirect_https).collect::<Vec<_>>(), [true, false, true]);
    let ages: Vec<_> = routes.iter().map(|route| route.hsts.map(|hsts| hsts.max_age)).collect();
    let days = |days: u64| Some(Duration::from_secs(days * 24 * 60 * 60));
    assert_eq!(ages, [days(365), None, days(730)]);
    assert!(routes[2].hsts.is_some_and(|hsts| hsts.include_subdomains && !hsts.preload));
}

#[test]
fn routes_can_name_their_listeners() {
    let file = r#"
        [listeners.federation]
        port = 8448
        tls = true
        [[routes]]
        host = "a"
        upstream = "b:1"
        [[routes.routes]]
        prefix = "/x"
        listeners = ["https", "federation"]
        [[routes]]
        host = "a"
        listeners = "federation"
        upstream = "c:1"
    "#;
    let routes = Start::new().file(file).loaded().settings.routes;
    let listeners: Vec<Vec<_>> =
        routes.iter().map(|route| route.listeners.iter().map(|listener| listener.name()).collect()).collect();
    assert_eq!(listeners, [vec!["http", "https"], vec!["https", "federation"], vec!["federation"]]);
}

#[test]
fn errors_say_what_to_write() {
    let route = |rest: &str| format!("{ROUTE}{rest}\n");
    let alike = "a/ [GET, HEAD] has two routes: `a/ [GET, HEAD] -> c:1` here and `a/ [GET, HEAD] -> b:1` from \
                 [DIR]/config.toml:1: routes[0]";
    for (file, expected) in [
        (
            route("upstream = \"b:1\"\nrespond = 403"),
            "4: routes[0].respond: a route can only have one answer: remove `upstream` or `respond`",
        ),
        (
            route("upstream = \"api\""),
            "3: routes[0].upstream: expected an upstream such as 127.0.0.1:9001, https://name or unix:/run/app.sock, found \"api\": the port is missing: write api:8080 for port 8080, or http://api for port 80; groups below [upstreams] are planned, but not available in this version",
        ),
        (
            route("upstream = \"b:1\"\npath = \"/a\"\npath_regex = \"b\""),
            "5: routes[0].path_regex: `path` is an exact path: leave out `path` or `path_regex`, or use `prefix`",
        ),
        (
            route("upstream = \"b:1\"\npath = \"/a/*\""),
            "4: routes[0].path: expected a path that starts with a slash, such as /robots.txt, found \"/a/*\": `path` is one exact path; for all paths below it, write prefix = \"/a\"",
        ),
        (
            route("upstream = \"b:1\"\nmethods = [\"get\"]"),
            "4: routes[0].methods[0]: expected a method such as GET, found \"get\": write \"GET\"",
        ),
        (
            route("upstream = \"b:1\"\nmatch.headers.x = false"),
            "4: routes[0].match.headers.x: a condition cannot be negated: write a route without this condition for all other requests",
        ),
        (
            route("upstream = \"b:1\"\nmatch.headers.\"a b\" = \"c\""),
            "4: routes[0].match.headers.\"a b\": expected the name of a header, found \"a b\"",
        ),
        (route("upstream = \"b:1\"\nmatch.path = \"/\""), "4: routes[0].match.path: unknown key"),
        (
            route("upstream = \"b:1\"\nlisteners = \"web\""),
            "4: routes[0].listeners: there is no listener `web`, only http, https: write \"http\"",
        ),
        (
            route("upstream = \"b:1\"\npath = \"/a\"\nstrip_prefix = true"),
            "5: routes[0].strip_prefix: the route has exact paths only, and no prefix to strip",
        ),
        (
            route("upstream = \"b:1\"\nhsts = 365"),
            "4: routes[0].hsts: expected a duration up to ten years, such as 365d, or 0s to make browsers forget it, found 365: add a unit, as in 365s or 365d",
        ),
        (
            route("redirect = \"https://b{uri}\""),
            "3: routes[0].redirect: expected a URL such as https://example.com, or a path such as /new/{*}, found \"https://b{uri}\": there is no placeholder {uri}: write {path_and_query}",
        ),
        (
            route("redirect = { to = \"https://b\", status = 200 }"),
            "3: routes[0].redirect.status: expected 301, 302, 303, 307 or 308, found 200",
        ),
        (
            route("path = \"/a\"\nredirect = \"/b/{*}\""),
            "1: routes[0]: {*} in /b/{*} stands for the path after a prefix, but the route has exact paths only: write {path}, or use a prefix (in [redirects], a path that ends in /*)",
        ),
        (
            route("path_regex = \"^/a/(.*)$\"\nredirect = \"/b/{2}\""),
            "1: routes[0]: {2} in /b/{2} refers to a group of path_regex, which has only one",
        ),
        (
            route("respond = 99"),
            "3: routes[0].respond: expected a status such as 403, \"silence\", or a table such as { status = 503, body = \"back soon\" }, found 99",
        ),
        (
            "[redirects]\n\"https://a\" = \"https://b\"".into(),
            "2: redirects.\"https://a\": expected a host such as example.com, or a host with a path, such as example.com/old or example.com/old/*, found \"https://a\": write it without the scheme",
        ),
        (
            format!(
                "{ROUTE}methods = \"GET\"\nupstream = \"b:1\"\n{ROUTE}methods = [\"HEAD\", \"GET\"]\nupstream = \"c:1\"\n"
            ),
            &format!("5: routes[1]: {alike}"),
        ),
        (
            format!("{ROUTE}redirect = \"https://c\"\n[redirects]\na = \"https://b\"\n"),
            "5: redirects.a: a/ has two routes: `a/ -> 308 https://b` here and `a/ -> 308 https://c` from [DIR]/config.toml:1: routes[0]",
        ),
    ] {
        let error = Start::new().file(&file).error();
        assert!(error.starts_with(&format!("[DIR]/config.toml:{expected}")), "{file}\n{error}\n{expected}");
    }
}
