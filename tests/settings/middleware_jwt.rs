//! `jwt`: values, inheritance, and mistakes.

use std::time::Duration;

use http::HeaderName;
use pmesh::settings::{Jwt, JwtKeys};
use pmesh_layers::jwt::{Algorithm, TokenSource};

use crate::Start;

const ROUTE: &str = "[[routes]]\nhost = \"a.test\"\nupstream = \"a:1\"\n";

fn read(jwt: &str) -> Jwt {
    let settings = Start::new().file(&format!("{ROUTE}jwt = {jwt}\n")).loaded().settings;
    settings.routes[0].middleware.jwt.clone().expect("jwt")
}

#[test]
fn everything_has_a_default_but_the_keys() {
    let jwt = read("{ keys = \"https://login.example.com/jwks\" }");
    let JwtKeys::Url { url, refresh, ca } = &jwt.keys else { panic!("{jwt:?}") };
    assert_eq!(
        (url.to_string().as_str(), *refresh, ca.is_none()),
        ("https://login.example.com/jwks", Duration::from_secs(300), true)
    );
    assert!(jwt.audience.is_empty() && jwt.issuer.is_empty() && jwt.require.is_empty() && jwt.claim_headers.is_empty());
    assert!(jwt.forward_token && jwt.require_exp && jwt.algorithms.is_empty());
    assert_eq!((jwt.from, jwt.leeway), (vec![TokenSource::Authorization], Duration::from_secs(60)));
}

#[test]
fn all_keys_are_read() {
    let jwt = read(
        r#"{ keys = "https://[::1]:8443/jwks", refresh = "1m", ca = "ca.pem", audience = ["a", "b"], issuer = "i",
             require = { role = ["x", "y"], email_verified = true }, claim_headers = { X-User = "sub" },
             from = ["header:X-Token", "cookie:token"], forward_token = false, algorithms = ["ES256", "EdDSA"], leeway = "0s",
             require_exp = false }"#,
    );
    let JwtKeys::Url { refresh, ca, .. } = &jwt.keys else { panic!("{jwt:?}") };
    assert_eq!(*refresh, Duration::from_secs(60));
    assert!(ca.as_ref().is_some_and(|ca| ca.path.is_absolute() && ca.path.ends_with("ca.pem")));
    assert_eq!((jwt.audience, jwt.issuer), (vec!["a".to_owned(), "b".to_owned()], vec!["i".to_owned()]));
    let require: Vec<_> = jwt.require.iter().map(|(claim, values)| format!("{claim}: {}", values.join(" "))).collect();
    assert_eq!(require, ["email_verified: true", "role: x y"]);
    assert_eq!(jwt.claim_headers, [(HeaderName::from_static("x-user"), "sub".to_owned())]);
    let header = TokenSource::Header(HeaderName::from_static("x-token"));
    assert_eq!(jwt.from, [header, TokenSource::Cookie("token".into())]);
    assert!(!jwt.forward_token && !jwt.require_exp && jwt.leeway.is_zero());
    assert_eq!(jwt.algorithms, [Algorithm::ES256, Algorithm::EDDSA]);
    // A path is relative to the file, a URL is not a path.
    let JwtKeys::File(path) = read("{ keys = \"keys.json\" }").keys else { panic!() };
    assert!(path.is_absolute() && path.ends_with("keys.json"));
    let JwtKeys::Secret(path) = read("{ secret_file = \"secret\" }").keys else { panic!() };
    assert!(path.is_absolute() && path.ends_with("secret"));
}

#[test]
fn tables_merge_by_key() {
    let file = r#"
        [defaults]
        jwt = { keys = "https://a.test/jwks", audience = "a", require = { role = "x" }, claim_headers = { x-user = "sub", x-team = "team" } }
        [[routes]]
        host = "a.test"
        upstream = "a:1"
        [[routes.routes]]
        prefix = "/own"
        jwt = { audience = "b", require = { role = false, level = "1" }, claim_headers = { X-User = "email", x-team = false } }
        [[routes.routes]]
        prefix = "/secret"
        jwt = { keys = false, secret_file = "secret" }
        [[routes.routes]]
        prefix = "/open"
        jwt = false
        "#;
    let routes = Start::new().file(file).loaded().settings.routes;
    let jwt = |index: usize| routes[index].middleware.jwt.as_ref();
    let own = jwt(1).unwrap();
    assert_eq!(own.keys, jwt(0).unwrap().keys);
    assert_eq!(
        (&*own.audience, &*own.require),
        (&["b".to_owned()][..], &[("level".to_owned(), vec!["1".to_owned()])][..])
    );
    assert_eq!(own.claim_headers, [(HeaderName::from_static("x-user"), "email".to_owned())]);
    let secret = jwt(2).unwrap();
    assert!(matches!(&secret.keys, JwtKeys::Secret(_)) && secret.audience == ["a"]);
    assert!(jwt(3).is_none());
    // Clients cannot send the headers of the others there.
    assert_eq!(routes[3].middleware.foreign_identity.names().collect::<Vec<_>>(), ["x-team", "x-user"]);
    assert_eq!(routes[0].middleware.keys, ["jwt"]);
}

