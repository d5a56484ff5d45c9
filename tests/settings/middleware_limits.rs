//! `rate_limit` and `max_in_flight`.

use std::time::Duration;

use pmesh::settings::Middleware;
use pmesh_layers::rate_limit::{RateLimit, RateLimitKey};

use crate::Start;

const ROUTE: &str = "[[routes]]\nhost = \"a.test\"\nupstream = \"a:1\"\n";

fn middleware(file: &str) -> Vec<Middleware> {
    let routes = Start::new().file(file).variable("RATE", "5").loaded().settings.routes;
    routes.into_iter().map(|route| route.middleware).collect()
}

fn limit(requests: u32, seconds: u64, burst: u32) -> RateLimit {
    RateLimit::new(requests, Duration::from_secs(seconds)).and_then(|limit| limit.burst(burst)).expect("a limit")
}

#[test]
fn rate_limits_are_merged_by_key() {
    let all = middleware(
        r#"
        [defaults]
        rate_limit = { requests = 100, per = "1m", burst = 20 }
        [[routes]]
        host = "a.test"
        upstream = "a:1"
        [[routes.routes]]
        prefix = "/header"
        rate_limit = { key = "header:X-Api-Key", requests = 10 }
        [[routes.routes]]
        prefix = "/all"
        rate_limit = { key = "route", burst = false, per = "1h 30m" }
        [[routes.routes]]
        prefix = "/client"
        rate_limit = { key = "client", requests = "${RATE}" }
        [[routes.routes]]
        prefix = "/off"
        rate_limit = false
        "#,
    );
    let found: Vec<_> = all.into_iter().map(|middleware| middleware.rate_limit).collect();
    let header = RateLimitKey::Header("x-api-key".parse().unwrap());
    assert_eq!(
        found,
        [
            Some(limit(100, 60, 20)),
            Some(limit(10, 60, 20).key(header)),
            Some(limit(100, 5400, 100).key(RateLimitKey::All)),
            Some(limit(5, 60, 20)),
            None
        ]
    );
}

#[test]
fn max_in_flight_is_inherited() {
    let all = middleware(&format!(
        "[defaults]\nmax_in_flight = 100\n{ROUTE}[[routes.routes]]\nprefix = \"/a\"\nmax_in_flight = 1\n\
         [[routes.routes]]\nprefix = \"/b\"\nmax_in_flight = false\n"
    ));
    let found: Vec<_> = all.iter().map(|middleware| middleware.max_in_flight).collect();
    assert_eq!(found, [Some(100), Some(1), None]);
    assert!(all[2].is_empty());
}

