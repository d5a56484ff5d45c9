use http::{HeaderName, Method, Request};

use super::*;
use crate::route::{Conditions, ExactPath, PathPrefix, PathRegex, RoutePath, Rule};

fn prefix(text: &str) -> PathPrefix {
    text.parse().unwrap()
}

/// `host=/exact`, `host/prefix` or `host/prefix ~ regex`.
fn place(text: &str) -> (HostPattern, RoutePath) {
    let (host, path) = text.split_at(text.find(['=', '/']).unwrap());
    let path = match (path.strip_prefix('='), path.split_once(" ~ ")) {
        (Some(exact), _) => exact.parse::<ExactPath>().unwrap().into(),
        (None, Some((below, regex))) => (prefix(below), regex.parse::<PathRegex>().unwrap()).into(),
        (None, None) => prefix(path).into(),
    };
    (host.parse().unwrap(), path)
}

fn table(routes: &[(&str, &'static str)]) -> RouteTable<&'static str> {
    let mut table = RouteTable::new();
    for (route, target) in routes {
        let (host, path) = place(route);
        table.insert(host, path, *target).unwrap();
    }
    table
}

#[test]
fn all_routes_for_a_path_are_considered_and_the_chosen_one_is_found() {
    let mut table = table(&[
        ("*.a.test/", "wildcard"),
        ("b.a.test/", "root"),
        ("b.a.test/x", "x"),
        ("b.a.test/x ~ [0-9]$", "digit"),
        ("b.a.test/x ~ ^/x/.", "any"),
        ("b.a.test=/x/1", "exact"),
    ]);
    let post = Rule::new(prefix("/x")).when(Conditions::new().methods([Method::POST]));
    let events = Rule::new(prefix("/x")).when(Conditions::new().header(HeaderName::from_static("accept"), "events"));
    table.insert("b.a.test".parse().unwrap(), post, "post").unwrap();
    table.insert("b.a.test".parse().unwrap(), events, "events").unwrap();
    let only = Rule::new(prefix("/post")).when(Conditions::new().methods([Method::POST]));
    table.insert("b.a.test".parse().unwrap(), only, "only").unwrap();
    for (host, path, expected) in [
        ("b.a.test", "/x/1", "exact! digit any events post x root wildcard"),
        ("b.a.test", "/x/2", "digit! any events post x root wildcard"),
        ("b.a.test", "/x/a", "any! events post x root wildcard"),
        ("b.a.test", "/x", "(events header accept: events) (post POST) x! root wildcard"),
        ("b.a.test", "/y", "root! wildcard"),
        ("c.a.test", "/x", "wildcard!"),
        ("b.a.test", "/post", "(only POST) root wildcard"),
        ("b.a.test", "//x", "root! wildcard /x"),
        ("b.a.test", "/X/A", "root! wildcard /x/a"),
        ("b.a.test", "//X", "root! wildcard /x"),
        ("a.test", "/x", ""),
    ] {
        let considered = table.consider(host, &Request::get(path).body(()).unwrap());
        let shown = |candidate: &Candidate<'_, &str>| match candidate.verdict {
            Verdict::Chosen => format!("{}!", candidate.target),
            Verdict::Unmet(unmet) => format!("({} {unmet})", candidate.target),
            Verdict::Later | Verdict::LessSpecific => candidate.target.to_string(),
        };
        let texts = considered.candidates.iter().map(shown).chain(considered.other_reading.clone());
        assert_eq!(texts.collect::<Vec<_>>().join(" "), expected, "{host}{path}");
        assert_eq!(considered.result, table.find(host, path), "{host}{path}");
        let chosen = considered.candidates.iter().find(|candidate| candidate.verdict == Verdict::Chosen);
        if let Ok(found) = considered.result {
            assert_eq!(chosen.map(|candidate| candidate.target), Some(found), "{host}{path}");
        }
    }
}

#[test]
fn the_most_specific_route_wins_in_any_order_of_insertion() {
    let mut routes = [
        ("*.example.com/", "wildcard"),
        ("*.b.example.com/", "longer wildcard"),
        ("a.example.com/foo", "exact foo"),
        ("a.example.com/foo/bar", "exact foo bar"),
        ("*.example.com/deep/path", "wildcard path"),
    ];
    for _ in 0..routes.len() {
        routes.rotate_left(1);
        let table = table(&routes);
        for (host, path, expected) in [
            ("a.example.com", "/foo", Some("exact foo")),
            ("a.example.com", "/foo/", Some("exact foo")),
            ("a.example.com", "/foo/bar/baz", Some("exact foo bar")),
            ("a.example.com", "/foo/barbaz", Some("exact foo")),
            ("a.example.com", "/foobar", Some("wildcard")),
            ("a.example.com", "/", Some("wildcard")),
            ("a.example.com", "*", Some("wildcard")),
            ("c.b.example.com", "/x", Some("longer wildcard")),
            ("c.b.example.com", "/deep/path", Some("longer wildcard")),
            ("b.example.com", "/deep/path", Some("wildcard path")),
            ("example.com", "/", None),
            ("other.org", "/", None),
        ] {
            assert_eq!(table.find(host, path).ok().copied(), expected, "{host}{path}");
        }
    }
}

#[test]
fn a_host_is_served_even_if_a_path_has_no_route() {
    let table = table(&[("a/foo", "foo")]);
    assert_eq!(table.find("a", "/bar"), Err(NoRoute::NotFound));
    assert_eq!(table.find("a", "*"), Err(NoRoute::NotFound));
    assert!(table.served("a").is_some());
    assert!(table.served("b").is_none());
}

#[test]
fn a_path_that_could_mean_another_route_is_rejected() {
    let mut table = table(&[
        ("a/", "all"),
        ("a/admin", "admin"),
        ("a/admin/open", "open"),
        ("a/caf%C3%A9", "coffee"),
        ("*.b/", "any"),
        ("x.b/admin", "admin"),
    ]);
    for (host, path, expected) in [
        ("a", "//x", Ok("all")),
        ("a", "//x/y", Ok("all")),
        ("a", "//x/admin", Err(NoRoute::Ambiguous)),
        ("a", "///x/admin", Err(NoRoute::Ambiguous)),
        ("a", "/%u0061dmin", Err(NoRoute::Ambiguous)),
        ("a", "/x/../y;z/%2e%2e/%2f", Ok("all")),
        ("a", "/Admin", Err(NoRoute::Ambiguous)),
        ("a", "/Admins", Ok("all")),
        ("a", "/administrator;x//", Ok("all")),
        ("a", "/admin//x;y/../z%2fw", Ok("admin")),
        ("a", "/caf%C3%A9/%20", Ok("coffee")),
        ("a", "/caf%c3%a9", Err(NoRoute::Ambiguous)),
        ("a", "/café", Err(NoRoute::Ambiguous)),
        ("a", "//admin", Err(NoRoute::Ambiguous)),
        ("a", "/admin/..", Err(NoRoute::Ambiguous)),
        ("a", "/admin%2f..", Err(NoRoute::Ambiguous)),
        ("a", "/admin%2Fx", Err(NoRoute::Ambiguous)),
        ("a", "/x%5cadmin", Ok("all")),
        ("a", "/x%5c..%5cadmin", Err(NoRoute::Ambiguous)),
        ("a", "/admin;x", Err(NoRoute::Ambiguous)),
        ("a", "/;x/admin", Err(NoRoute::Ambiguous)),
        ("a", "/x/..;/admin", Err(NoRoute::Ambiguous)),
        ("a", "/%61dmin", Err(NoRoute::Ambiguous)),
        ("a", "/%2561dmin", Err(NoRoute::Ambiguous)),
        ("a", "/admin%3fx", Err(NoRoute::Ambiguous)),
        ("a", "/admin%00", Err(NoRoute::Ambiguous)),
        ("a", "/admin/open/../x", Err(NoRoute::Ambiguous)),
        ("a", "/admin//open", Err(NoRoute::Ambiguous)),
        ("x.b", "/admin//x", Ok("admin")),
        ("x.b", "//admin", Err(NoRoute::Ambiguous)),
        ("x.b", "/admin/..", Err(NoRoute::Ambiguous)),
        // This host has a single route.
        ("y.b", "/admin/..;//%2f", Ok("any")),
    ] {
        assert_eq!(table.find(host, path).copied(), expected, "{host}{path}");
    }
    table.insert("c".parse().unwrap(), Rule::new(prefix("/")).literal(), "literal").unwrap();
    table.insert("c".parse().unwrap(), prefix("/admin"), "admin").unwrap();
    assert_eq!(table.find("c", "//admin"), Ok(&"literal"));
    assert_eq!(table.find("c", "/ADMIN"), Ok(&"literal"));
    assert_eq!(table.find("c", "/admin/.."), Err(NoRoute::Ambiguous));
    assert_eq!(table.find_literal("c", "/admin/.."), Some(&"admin"));
}

#[test]
fn a_path_that_could_mean_another_route_in_another_case_is_rejected() {
    let table = table(&[
        ("a/", "all"),
        ("a/admin", "admin"),
        ("a/admin/open", "open"),
        ("a=/login", "login"),
        ("a/caf%C3%A9", "coffee"),
        ("b/", "all"),
        ("b/api", "small"),
        ("b/Api", "large"),
        ("b=/api/Login", "login"),
        ("c/", "all"),
        ("d/api", "api"),
        ("d/api/admin", "admin"),
        ("*.e/", "any"),
        ("*.e/Admin", "wide"),
        ("*.e/x", "x"),
        ("f.e/x", "narrow"),
        ("g.e/", "only"),
        ("h/", "all"),
        ("h/%C3%89", "capital"),
        ("i/api", "api"),
    ]);
    for (host, path, expected) in [
        ("a", "/admin/Secret", Ok("admin")),
        ("a", "/ADMIN", Err(NoRoute::Ambiguous)),
        ("a", "/Admin/secret", Err(NoRoute::Ambiguous)),
        ("a", "/admiN/", Err(NoRoute::Ambiguous)),
        ("a", "/ADMINS", Ok("all")),
        ("a", "/foo/ADMIN", Ok("all")),
        ("a", "/admin/OPEN", Err(NoRoute::Ambiguous)),
        ("a", "/admin/open/X", Ok("open")),
        ("a", "/Login", Err(NoRoute::Ambiguous)),
        ("a", "/Login/", Ok("all")),
        ("a", "//Admin", Err(NoRoute::Ambiguous)),
        ("a", "/X/../Admin", Err(NoRoute::Ambiguous)),
        ("a", "/%41dmin", Err(NoRoute::Ambiguous)),
        ("a", "/%2541dmin", Err(NoRoute::Ambiguous)),
        ("a", "/X//Y;Z/%2F", Ok("all")),
        ("a", "/CAF%C3%A9", Err(NoRoute::Ambiguous)),
        ("a", "/caf%C3%89", Err(NoRoute::Ambiguous)),
        ("a", "/Caf\u{c9}", Err(NoRoute::Ambiguous)),
        ("a", "/adm%C4%B1n", Err(NoRoute::Ambiguous)),
        ("a", "/TH%C3%89", Ok("all")),
        ("a", "/TH\u{c9}", Ok("all")),
        // Both spellings have a route.
        ("b", "/api/x", Ok("small")),
        ("b", "/Api/x", Ok("large")),
        ("b", "/API/x", Err(NoRoute::Ambiguous)),
        ("b", "/api//x", Ok("small")),
        ("b", "//API/x", Err(NoRoute::Ambiguous)),
        ("b", "/api/Login", Ok("login")),
        ("b", "/api/login", Err(NoRoute::Ambiguous)),
        ("b", "/Api/Login", Err(NoRoute::Ambiguous)),
        ("b", "/b", Ok("all")),
        ("c", "/ADMIN//", Ok("all")),
        ("d", "/api/Admin", Err(NoRoute::Ambiguous)),
        ("d", "/api//x/Admin", Err(NoRoute::Ambiguous)),
        ("d", "/API/admin", Err(NoRoute::NotFound)),
        ("f.e", "/x", Ok("narrow")),
        ("f.e", "/X", Err(NoRoute::Ambiguous)),
        ("f.e", "/Admin", Ok("wide")),
        ("f.e", "/admin", Err(NoRoute::Ambiguous)),
        ("f.e", "/y", Ok("any")),
        ("i.e", "/X", Err(NoRoute::Ambiguous)),
        ("i.e", "/admin", Err(NoRoute::Ambiguous)),
        ("g.e", "/admin", Ok("only")),
        ("h", "/%C3%89", Ok("capital")),
        ("h", "/%C3%A9", Err(NoRoute::Ambiguous)),
        ("h", "/\u{e9}", Err(NoRoute::Ambiguous)),
        ("i", "/API", Err(NoRoute::NotFound)),
        ("i", "/api/X", Ok("api")),
    ] {
        assert_eq!(table.find(host, path).copied(), expected, "{host}{path}");
    }
}

#[test]
fn a_regex_can_be_meant_in_another_case() {
    let table = table(&[
        ("a/", "all"),
        ("a/ ~ (?i)^/admin(/|$)", "admin"),
        ("a/ ~ ^/u/[a-z]+$", "user"),
        ("a/ ~ ^/Api/v[0-9]$", "version"),
        ("a/ ~ ^/u/[A-Za-z]+$", "other user"),
        ("a/x", "x"),
        ("b/", "all"),
        ("b/Api ~ 1$", "one"),
        ("b/api", "api"),
    ]);
    for (host, path, expected) in [
        ("a", "/ADMIN", Ok("admin")),
        ("a", "/Admin/X", Ok("admin")),
        ("a", "//ADMIN", Err(NoRoute::Ambiguous)),
        ("a", "/u/ann", Ok("user")),
        ("a", "/u/Ann", Err(NoRoute::Ambiguous)),
        ("a", "/U/ann", Err(NoRoute::Ambiguous)),
        ("a", "/U/7", Ok("all")),
        ("a", "/Api/v1", Ok("version")),
        ("a", "/api/v1", Err(NoRoute::Ambiguous)),
        ("a", "/API/V1", Err(NoRoute::Ambiguous)),
        ("a", "/api/v", Ok("all")),
        ("a", "/X", Err(NoRoute::Ambiguous)),
        ("b", "/Api/1", Ok("one")),
        ("b", "/api/1", Err(NoRoute::Ambiguous)),
        ("b", "/api/2", Ok("api")),
        ("b", "/Api/2", Err(NoRoute::Ambiguous)),
    ] {
        assert_eq!(table.find(host, path).copied(), expected, "{host}{path}");
    }
    for (path, expected) in [("/Api/v1", None), ("/api/v1", None), ("/u/Ann", Some("/u/ann")), ("/X/y", Some("/x/y"))] {
        let considered = table.consider("a", &Request::get(path).body(()).unwrap());
        assert_eq!(considered.other_reading.as_deref(), expected, "{path}");
    }
}

#[test]
fn a_route_in_upper_case_is_shown_as_the_other_reading() {
    let table = table(&[("a/", "all"), ("a/Admin/Top", "admin"), ("a=/Login", "login"), ("a/ ~ ^/[A-Z]{2}/", "land")]);
    for (path, expected) in [("/admin/top/Me", "/Admin/Top/me"), ("/login", "/Login"), ("/de/x", "/DE/X")] {
        let considered = table.consider("a", &Request::get(path).body(()).unwrap());
        assert_eq!(considered.other_reading.as_deref(), Some(expected), "{path}");
    }
}

#[test]
fn a_rule_with_exact_case_is_not_meant_in_another_case() {
    let mut table = table(&[("a/", "all"), ("a/docs", "docs")]);
    for (path, target) in [("/Blog", "to blog"), ("/readme", "to README"), ("/Docs", "to docs")] {
        table.insert("a".parse().unwrap(), Rule::new(prefix(path)).exact_case(), target).unwrap();
    }
    for (path, expected) in [
        ("/Blog/x", Ok("to blog")),
        ("/blog/x", Ok("all")),
        ("/BLOG/x", Ok("all")),
        ("/readme", Ok("to README")),
        ("/README", Ok("all")),
        ("/Docs", Ok("to docs")),
        ("/docs", Ok("docs")),
        ("/DOCS", Err(NoRoute::Ambiguous)),
        ("//Blog/x", Err(NoRoute::Ambiguous)),
        ("//blog/x", Ok("all")),
    ] {
        assert_eq!(table.find("a", path).copied(), expected, "{path}");
    }
    // Another rule for the same path counts.
    let get = Rule::new(prefix("/Blog")).when(Conditions::new().methods([Method::GET]));
    table.insert("a".parse().unwrap(), get, "get").unwrap();
    assert_eq!(table.find("a", "/blog/x"), Err(NoRoute::Ambiguous));
}

#[test]
fn paths_can_be_ambiguous_even_with_a_single_route() {
    let table = table(&[("a/foo", "foo")]);
    assert_eq!(table.find("a", "/foo/..//bar"), Err(NoRoute::Ambiguous));
    assert_eq!(table.find("a", "/bar/../foo"), Err(NoRoute::NotFound));
}

#[test]
fn the_rest_after_the_prefix_must_not_match_another_route() {
    let table = table(&[
        ("a/api", "api"),
        ("a/api/admin", "admin"),
        ("a/v/1", "v"),
        ("b/api", "api"),
        ("b/api/api/admin", "inner"),
    ]);
    for (path, expected) in [
        ("/api", Ok("api")),
        ("/api/", Ok("api")),
        ("/api//", Ok("api")),
        ("/api//x", Ok("api")),
        ("/api//x/administrator", Ok("api")),
        ("/api//x/admin", Err(NoRoute::Ambiguous)),
        ("/api///x/admin", Err(NoRoute::Ambiguous)),
        ("/api//user@x:9/admin", Err(NoRoute::Ambiguous)),
        ("/api//x/../admin", Err(NoRoute::Ambiguous)),
        ("/api//x/y/../admin", Err(NoRoute::Ambiguous)),
        ("/api//.//admin", Err(NoRoute::Ambiguous)),
        ("/api/%2fx/admin", Err(NoRoute::Ambiguous)),
        ("/api/%5cx/admin", Err(NoRoute::Ambiguous)),
        ("/api/\\x/admin", Err(NoRoute::Ambiguous)),
        ("/api/;/x/admin", Err(NoRoute::Ambiguous)),
        ("/api/.//x/admin", Err(NoRoute::Ambiguous)),
        ("/api//x/%61dmin", Err(NoRoute::Ambiguous)),
        ("/api//x%3f/admin", Err(NoRoute::Ambiguous)),
        ("/api/..//admin", Err(NoRoute::Ambiguous)),
        ("/api/admin//x/y", Ok("admin")),
        ("/api;/admin", Err(NoRoute::NotFound)),
        ("/v/1//x/api/admin", Ok("v")),
    ] {
        assert_eq!(table.find("a", path).copied(), expected, "{path}");
    }
    // The whole path means `/api/admin`, which has the same route. But its rest `/../api/admin` can be read as
    // `/api/admin`, which with the prefix is `/api/api/admin`.
    assert_eq!(table.find("b", "/api/../api/admin"), Err(NoRoute::Ambiguous));
    assert_eq!(table.find("b", "/api/../api/user"), Ok(&"api"));
}

#[test]
fn duplicate_routes_are_rejected() {
    let mut table = table(&[("a/foo", "first")]);
    assert_eq!(table.insert("A".parse().unwrap(), prefix("/foo/"), "second"), Err(DuplicateRoute));
    assert_eq!(table.find("a", "/foo"), Ok(&"first"));
}

#[test]
fn an_exact_path_comes_before_a_regex_and_a_regex_before_its_prefix() {
    let mut routes = [
        ("a/", "root"),
        ("a/ ~ ^/[0-9]+$", "digits"),
        ("a/ ~ \\.png$", "image"),
        ("a=/", "home"),
        ("a=/api", "api itself"),
        ("a/api", "api"),
        ("a/api ~ /v[0-9]+(/|$)", "version"),
        ("a=/api/v1/", "v1/"),
        ("a/api/v3", "v3"),
        ("*.a=/x", "x"),
        ("b.a/ ~ ^/xy", "b"),
        ("*.a/api ~ z$", "z"),
    ];
    for _ in 0..routes.len() {
        routes.rotate_left(1);
        let table = table(&routes);
        for (host, path, expected) in [
            ("a", "/", Some("home")),
            ("a", "*", Some("root")),
            ("a", "/42", Some("digits")),
            ("a", "/42/", Some("root")),
            ("a", "/x/y.png", Some("image")),
            ("a", "/api", Some("api itself")),
            ("a", "/api/", Some("api")),
            ("a", "/api/x.png", Some("api")),
            ("a", "/api/v1", Some("version")),
            ("a", "/api/v1/", Some("v1/")),
            ("a", "/api/v1/x", Some("version")),
            ("a", "/api/x/v1", Some("version")),
            // The prefix is longer.
            ("a", "/api/v3", Some("v3")),
            ("a", "/apis/v1", Some("root")),
            ("b.a", "/x", Some("x")),
            ("b.a", "/x/", None),
            ("b.a", "/xyz", Some("b")),
            ("b.a", "/api/z", Some("z")),
            ("b.a", "/z", None),
        ] {
            assert_eq!(table.find(host, path).ok().copied(), expected, "{host}{path}");
            assert_eq!(table.find_literal(host, path).copied(), expected, "{host}{path}");
        }
    }
}

#[test]
fn regexes_are_tried_in_the_order_of_insertion() {
    let routes = [("a/ ~ x", "x"), ("a/ ~ y", "y")];
    assert_eq!(table(&routes).find("a", "/xy"), Ok(&"x"));
    assert_eq!(table(&[routes[1], routes[0]]).find("a", "/xy"), Ok(&"y"));
}

#[test]
fn a_path_that_could_mean_an_exact_path_is_rejected() {
    let table = table(&[
        ("a/", "all"),
        ("a=/admin", "admin"),
        ("a=/caf%C3%A9", "coffee"),
        ("b/api", "api"),
        ("b=/api/admin", "admin"),
        ("*.c/", "any"),
        ("*.c=/", "home"),
    ]);
    for (host, path, expected) in [
        ("a", "/admin", Ok("admin")),
        ("a", "/admin/", Ok("all")),
        ("a", "/admin/x", Ok("all")),
        ("a", "/administrator;x", Ok("all")),
        ("a", "/caf%C3%A9", Ok("coffee")),
        ("a", "/caf%C3%A9/x", Ok("all")),
        ("a", "/caf%c3%a9", Err(NoRoute::Ambiguous)),
        ("a", "/café", Err(NoRoute::Ambiguous)),
        ("a", "//admin", Err(NoRoute::Ambiguous)),
        ("a", "//host/admin", Err(NoRoute::Ambiguous)),
        ("a", "/x/../admin", Err(NoRoute::Ambiguous)),
        ("a", "/%61dmin", Err(NoRoute::Ambiguous)),
        ("a", "/%2561dmin", Err(NoRoute::Ambiguous)),
        ("a", "/admin;x", Err(NoRoute::Ambiguous)),
        ("a", "/admin%00.png", Err(NoRoute::Ambiguous)),
        ("a", "/admin%3Fx", Err(NoRoute::Ambiguous)),
        ("a", "/x%2F..%2Fadmin", Err(NoRoute::Ambiguous)),
        // Go and Python leave no slash at the end.
        ("a", "/admin/.", Err(NoRoute::Ambiguous)),
        ("a", "/admin/x/..", Err(NoRoute::Ambiguous)),
        ("a", "/admin/x/%2e%2e", Err(NoRoute::Ambiguous)),
        ("a", "/admin//", Ok("all")),
        ("b", "/api/admin", Ok("admin")),
        ("b", "/api//admin", Err(NoRoute::Ambiguous)),
        ("b", "/api//x/admin", Err(NoRoute::Ambiguous)),
        ("b", "/api//x/admin/", Ok("api")),
        ("b", "/api/admin/.", Err(NoRoute::Ambiguous)),
        ("x.c", "/", Ok("home")),
        ("x.c", "/x", Ok("any")),
        ("x.c", "/x/..", Err(NoRoute::Ambiguous)),
        ("x.c", "//x", Err(NoRoute::Ambiguous)),
        ("x.c", "/;x", Err(NoRoute::Ambiguous)),
    ] {
        assert_eq!(table.find(host, path).copied(), expected, "{host}{path}");
    }
}

#[test]
fn all_readings_of_a_path_must_match_the_same_regex() {
    let table = table(&[
        ("a/", "all"),
        ("a/ ~ ^/u/[^/]+$", "user"),
        ("a/ ~ ^/(%41|%7B)$", "encoded"),
        ("a/ ~ ^/..?$", "short"),
        ("b/api", "api"),
        ("b/api ~ ^/api/[a-z]+$", "word"),
        ("c/ ~ .", "everything"),
        ("*.d/ ~ [{}]", "braces"),
        ("x.d/x", "x"),
    ]);
    for (host, path, expected) in [
        ("a", "/u/ann", Ok("user")),
        ("a", "/u/ann/", Ok("all")),
        ("a", "/u/ann;x", Ok("user")),
        ("a", "/u/%61nn", Ok("user")),
        ("a", "/u//ann", Err(NoRoute::Ambiguous)),
        ("a", "/u/ann/x/..", Err(NoRoute::Ambiguous)),
        ("a", "/u/ann/.", Err(NoRoute::Ambiguous)),
        ("a", "/u/ann%2Fx", Err(NoRoute::Ambiguous)),
        ("a", "/u/..", Err(NoRoute::Ambiguous)),
        ("a", "/u/{}", Ok("user")),
        // As written, it matches `encoded`. Some backends read it as `/A`, which matches `short`.
        ("a", "/%41", Err(NoRoute::Ambiguous)),
        ("a", "/%7B", Ok("encoded")),
        ("a", "/%7b", Err(NoRoute::Ambiguous)),
        // Not allowed in a path, and treated as if it were encoded.
        ("a", "/{", Err(NoRoute::Ambiguous)),
        ("a", "/é", Err(NoRoute::Ambiguous)),
        ("a", "/ab", Ok("short")),
        ("b", "/api/word", Ok("word")),
        ("b", "/api/word/x", Ok("api")),
        ("b", "/api/word/x/y;z", Ok("api")),
        ("b", "/api//x/word", Err(NoRoute::Ambiguous)),
        ("b", "/api//word", Err(NoRoute::Ambiguous)),
        ("b", "/api/w%6Frd", Err(NoRoute::Ambiguous)),
        // There is no other route.
        ("c", "//x/..;/%2f", Ok("everything")),
        ("x.d", "/x/{", Ok("x")),
        ("y.d", "/y{", Err(NoRoute::Ambiguous)),
        ("y.d", "/y", Err(NoRoute::NotFound)),
    ] {
        assert_eq!(table.find(host, path).copied(), expected, "{host}{path}");
    }
}

#[test]
fn conditions_choose_among_the_rules_of_a_path() {
    let (get, post) = (|| Conditions::new().methods([Method::GET]), || Conditions::new().methods([Method::POST]));
    let beta = |conditions: Conditions| conditions.header(HeaderName::from_static("x-beta"), "*");
    let mut table = table(&[("a/", "root"), ("*.b/", "wildcard"), ("d/api", "api")]);
    let mut insert = |route: &str, conditions: Conditions, target| {
        let (host, path) = place(route);
        table.insert(host, Rule::new(path).when(conditions), target).unwrap();
    };
    insert("a/admin", post(), "post");
    insert("a/admin", Conditions::new().query("page", "2"), "page 2");
    insert("a/admin", beta(post()), "beta post");
    insert("a=/one", post(), "post one");
    insert("a/ ~ ^/v[0-9]$", get(), "get version");
    insert("x.b/", get(), "get b");
    insert("c/", beta(Conditions::new()), "beta c");
    insert("d/api", beta(Conditions::new()), "beta api");
    insert("d/api", get(), "get api");
    insert("e/", get(), "get e");
    insert("e/", beta(Conditions::new().methods([Method::PUT])), "beta put e");
    let not_allowed = |methods: &[Method]| Err(NoRoute::MethodNotAllowed(Box::new(methods.iter().cloned().collect())));
    for (method, host, path, is_beta, expected) in [
        (Method::POST, "a", "/admin", false, Ok("post")),
        (Method::POST, "a", "/admin/x", true, Ok("beta post")),
        (Method::GET, "a", "/admin?page=2", false, Ok("page 2")),
        // In the order of insertion.
        (Method::POST, "a", "/admin?page=2", true, Ok("page 2")),
        // Never the route of `/`.
        (Method::GET, "a", "/admin", false, not_allowed(&[Method::POST])),
        (Method::GET, "a", "/admin", true, not_allowed(&[Method::POST])),
        (Method::OPTIONS, "a", "/one", false, not_allowed(&[Method::POST])),
        (Method::GET, "a", "/one/", false, Ok("root")),
        (Method::HEAD, "a", "/v1", false, Ok("get version")),
        (Method::POST, "a", "/v1", false, not_allowed(&[Method::GET])),
        (Method::POST, "x.b", "/", false, not_allowed(&[Method::GET])),
        (Method::POST, "y.b", "/", false, Ok("wildcard")),
        (Method::GET, "c", "/", true, Ok("beta c")),
        (Method::GET, "c", "/", false, Err(NoRoute::NotFound)),
        (Method::GET, "d", "/api", true, Ok("beta api")),
        (Method::GET, "d", "/api", false, Ok("get api")),
        (Method::PUT, "d", "/api", false, Ok("api")),
        (Method::PUT, "e", "/", true, Ok("beta put e")),
        (Method::PUT, "e", "/", false, not_allowed(&[Method::GET])),
        (Method::POST, "e", "/", true, not_allowed(&[Method::GET, Method::PUT])),
        // The path decides first. A request without a route is not ambiguous.
        (Method::POST, "a", "//admin", false, Err(NoRoute::Ambiguous)),
        (Method::POST, "a", "/admin/..", false, Err(NoRoute::Ambiguous)),
        (Method::GET, "a", "/admin/..", false, not_allowed(&[Method::POST])),
        (Method::GET, "c", "//x", true, Ok("beta c")),
    ] {
        let mut request = Request::builder().method(&method).uri(path);
        if is_beta {
            request = request.header("x-beta", "1");
        }
        let found = table.find_for(host, &request.body(()).unwrap()).copied();
        assert_eq!(found, expected, "{method} {host}{path} {is_beta}");
    }
}

#[test]
fn the_chosen_rule_decides_whether_ambiguous_paths_are_accepted() {
    let mut table = table(&[("a/", "all"), ("a/api", "api")]);
    let get = Conditions::new().methods([Method::GET]);
    table.insert("a".parse().unwrap(), Rule::new(prefix("/api")).when(get).literal(), "literal").unwrap();
    let request = |method| Request::builder().method(method).uri("/api/..").body(()).unwrap();
    assert_eq!(table.find_for("a", &request(Method::GET)), Ok(&"literal"));
    assert_eq!(table.find_for("a", &request(Method::POST)), Err(NoRoute::Ambiguous));
}

#[test]
fn duplicate_rules_are_rejected() {
    let mut table = table(&[("a/foo", "first"), ("a=/foo", "exact"), ("a/foo ~ x", "regex"), ("a/bar ~ x", "other")]);
    let get = || Conditions::new().methods([Method::GET]);
    let mut insert = |route: &str, conditions: Conditions| {
        let (host, path) = place(route);
        table.insert(host, Rule::new(path).when(conditions).literal(), "second").is_ok()
    };
    for route in ["a/foo", "a=/foo", "a/foo ~ x"] {
        assert!(!insert(route, Conditions::new()), "{route}");
        assert!(insert(route, get()), "{route}");
        assert!(!insert(route, get().methods([Method::HEAD, Method::GET])), "{route}");
        assert!(!insert(route, Conditions::new()), "{route}");
        assert!(insert(route, get().query("a", "")), "{route}");
    }
    for route in ["*.a/foo", "a=/foo/", "a/foo ~ y", "a/ ~ x"] {
        assert!(insert(route, Conditions::new()), "{route}");
    }
}

#[test]
fn the_order_in_which_hosts_are_added_does_not_matter() {
    let mut routes = [("*.d/ ~ [{}]", "braces"), ("*.x.d/y", "y"), ("z.x.d/z", "z"), ("d/y", "other")];
    for _ in 0..routes.len() {
        routes.rotate_left(1);
        let table = table(&routes);
        for (host, path, expected) in [
            ("z.x.d", "/z", Ok("z")),
            ("z.x.d", "/a{", Err(NoRoute::Ambiguous)),
            ("a.x.d", "/a{", Err(NoRoute::Ambiguous)),
            ("a.x.d", "/y{", Err(NoRoute::Ambiguous)),
            ("a.x.d", "/y/{", Ok("y")),
            ("d", "/y/{", Ok("other")),
        ] {
            assert_eq!(table.find(host, path).copied(), expected, "{host}{path} {routes:?}");
        }
    }
}

#[test]
fn routes_are_listed_in_the_order_in_which_they_are_tried() {
    let ordered = [
        "a=/", "a=/z", "a/b/c", "a/b ~ 2", "a/b ~ 1", "a/b", "a/d ~ 3", "a/ ~ 4", "a/", "b/x", "*.long/", "*.a=/x",
        "*.b/",
    ];
    // Only regexes are tried in the order of insertion.
    for turn in [|index: usize| index, |index| (index * 5 + 2) % 13] {
        let mut table = RouteTable::new();
        let mut routes: Vec<_> = (0..ordered.len()).map(|index| ordered[turn(index)]).collect();
        let (first, second) =
            (routes.iter().position(|r| *r == "a/b ~ 2"), routes.iter().position(|r| *r == "a/b ~ 1"));
        if first > second {
            routes.swap(first.unwrap(), second.unwrap());
        }
        for route in routes {
            let (host, path) = place(route);
            table.insert(host, path, route).unwrap();
        }
        let listed: Vec<_> = table.in_order().iter().map(|listed| *listed.target).collect();
        assert_eq!(listed, ordered);
    }
}

#[test]
fn a_rule_is_hidden_by_an_earlier_one_that_covers_it() {
    let mut table = RouteTable::new();
    let get = || Conditions::new().methods([Method::GET]);
    for (conditions, target) in [
        (Conditions::new(), "all"),
        (get(), "get"),
        (get().query("a", "1"), "a is 1"),
        (get().query("a", "*"), "any a"),
        (Conditions::new().query("a", "12"), "a is 12"),
        (get().query("a", "13"), "a is 13"),
    ] {
        table.insert("a".parse().unwrap(), Rule::new(prefix("/")).when(conditions), target).unwrap();
    }
    let hidden: Vec<_> = table.in_order().iter().map(|listed| (*listed.target, listed.hidden_by.copied())).collect();
    let expected = [
        ("a is 1", None),
        ("any a", None),
        ("a is 12", None),
        ("a is 13", Some("any a")),
        ("get", None),
        ("all", None),
    ];
    assert_eq!(hidden, expected);
}