#[test]
fn mistakes_say_what_to_write() {
    const AT: &str = "4: routes[0].jwt";
    const TABLE: &str =
        "expected a table such as { keys = \"https://login.example.com/.well-known/jwks.json\", audience = \"api\" }";
    const URL: &str = "expected a URL such as https://login.example.com/.well-known/jwks.json";
    const FROM: &str = "expected \"authorization\", \"header:NAME\" or \"cookie:NAME\"";
    const ALGORITHM: &str =
        "expected an algorithm: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA, HS256, HS384 or HS512";
    for (value, expected) in [
        ("true", format!("{AT}: {TABLE}, found true")),
        ("\"https://a.test/jwks\"", format!("{AT}: {TABLE}, found \"https://a.test/jwks\"")),
        (
            "{ audience = \"a\" }",
            format!(
                "{AT}: no keys: write keys = \"https://login.example.com/.well-known/jwks.json\", the URL that the issuer names as jwks_uri, or a file"
            ),
        ),
        (
            "{ keys = \"k\", secret_file = \"s\" }",
            format!(
                "{AT}.secret_file: tokens are verified either with `keys` ([DIR]/config.toml:4) or with a secret: remove one of them"
            ),
        ),
        ("{ keys = \"ftp://a.test/jwks\" }", format!("{AT}.keys: {URL}, found \"ftp://a.test/jwks\"")),
        ("{ keys = \"https://\" }", format!("{AT}.keys: {URL}, found \"https://\"")),
        (
            "{ keys = \"https://u:p@a.test/\" }",
            format!("{AT}.keys: {URL}, found \"https://u:***@a.test/\": a user and a password are not supported"),
        ),
        (
            "{ keys = \"https://a.test/.well-known/openid-configuration\" }",
            format!(
                "{AT}.keys: {URL}, found \"https://a.test/.well-known/openid-configuration\": write the URL in jwks_uri of this document"
            ),
        ),
        (
            "{ keys = \"k\", refresh = \"1m\" }",
            format!("{AT}.refresh: `refresh` is for keys at a URL, but these are in a file: remove it"),
        ),
        ("{ keys = \"http://a.test/\", ca = \"c\" }", format!("{AT}.ca: `ca` needs a URL with https")),
        ("{ keys = \"k\", audience = [] }", format!("{AT}.audience: an empty list: name at least one, or remove it")),
        ("{ keys = \"k\", issuer = 1 }", format!("{AT}.issuer: expected a name, found 1: write \"1\", in quotes")),
        (
            "{ keys = \"k\", algorithms = \"none\" }",
            format!(
                "{AT}.algorithms: {ALGORITHM}, found \"none\": anybody can make such tokens; to let everybody in, write jwt = false"
            ),
        ),
        (
            "{ keys = \"k\", algorithms = \"rs256\" }",
            format!("{AT}.algorithms: {ALGORITHM}, found \"rs256\": write \"RS256\""),
        ),
        ("{ keys = \"k\", algorithms = [\"ES512\"] }", format!("{AT}.algorithms[0]: {ALGORITHM}, found \"ES512\"")),
        (
            "{ keys = \"k\", claim_headers = \"x-user\" }",
            format!(
                "{AT}.claim_headers: expected a table such as {{ x-user = \"sub\", x-email = \"email\" }}, found \"x-user\""
            ),
        ),
        (
            "{ keys = \"k\", claim_headers = { Host = \"sub\" } }",
            format!("{AT}.claim_headers.Host: host cannot hold a claim: it belongs to the request"),
        ),
        (
            "{ keys = \"k\", claim_headers = { connection = \"sub\" } }",
            format!(
                "{AT}.claim_headers.connection: connection cannot hold a claim: it belongs to the connection, which pmesh manages"
            ),
        ),
        (
            "{ keys = \"k\", claim_headers = { x-forwarded-for = \"sub\" } }",
            format!("{AT}.claim_headers.x-forwarded-for: x-forwarded-for cannot hold a claim: pmesh sets it itself"),
        ),
        (
            "{ keys = \"k\", claim_headers = { authorization = \"sub\" } }",
            format!(
                "{AT}.claim_headers.authorization: authorization cannot hold a claim: clients send their own; choose another name, such as x-user"
            ),
        ),
        (
            "{ keys = \"k\", claim_headers = { x-user = true } }",
            format!("{AT}.claim_headers.x-user: expected a name, found true"),
        ),
        (
            "{ keys = \"k\", claim_headers = { \"x user\" = \"sub\" } }",
            format!("{AT}.claim_headers.\"x user\": expected the name of a header, found \"x user\""),
        ),
        (
            "{ keys = \"k\", require = { role = 1 } }",
            format!(
                "{AT}.require.role: expected the value of a claim, such as \"admin\" or true, found 1: write \"1\", in quotes"
            ),
        ),
        (
            "{ keys = \"k\", from = \"bearer\" }",
            format!("{AT}.from: {FROM}, found \"bearer\": write \"authorization\""),
        ),
        (
            "{ keys = \"k\", from = \"cookie:\" }",
            format!("{AT}.from: {FROM}, found \"cookie:\": \"\" is not the name of a cookie"),
        ),
        (
            "{ keys = \"k\", from = \"header:cookie\" }",
            format!("{AT}.from: {FROM}, found \"header:cookie\": write \"cookie:NAME\""),
        ),
        (
            "{ keys = \"k\", from = \"header:a b\" }",
            format!("{AT}.from: {FROM}, found \"header:a b\": \"a b\" is not the name of a header"),
        ),
        (
            "{ keys = \"k\", from = \"header:host\" }",
            format!("{AT}.from: {FROM}, found \"header:host\": host cannot hold a token"),
        ),
        (
            "{ keys = \"k\", from = \"query:token\" }",
            format!(
                "{AT}.from: {FROM}, found \"query:token\": a token in a URL ends up in logs, so it is not supported"
            ),
        ),
        (
            "{ keys = \"k\", leeway = \"1h\" }",
            format!("{AT}.leeway: expected a duration up to 10m, such as 30s, or 0s, found \"1h\""),
        ),
        ("{ keys = \"k\", jwks_uri = \"a\" }", format!("{AT}.jwks_uri: unknown key: write keys")),
        ("{ keys = \"k\", claims = {} }", format!("{AT}.claims: unknown key: write claim_headers")),
        ("{ keys = \"k\", audiences = [] }", format!("{AT}.audiences: unknown key: write audience")),
    ] {
        let error = Start::new().file(&format!("{ROUTE}jwt = {value}\n")).error();
        assert_eq!(error, format!("[DIR]/config.toml:{expected}"), "{value}");
    }
}

#[test]
fn a_password_and_a_token_do_not_share_a_header() {
    let hash = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";
    let file =
        |jwt: &str| format!("{ROUTE}basic_auth = {{ users = {{ a = \"{hash}\" }} }}\njwt = {{ keys = \"k\"{jwt} }}\n");
    for (jwt, expected) in [
        (
            "",
            "5: routes[0].jwt: a request cannot have a password (basic_auth, [DIR]/config.toml:4) and a token in Authorization",
        ),
        (
            ", from = [\"cookie:t\", \"authorization\"]",
            "5: routes[0].jwt.from: Authorization already has the password of basic_auth",
        ),
    ] {
        let error = Start::new().file(&file(jwt)).error();
        assert!(error.starts_with(&format!("[DIR]/config.toml:{expected}")), "{error}");
    }
    assert!(Start::new().file(&file(", from = \"cookie:t\"")).load().is_ok());
}

#[test]
fn names_of_other_programs_get_advice() {
    for key in ["auth_jwt", "auth_jwt_key_file", "jwt_authn", "jwtAuth"] {
        let error = Start::new().file(&format!("{ROUTE}{key} = \"a\"\n")).error();
        assert!(error.contains("write jwt = { keys = "), "{error}");
    }
}
