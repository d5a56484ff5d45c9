//! What routes inherit from their parent, from `[defaults]` and from top-level settings.

use std::time::Duration;

use pmesh::settings::Route;

use crate::Start;

/// The routes of a file.
fn routes(file: &str) -> Vec<Route> {
    Start::new().file(file).loaded().settings.routes
}

fn seconds(route: &Route) -> u64 {
    route.response_timeout.as_secs()
}

#[test]
fn the_nearest_value_wins() {
    let routes = routes(
        r#"
        response_timeout = "1s"
        stream_timeout = "1m"
        [defaults]
        response_timeout = "2s"
        host_header = "all.test"

        [[routes]]
        host = "a.test"
        upstream = "a:1"
        [[routes.routes]]
        prefix = "/api"
        response_timeout = "4s"
        host_header = false
        [[routes.routes]]
        prefix = ["/x", "/y"]
        upstream = "b:1"

        [[routes]]
        host = ["b.test", "*.b.test"]
        upstream = ["a:1", "b:1"]
        response_timeout = "3s"
        max_body = "1KiB"
        [[routes.routes]]
        prefix = "/upload"
        max_body = "off"
        "#,
    );
    let shown: Vec<_> = routes.iter().map(|route| format!("{route} {}s", seconds(route))).collect();
    assert_eq!(
        shown,
        [
            "a.test/ -> a:1 2s",
            "a.test/api -> a:1 4s",
            "a.test/x, a.test/y -> b:1 2s",
            "b.test/, *.b.test/ -> a:1, b:1 3s",
            "b.test/upload, *.b.test/upload -> a:1, b:1 3s",
        ]
    );
    let hosts: Vec<_> =
        routes.iter().map(|route| route.host_header.as_ref().and_then(|host| host.to_str().ok())).collect();
    assert_eq!(hosts, [Some("all.test"), None, Some("all.test"), Some("all.test"), Some("all.test")]);
    assert_eq!(routes[3].max_body, Some(1024));
    assert_eq!(routes[4].max_body, None);
    assert!(routes.iter().all(|route| route.stream_timeout == Duration::from_secs(60)));
}

#[test]
fn a_child_with_only_a_regular_expression_keeps_the_prefix_of_its_parent() {
    let routes = routes(
        r#"
        [[routes]]
        host = "a.test"
        prefix = ["/x", "/y"]
        upstream = "a:1"
        [[routes.routes]]
        path_regex = "[.]php$"
        upstream = "b:1"
        [[routes.routes]]
        prefix = "/z"
        path_regex = "[.]php$"
        [[routes.routes]]
        path = "/a.php"
        "#,
    );
    let shown: Vec<_> = routes.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "a.test/x, a.test/y -> a:1",
            "a.test/x ~ [.]php$, a.test/y ~ [.]php$ -> b:1",
            "a.test/z ~ [.]php$ -> a:1",
            "a.test/a.php (exact) -> a:1",
        ]
    );
}

#[test]
fn tables_are_merged_by_key_and_false_removes_values() {
    let routes = routes(
        r#"
        [defaults.tls]
        ca = "/all.pem"
        [[routes]]
        host = "a.test"
        upstream = "https://a"
        tls.server_name = "inside.test"
        [[routes.routes]]
        prefix = "/own"
        tls = { ca = "/own.pem" }
        [[routes.routes]]
        prefix = "/name"
        tls.server_name = false
        [[routes.routes]]
        prefix = "/none"
        tls = false
        [[routes.routes]]
        prefix = "/plain"
        upstream = "b:1"
        "#,
    );
    let shown = |route: &Route| {
        let ca = route.tls.ca().map(|ca| ca.path.display().to_string());
        (ca, route.tls.server_name.as_ref().map(|name| name.to_str().into_owned()))
    };
    let some = |text: &str| Some(text.to_owned());
    let expected = [
        (some("/all.pem"), some("inside.test")),
        (some("/own.pem"), some("inside.test")),
        (some("/all.pem"), None),
        (None, None),
        // Inherited, although it has no effect there.
        (some("/all.pem"), some("inside.test")),
    ];
    assert_eq!(routes.iter().map(shown).collect::<Vec<_>>(), expected);
}

#[test]
fn a_route_with_children_needs_no_answer() {
    let routes = routes(
        r#"
        [[routes]]
        host = "a.test"
        response_timeout = "5s"
        [[routes.routes]]
        prefix = "/api"
        upstream = "a:1"
        "#,
    );
    assert_eq!(routes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a.test/api -> a:1"]);
    assert_eq!(seconds(&routes[0]), 5);
}

#[test]
fn errors_say_what_to_write() {
    for (file, expected) in [
        (
            "[defaults]\nhost = \"a\"",
            "2: defaults.host: `host` belongs in a route: [defaults] holds only settings that routes can share",
        ),
        (
            "[defaults]\nroutes = []",
            "2: defaults.routes: `routes` belongs in a route: [defaults] holds only settings that routes can share",
        ),
        (
            "[defaults]\nhttp = 80",
            "2: defaults.http: unknown key: `http` is a top-level setting: move it above the first [table] of the file",
        ),
        ("[defaults]\nupstreams = 80", "2: defaults.upstreams: renamed: write `upstream`"),
        (
            "[[routes]]\nhost = \"a\"\nupstream = \"a:1\"\n[[routes.routes]]\nprefix = \"/b\"\n[[routes.routes.routes]]",
            "6: routes[0].routes[0].routes: unknown key; a child cannot have children: write another [[routes.routes]]",
        ),
        (
            "[[routes]]\nhost = \"a\"\nupstream = \"a:1\"\n[[routes.routes]]\nresponse_timeout = \"5s\"",
            "4: routes[0].routes[0]: a/ has two routes: `a/ -> a:1` here and `a/ -> a:1` from [DIR]/config.toml:1: \
             routes[0]: a child needs a path, methods or match of its own",
        ),
        (
            "[defaults]\nmax_body = \"x\"\n[[routes]]\nhost = \"a\"\nupstream = \"a:1\"\n[[routes.routes]]\nprefix = \"/b\"",
            "2: defaults.max_body: expected a size such as 512KiB or 10MiB, or off, found \"x\"",
        ),
        ("[upstreams.web]", "1: upstreams: `upstreams` is planned, but not available in this version"),
    ] {
        assert_eq!(Start::new().file(file).error(), format!("[DIR]/config.toml:{expected}"), "{file}");
    }
}