#[test]
fn mistakes_say_what_to_write() {
    let with = |key: &str, value: &str| format!("rate_limit = {{ requests = 1, per = \"1s\", {key} = {value} }}");
    let number = "expected a number from 1 to 1000000, found";
    let per = "expected a duration over 0 and up to a year, such as 1s, 1m or 1h, found";
    let key = "expected \"client\", \"header:NAME\" or \"route\", found";
    let nothing = "no request would ever pass";
    for (keys, at, expected) in [
        ("rate_limit = 100", "", "expected a table such as { requests = 100, per = \"1m\" }, found 100"),
        ("rate_limit = true", "", "expected a table such as { requests = 100, per = \"1m\" }, found true"),
        ("rate_limit = \"100\"", "", "expected a table such as { requests = 100, per = \"1m\" }, found \"100\""),
        ("rate_limit = \"100/s\"", "", "write rate_limit = { requests = 100, per = \"1s\" }"),
        ("rate_limit = \"10r/m\"", "", "write rate_limit = { requests = 10, per = \"1m\" }"),
        ("rate_limit = \"5 per hour\"", "", "write rate_limit = { requests = 5, per = \"1h\" }"),
        ("rate_limit = \"5 / 10s\"", "", "write rate_limit = { requests = 5, per = \"10s\" }"),
        ("rate_limit = { requests = 100 }", "", "no per: write { requests = 100, per = \"1m\" }"),
        ("rate_limit = { per = \"1m\" }", "", "no requests: write { requests = 100, per = \"1m\" }"),
        ("rate_limit = {}", "", "no requests: write { requests = 100, per = \"1m\" }"),
        (&with("bust", "1"), ".bust", "unknown key; did you mean `burst`?"),
        (&with("burst", "0"), ".burst", &format!("{number} 0: {nothing}; to let nobody in, write respond = 403")),
        (&with("burst", "true"), ".burst", &format!("{number} true")),
        (
            "rate_limit = { requests = 0, per = \"1s\" }",
            ".requests",
            &format!("{number} 0: {nothing}; to let nobody in, write respond = 403"),
        ),
        ("rate_limit = { requests = 1000001, per = \"1s\" }", ".requests", &format!("{number} 1000001")),
        ("rate_limit = { requests = -1, per = \"1s\" }", ".requests", &format!("{number} -1")),
        ("rate_limit = { requests = 1, per = \"0s\" }", ".per", &format!("{per} \"0s\"")),
        ("rate_limit = { requests = 1, per = 1 }", ".per", &format!("{per} 1: add a unit, as in 1s or 1ms")),
        ("rate_limit = { requests = 1, per = \"minute\" }", ".per", &format!("{per} \"minute\": write \"1m\"")),
        ("rate_limit = { requests = 1, per = \"2 years\" }", ".per", &format!("{per} \"2 years\"")),
        ("rate_limit = { requests = 2, per = \"1ns\" }", ".per", "there is less than a nanosecond for each request"),
        (
            "rate_limit = { requests = 1, per = \"1d\", burst = 400 }",
            ".burst",
            "at this rate, the burst would take longer than a year to come back",
        ),
        (&with("key", "\"ip\""), ".key", &format!("{key} \"ip\": write \"client\"")),
        (&with("key", "\"global\""), ".key", &format!("{key} \"global\": write \"route\"")),
        (&with("key", "\"x-api-key\""), ".key", &format!("{key} \"x-api-key\": write \"header:x-api-key\"")),
        (&with("key", "\"cookie:id\""), ".key", &format!("{key} \"cookie:id\"")),
        (&with("key", "\"header:\""), ".key", &format!("{key} \"header:\": \"\" is not the name of a header")),
        (
            &with("key", "\"header:x-forwarded-for\""),
            ".key",
            &format!(
                "{key} \"header:x-forwarded-for\": write \"client\", and list the proxies in front in trusted_proxies"
            ),
        ),
    ] {
        let file = format!("{ROUTE}{keys}\n");
        let expected = format!("[DIR]/config.toml:4: routes[0].rate_limit{at}: {expected}");
        assert_eq!(Start::new().file(&file).error(), expected, "{keys}");
    }
    for (value, expected) in [
        ("0", "0: no request would ever pass; to remove the limit, write false"),
        ("true", "true"),
        ("\"100\"", "\"100\": write 100, without quotes"),
        ("{ amount = 1 }", "a table"),
    ] {
        let file = format!("{ROUTE}max_in_flight = {value}\n");
        let expected = format!("[DIR]/config.toml:4: routes[0].max_in_flight: {number} {expected}");
        assert_eq!(Start::new().file(&file).error(), expected, "{value}");
    }
}

#[test]
fn all_mistakes_in_a_limit_are_reported() {
    let file = format!("{ROUTE}rate_limit = {{ requests = 0, per = \"0s\", burst = 0, key = \"x\" }}\n");
    let error = Start::new().file(&file).error();
    assert_eq!(error.lines().filter(|line| line.contains("rate_limit.")).count(), 4, "{error}");
}

#[test]
fn names_from_other_programs_are_known() {
    let rate = "write rate_limit = { requests = 100, per = \"1m\", burst = 20 }";
    let in_flight = "write max_in_flight = 100; max_connections_per_client above the first [table] limits the connections of a client";
    for (key, expected) in [
        ("limit_req", rate),
        ("rateLimit", rate),
        ("rate-limits", rate),
        ("limit_conn", in_flight),
        ("maxconn", in_flight),
        ("inFlightReq", in_flight),
    ] {
        let file = format!("{ROUTE}{key} = 1\n");
        let expected = format!("[DIR]/config.toml:4: routes[0].{key}: unknown key: {expected}");
        assert_eq!(Start::new().file(&file).error(), expected);
    }
    let file = format!("{ROUTE}rate_limit = {{ average = 1, period = \"1s\" }}\n");
    let error = Start::new().file(&file).error();
    assert!(error.contains("rate_limit.average: unknown key: write requests"), "{error}");
    assert!(error.contains("rate_limit.period: unknown key: write per"), "{error}");
}
