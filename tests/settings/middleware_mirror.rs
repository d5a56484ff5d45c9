//! `mirror`.

use pmesh::settings::Mirror;

use crate::Start;

const ROUTE: &str = "[[routes]]\nhost = \"a.test\"\nupstream = \"a:1\"\n";

#[test]
fn an_address_or_a_table_is_inherited() {
    let file = format!(
        "[defaults]\nmirror = {{ upstream = \"b:2\", percent = 10 }}\n{ROUTE}\
         [[routes.routes]]\nprefix = \"/a\"\nmirror = {{ percent = 5, max_body = \"1MiB\", max_in_flight = 7 }}\n\
         [[routes.routes]]\nprefix = \"/b\"\nmirror = \"https://c\"\n\
         [[routes.routes]]\nprefix = \"/c\"\nmirror = false\n\
         [[routes.routes]]\nprefix = \"/d\"\nredirect = \"/\"\n"
    );
    let routes = Start::new().file(&file).loaded().settings.routes;
    let found: Vec<_> = routes.iter().map(|route| route.middleware.mirror.clone()).collect();
    let mirror = |upstream: &str, percent, max_body, max_in_flight| {
        Some(Mirror { upstream: upstream.parse().unwrap(), percent, max_body, max_in_flight })
    };
    let of_defaults = mirror("b:2", 10, 65536, 100);
    assert_eq!(
        found,
        [of_defaults.clone(), mirror("b:2", 5, 1 << 20, 7), mirror("https://c", 100, 65536, 100), None, of_defaults]
    );
    assert_eq!(routes[0].middleware.keys, ["mirror"]);
    assert!(routes[3].middleware.is_empty());
    // A route without an upstream has nothing to mirror.
    assert!(routes[0].mirror().is_some() && routes[4].mirror().is_none());
}

#[test]
fn tls_can_be_for_the_mirror_only() {
    let with = |mirror: &str| format!("{ROUTE}mirror = {mirror}\ntls = {{ server_name = \"b.test\" }}\n");
    for mirror in ["\"https://b\"", "{ upstream = \"h2://b\" }"] {
        Start::new().file(&with(mirror)).loaded();
    }
    let error = Start::new().file(&with("\"b:2\"")).error();
    assert!(error.contains("`tls` is for upstreams with TLS"), "{error}");
}

#[test]
fn mistakes_say_what_to_write() {
    let with = |key: &str, value: &str| format!("mirror = {{ upstream = \"b:2\", {key} = {value} }}");
    let upstream = "expected an upstream such as 127.0.0.1:9001, https://name or unix:/run/app.sock, found";
    let nothing = "nothing would be copied; to switch the mirror off, write mirror = false";
    for (keys, at, expected) in [
        ("mirror = true", "", &*format!("{upstream} true")),
        ("mirror = [\"b:2\", \"c:3\"]", "", &format!("{upstream} a list")),
        (
            "mirror = \"b\"",
            "",
            &format!("{upstream} \"b\": the port is missing: write b:8080 for port 8080, or http://b for port 80"),
        ),
        ("mirror = \"mesh://b\"", "", "a mirror cannot be another node: write the address of a backend"),
        ("mirror = { percent = 10 }", "", "no upstream: write { upstream = \"127.0.0.1:9002\" }"),
        (&with("percent", "0"), ".percent", &format!("expected a whole number from 1 to 100, found 0: {nothing}")),
        (&with("percent", "101"), ".percent", "expected a whole number from 1 to 100, found 101"),
        (&with("percent", "\"10%\""), ".percent", "expected a whole number from 1 to 100, found \"10%\""),
        (
            &with("max_body", "\"17MiB\""),
            ".max_body",
            "expected a size up to 16MiB, such as 64KiB; 0 for requests without a body only, found \"17MiB\"",
        ),
        (
            &with("max_in_flight", "0"),
            ".max_in_flight",
            &format!("expected a number from 1 to 1000000, found 0: {nothing}"),
        ),
        (&with("percentage", "1"), ".percentage", "unknown key; did you mean `percent`?"),
    ] {
        let file = format!("{ROUTE}{keys}\n");
        let expected = format!("[DIR]/config.toml:4: routes[0].mirror{at}: {expected}");
        assert_eq!(Start::new().file(&file).error(), expected, "{keys}");
    }
    for key in ["mirroring", "request_mirror_policies", "shadow"] {
        let file = format!("{ROUTE}{key} = 1\n");
        let expected = format!("[DIR]/config.toml:4: routes[0].{key}: unknown key: write mirror = \"127.0.0.1:9002\"");
        assert_eq!(Start::new().file(&file).error(), expected);
    }
}
