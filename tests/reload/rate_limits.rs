//! Limits of routes over a reload.

use crate::{
    reload,
    support::{Client, Program},
};

const LIMIT: &str = "requests = 2, per = \"1h\"";

fn file(name: &str, rest: &str) -> String {
    format!("[[routes]]\n{name}host = \"a.test\"\nrespond = 204\n{rest}\n")
}

/// The statuses of this many requests, each on a new connection.
fn statuses(program: &Program, count: usize) -> Vec<u16> {
    (0..count).map(|_| Client::connect(program.http()).get("a.test", "/").status).collect()
}

#[test]
fn buckets_are_kept_if_name_and_limit_are_the_same() {
    let limit = format!("rate_limit = {{ {LIMIT} }}");
    let program = crate::start(&file("", &limit));
    assert_eq!(statuses(&program, 1), [204]);
    // Nothing has changed.
    reload(&program, &file("", &limit));
    assert_eq!(statuses(&program, 2), [204, 429]);
    for rest in [
        // The route has changed, but not its limit.
        format!("{limit}\nresponse_headers = {{ x-a = \"b\" }}"),
        format!("rate_limit = {{ {LIMIT}, burst = 2, key = \"client\" }}\nmax_in_flight = 5"),
    ] {
        reload(&program, &file("", &rest));
        assert_eq!(statuses(&program, 1), [429], "{rest}");
    }
    for rest in [
        // Another limit.
        "rate_limit = { requests = 3, per = \"1h\", burst = 2 }",
        "rate_limit = { requests = 3, per = \"1h\", burst = 2, key = \"route\" }",
        // No limit, and then the first one again.
        "",
        &limit,
    ] {
        reload(&program, &file("", rest));
        let last = if rest.is_empty() { 204 } else { 429 };
        assert_eq!(statuses(&program, 3), [204, 204, last], "{rest}");
    }
    // Another name.
    reload(&program, &file("name = \"app\"\n", &limit));
    assert_eq!(statuses(&program, 3), [204, 204, 429]);
    // The same name, in another place.
    let moved = file("name = \"app\"\n", &limit).replace("respond", "prefix = \"/\"\nmethods = \"GET\"\nrespond");
    reload(&program, &moved);
    assert_eq!(statuses(&program, 1), [429]);
}

#[test]
fn requests_in_flight_count_over_a_reload() {
    let (backend, release) = crate::kept::backend();
    let route = |max| format!("{}max_in_flight = {max}\n", crate::route("a.test", backend.address));
    let program = crate::start(&route(2));
    let mut held = crate::kept::held(&program, "a.test");
    assert_eq!(statuses(&program, 1), [200]);
    reload(&program, &route(1));
    assert_eq!(statuses(&program, 1), [503]);
    release.send(()).unwrap();
    assert_eq!(held.take(4), b"half");
    crate::eventually("the response has ended", || statuses(&program, 1) == [200]);
}
