//! Changed and rejected paths.

use http::{Request, Uri};

use super::{PathEdits, PathRejected, Rewrite};
use crate::forwarded::X_FORWARDED_PREFIX;

fn to(target: &str) -> Rewrite {
    Rewrite::to(target.parse().unwrap())
}

fn old_to(target: &str) -> Rewrite {
    to(target).regex("^/old/(.*)$".parse().unwrap())
}

fn rewrite(rewrite: Rewrite) -> PathEdits {
    PathEdits::new().rewrite(rewrite)
}

fn strip(prefix: &str) -> PathEdits {
    PathEdits::new().strip_prefix([prefix.parse().unwrap()])
}

fn add(prefix: &str) -> PathEdits {
    PathEdits::new().add_prefix(prefix.parse().unwrap())
}

#[track_caller]
fn check(edits: &PathEdits, cases: &[(&str, &str)]) {
    for (uri, expected) in cases {
        let uri: Uri = uri.parse().unwrap();
        assert_eq!(edits.apply(&uri).map(|uri| uri.to_string()), Ok((*expected).to_owned()), "{uri}");
    }
}

#[track_caller]
fn reject(edits: &PathEdits, paths: &[&str]) {
    for path in paths {
        assert_eq!(edits.apply(&path.parse().unwrap()), Err(PathRejected::Ambiguous), "{path}");
    }
}

#[test]
fn a_rewrite_replaces_paths_that_match() {
    check(
        &rewrite(old_to("/new/$1")),
        &[
            ("/old/a/b", "/new/a/b"),
            ("/old/a?b=1", "/new/a?b=1"),
            ("/old/", "/new/"),
            ("/old/a?", "/new/a?"),
            ("/old", "/old"),
            ("/x/old/a?b", "/x/old/a?b"),
            ("http://h/old/a", "http://h/new/a"),
            ("*", "*"),
        ],
    );
    check(&rewrite(to("/index.html")), &[("/", "/index.html"), ("/a/b?c", "/index.html?c")]);
    check(&rewrite(to("/x/{*}").prefix("/old".parse().unwrap())), &[("/old/a?b", "/x/a?b"), ("/old", "/x/")]);
    check(&rewrite(to("{path}.html")), &[("/a?b", "/a.html?b")]);
    check(&rewrite(to("/sites/{host}{path}")), &[("http://A.test:80/a?b", "http://A.test:80/sites/a.test/a?b")]);
    check(&rewrite(to("/{scheme}{path}")), &[("https://a.test/a", "https://a.test/https/a")]);
    assert_eq!(rewrite(to("/{host}")).apply(&"/a".parse().unwrap()), Err(PathRejected::NoHost));
}

#[test]
fn the_query_stays_unless_the_target_has_one() {
    check(
        &rewrite(old_to("/x?name={1}&{query}")),
        &[("/old/a&b=%20?c=d", "/x?name=a%26b=%20&c=d"), ("/old/a", "/x?name=a&")],
    );
    check(&rewrite(old_to("/x?")), &[("/old/a?b", "/x"), ("/other?b", "/other?b")]);
    check(&rewrite(to("/x?{query}")), &[("/a?b", "/x?b"), ("/a", "/x")]);
    check(&rewrite(to("/x?from={path_and_query}")), &[("/a%20?b=c", "/x?from=/a%2520%3Fb%3Dc")]);
}

#[test]
fn bytes_stay_as_the_client_sent_them() {
    let same =
        ["a%20b", "%61", "a%2Fb", "a%5Cb", "a//b", "a;x=1/b", "%c3%a9", "a%", "%zz", "a{b", "./a", "a/../b", "a%25b"];
    for part in same {
        check(&rewrite(old_to("/new/$1")), &[(&format!("/old/{part}"), &format!("/new/{part}"))]);
        check(&add("/v1"), &[(&format!("/{part}"), &format!("/v1/{part}"))]);
    }
}

#[test]
fn edits_have_an_order() {
    let all = rewrite(to("/api/{1}").regex("^/api/old/(.*)$".parse().unwrap()))
        .strip_prefix(["/api".parse().unwrap()])
        .add_prefix("/v1".parse().unwrap());
    check(&all, &[("/api/old/a?b", "/v1/a?b"), ("/api/a", "/v1/a"), ("/api", "/v1/"), ("/x", "/v1/x")]);
    let request = Request::get("/api/a").header(X_FORWARDED_PREFIX, "/shop").body(()).unwrap();
    assert_eq!(all.edited(&request).unwrap().1.unwrap(), "/shop/api");
    assert_eq!(all.edited(&Request::get("/x").body(()).unwrap()).unwrap().1, None);
    assert!(add("/").is_empty());
}

#[test]
fn no_spelling_leaves_an_added_prefix() {
    reject(
        &add("/v1"),
        &[
            "/../admin",
            "/..",
            "/.%2e/admin",
            "/%2E%2e%2fadmin",
            "/..;x/admin",
            "/x/../../admin",
            "/%252e%252e/admin",
            "/..%5cadmin",
            "/x/..%00/../../admin",
            "/%u002e%u002e/admin",
            // This would also be below the prefix, where no reading of the client's path is.
            "/a/../../v1/admin",
        ],
    );
    reject(&strip("/api").add_prefix("/v1".parse().unwrap()), &["/api/../admin", "/api/..%2f..%2fadmin"]);
    reject(
        &rewrite(old_to("/new/$1")),
        &["/old/../admin", "/old/%2e%2e/admin", "/old/x/../../admin", "/old/..;/admin"],
    );
    check(&add("/v1").literal(), &[("/../admin", "/v1/../admin")]);
}

#[test]
fn no_spelling_makes_a_host_or_dot_segments() {
    let all = rewrite(to("/$1").regex("^/old(.*)$".parse().unwrap()));
    check(&all, &[("/oldadmin", "/admin"), ("/old.a", "/.a")]);
    reject(&all, &["/old/evil.test/x", "/old../admin", "/old./admin", "/old%2fevil.test/x", "/old;/evil.test/x"]);
    reject(&rewrite(to("/%$1").regex("^/old(.*)$".parse().unwrap())), &["/old61dmin", "/old2fadmin"]);
    check(&all.literal(), &[("/old/evil.test/x", "//evil.test/x")]);
}

#[test]
fn no_spelling_passes_a_rewrite_by() {
    let edits = rewrite(to("/gone").regex("^/internal(/.*)?$".parse().unwrap()));
    check(&edits, &[("/internal", "/gone"), ("/internal/x", "/gone"), ("/public", "/public")]);
    reject(
        &edits,
        &["/%69nternal", "//internal", "/./internal", "/x/../internal/y", "/internal;x", "/x%2f..%2finternal"],
    );
    // The group takes no slash, but the backend may read one.
    let edits = rewrite(to("/p/{1}/show").regex("^/p/([^/]+)$".parse().unwrap()));
    check(&edits, &[("/p/a%20b", "/p/a%20b/show")]);
    reject(&edits, &["/p/a%2Fb"]);
}

#[test]
fn a_path_that_is_too_long_is_rejected() {
    let edits = rewrite(old_to("/$1/$1"));
    let path = format!("/old/{}", "x".repeat(40_000));
    assert_eq!(edits.apply(&path.parse().unwrap()), Err(PathRejected::Invalid));
}
