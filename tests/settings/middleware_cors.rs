//! `cors`: values, inheritance, and mistakes.

use std::time::Duration;

use http::Method;
use pmesh::settings::{Allowed, Cors};

use crate::Start;

const ROUTE: &str = "[[routes]]\nhost = \"a.test\"\nupstream = \"a:1\"\n";

fn read(file: &str) -> Vec<Option<Cors>> {
    Start::new().file(file).loaded().settings.routes.into_iter().map(|route| route.middleware.cors).collect()
}

fn only<T, const N: usize>(values: [&str; N]) -> Allowed<T>
where
    T: for<'a> TryFrom<&'a str>,
{
    Allowed::Only(values.iter().map(|value| T::try_from(value).unwrap_or_else(|_| panic!("{value}"))).collect())
}

#[test]
fn keys_merge_with_those_of_the_parent() {
    let all = read(
        r#"
        [defaults]
        cors = { origins = "https://Example.com", max_age = "1h" }
        [[routes]]
        host = "a.test"
        upstream = "a:1"
        [[routes.routes]]
        prefix = "/more"
        cors = { methods = ["PUT"], headers = ["X-Team"], expose_headers = "x-total", credentials = true, max_age = "0s" }
        [[routes.routes]]
        prefix = "/all"
        cors = { origins = "*", methods = "*", headers = ["*"], max_age = false }
        [[routes.routes]]
        prefix = "/apps"
        cors = { origins = ["capacitor://localhost", "http://[::1]:3000", "https://xn--bcher-kva.example"] }
        [[routes.routes]]
        prefix = "/off"
        cors = false
        "#,
    );
    let plain = Cors {
        origins: only(["https://example.com"]),
        methods: only([]),
        headers: only([]),
        expose_headers: only([]),
        credentials: false,
        max_age: Some(Duration::from_secs(3600)),
    };
    let more = Cors {
        methods: Allowed::Only(vec![Method::PUT]),
        headers: only(["x-team"]),
        expose_headers: only(["x-total"]),
        credentials: true,
        max_age: Some(Duration::ZERO),
        ..plain.clone()
    };
    let open =
        Cors { origins: Allowed::All, methods: Allowed::All, headers: Allowed::All, max_age: None, ..plain.clone() };
    let apps = Cors {
        origins: only(["capacitor://localhost", "http://[::1]:3000", "https://xn--bcher-kva.example"]),
        ..plain.clone()
    };
    assert_eq!(all, [Some(plain), Some(more), Some(open), Some(apps), None]);
}

#[test]
fn mistakes_say_what_to_write() {
    let origin = "expected an origin such as \"https://example.com\", or \"*\", found";
    for (keys, expected) in [
        (
            "cors = true",
            "cors: expected a table such as { origins = [\"https://example.com\"] }, found true".to_owned(),
        ),
        (
            "cors = { methods = [\"GET\"] }",
            "cors: no origins: write origins = [\"https://example.com\"], or origins = \"*\" for all".to_owned(),
        ),
        (
            "cors = { origins = [] }",
            "cors.origins: no origin: name at least one; to switch this off, write cors = false".to_owned(),
        ),
        (
            "cors = { origins = \"https://a.test/\" }",
            format!(
                "cors.origins: {origin} \"https://a.test/\": an origin ends after host and port: write \"https://a.test\""
            ),
        ),
        (
            "cors = { origins = [\"https://a.test:8443/app\"] }",
            format!(
                "cors.origins[0]: {origin} \"https://a.test:8443/app\": an origin ends after host and port: write \
                 \"https://a.test:8443\""
            ),
        ),
        ("cors = { origins = \"a.test\" }", format!("cors.origins: {origin} \"a.test\": write \"https://a.test\"")),
        (
            "cors = { origins = \"https://a.test:443\" }",
            format!(
                "cors.origins: {origin} \"https://a.test:443\": browsers leave out the default port: write \
                 \"https://a.test\""
            ),
        ),
        (
            "cors = { origins = \"https://*.a.test\" }",
            format!("cors.origins: {origin} \"https://*.a.test\": name each origin in full, or write \"*\" for all"),
        ),
        (
            "cors = { origins = \"null\" }",
            format!("cors.origins: {origin} \"null\": any page can send this origin, from a sandboxed frame"),
        ),
        (
            "cors = { origins = \"https://bücher.test\" }",
            format!(
                "cors.origins: {origin} \"https://bücher.test\": write the name in ASCII, as browsers send it: it \
                 begins with xn--"
            ),
        ),
        (
            "cors = { origins = [\"https://a.test\", \"*\"] }",
            "cors.origins[1]: \"*\" allows all, so the others have no effect: remove them, or \"*\"".to_owned(),
        ),
        (
            "cors = { origins = \"*\", credentials = true }",
            "cors.origins: with credentials = true ([DIR]/config.toml:4), browsers do not treat \"*\" as all (Fetch \
             standard): name each origin"
                .to_owned(),
        ),
        (
            "cors = { origins = \"https://a.test\", headers = [\"*\"], credentials = true }",
            "cors.headers: with credentials = true ([DIR]/config.toml:4), browsers do not treat \"*\" as all (Fetch \
             standard): name each header"
                .to_owned(),
        ),
        (
            "cors = { origins = \"*\", methods = [\"put\"] }",
            "cors.methods[0]: expected a method such as GET, found \"put\": write \"PUT\"".to_owned(),
        ),
        (
            "cors = { origins = \"*\", max_age = 600 }",
            "cors.max_age: expected a duration such as 1h, or 0s to let browsers remember nothing, found 600: add a \
             unit, as in \"600s\""
                .to_owned(),
        ),
        ("cors = { origin = \"*\" }", "cors.origin: unknown key; did you mean `origins`?".to_owned()),
        (
            "accessControlAllowOriginList = [\"*\"]",
            "accessControlAllowOriginList: unknown key: write cors = { origins = [\"https://example.com\"] }"
                .to_owned(),
        ),
    ] {
        let file = format!("{ROUTE}{keys}\n");
        assert_eq!(Start::new().file(&file).error(), format!("[DIR]/config.toml:4: routes[0].{expected}"), "{keys}");
    }
}
