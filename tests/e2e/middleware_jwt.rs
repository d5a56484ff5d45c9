//! `jwt` for clients with HTTP/1.1 and HTTP/2, with and without TLS: which tokens get in, and which headers the backend
//! gets.

use std::{
    fs,
    process::Command,
    sync::{Arc, Mutex},
};

use super::answers::{Got, WAYS, Way, fetch, upstream};
use crate::support::{
    Backend, Client, Program, Start,
    backend::{Refusing, ok},
    jwt::{bad, good, jwks, next_jwks, text},
    program::PROGRAM,
};

const HOST: &str = "example.com";

fn start(config: &str) -> Start {
    let start = Start::new().flags(&["--http-h2c", "silent"]).config(config);
    fs::write(start.home().join("keys.json"), jwks()).unwrap();
    fs::write(start.home().join("hmac"), format!("{}\n", text(&["secret"]))).unwrap();
    start
}

fn get(program: &Program, way: Way, path: &str, headers: &[(&str, &str)]) -> Got {
    fetch(program, way, "GET", &format!("{HOST}{path}"), headers).unwrap()
}

fn get_with(program: &Program, way: Way, path: &str, token: &str) -> Got {
    get(program, way, path, &[("authorization", &format!("Bearer {token}"))])
}

#[test]
fn only_valid_tokens_get_in() {
    let backend = Backend::answering("hello");
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\n{upstream}response_headers = {{ x-frame-options = \"DENY\" }}\n\
         error_pages = {{ 403 = \"denied.html\" }}\n\
         jwt = {{ keys = \"keys.json\", audience = \"api\", issuer = \"https://login.example.com\" }}\n\
         [[routes.routes]]\nprefix = \"/open\"\njwt = false\n\
         [[routes.routes]]\nprefix = \"/admin\"\njwt = {{ require = {{ role = [\"owner\", \"admin\"], scope = \"read\" }} }}\n\
         [[routes.routes]]\nprefix = \"/owner\"\njwt = {{ require = {{ role = \"owner\" }} }}\n\
         [[routes.routes]]\nprefix = \"/secret\"\njwt = {{ keys = false, secret_file = \"hmac\" }}\n\
         [[routes.routes]]\nprefix = \"/es256\"\njwt = {{ algorithms = \"ES256\" }}\n\
         [[routes.routes]]\nprefix = \"/web\"\njwt = {{ audience = \"web\" }}\n\
         [[routes.routes]]\nprefix = \"/any\"\njwt = {{ audience = false, issuer = false, require_exp = false }}\n\
         [[routes.routes]]\nprefix = \"/fixed\"\nrespond = 204\n\
         [[routes.routes]]\nprefix = \"/moved\"\nredirect = \"/\"\n\
         [[routes.routes]]\nprefix = \"/denied\"\ndeny = \"127.0.0.1\"\n",
        upstream = upstream(&backend)
    );
    let start = start(&config);
    fs::write(start.home().join("denied.html"), "not for you").unwrap();
    let program = start.run();
    let invalid = |reason: &str| format!("Bearer error=\"invalid_token\", error_description=\"{reason}\"");
    let mut passed = 0;
    for way in WAYS {
        for (path, token, status, challenge) in [
            ("/", good("RS256"), 200, None),
            ("/", good("PS512"), 200, None),
            ("/", good("ES384"), 200, None),
            ("/", good("EdDSA"), 200, None),
            ("/", good("several audiences"), 200, None),
            ("/", good("HS256"), 401, Some(invalid("no key is for this algorithm"))),
            ("/", good("next"), 401, Some(invalid("no key has the kid of the token"))),
            ("/", text(&["bad", "expired"]), 401, Some(invalid("the token has expired"))),
            ("/", text(&["bad", "another audience"]), 401, Some(invalid("the token is for another audience"))),
            ("/", "x", 401, Some(invalid("the token is malformed"))),
            ("/admin", good("RS256"), 200, None),
            ("/admin", good("critical claims missing"), 403, Some("Bearer error=\"insufficient_scope\"".to_owned())),
            ("/owner", good("RS256"), 403, Some("Bearer error=\"insufficient_scope\"".to_owned())),
            ("/owner", text(&["bad", "expired"]), 401, Some(invalid("the token has expired"))),
            ("/secret", good("HS256"), 200, None),
            ("/secret", good("HS512"), 200, None),
            ("/secret", good("RS256"), 401, Some(invalid("no key is for this algorithm"))),
            ("/es256", good("ES256"), 200, None),
            ("/es256", good("RS256"), 401, Some(invalid("the algorithm is not allowed"))),
            ("/web", good("RS256"), 401, Some(invalid("the token is for another audience"))),
            ("/any", text(&["bad", "another audience"]), 200, None),
            ("/any", text(&["bad", "no expiry"]), 200, None),
            ("/any", text(&["bad", "expired"]), 401, Some(invalid("the token has expired"))),
            ("/fixed", good("ES256"), 204, None),
            ("/moved", good("ES256"), 308, None),
            ("/denied", good("ES256"), 403, None),
            ("/open", "x", 200, None),
        ] {
            let got = get_with(&program, way, path, token);
            assert_eq!(got.status, status, "{way:?} {path} {token}");
            assert_eq!(got.header("www-authenticate"), Vec::from_iter(challenge.as_deref()), "{way:?} {path}");
            assert_eq!(got.header("x-frame-options"), ["DENY"], "{way:?} {path}");
            if status == 403 {
                assert_eq!(got.body, "not for you");
            }
            passed += usize::from(status == 200);
        }
        let token = format!("bearer {}", good("RS256"));
        for (headers, status, challenge) in [
            (&[][..], 401, Some("Bearer")),
            (&[("authorization", "Basic YTpi")], 401, Some("Bearer")),
            (&[("authorization", &*token)], 200, None),
            (
                &[("authorization", &token), ("authorization", &token)],
                401,
                Some("Bearer error=\"invalid_token\", error_description=\"the request has more than one token\""),
            ),
            (
                &[("authorization", &token), ("authorization", "Basic YTpi")],
                401,
                Some("Bearer error=\"invalid_token\", error_description=\"the request has more than one token\""),
            ),
        ] {
            let got = get(&program, way, "/", headers);
            assert_eq!(got.status, status, "{way:?} {headers:?}");
            assert_eq!(got.header("www-authenticate"), Vec::from_iter(challenge), "{way:?} {headers:?}");
            passed += usize::from(status == 200);
        }
    }
    assert_eq!(backend.requests().len(), passed);
}

#[test]
fn attacks_reach_no_backend() {
    let backend = Backend::answering("hello");
    let route = |host: &str, keys: &str| {
        format!(
            "[[routes]]\nhost = \"{host}\"\n{}jwt = {{ {keys}, audience = \"api\", issuer = \"https://login.example.com\" }}\n",
            upstream(&backend)
        )
    };
    let config = route("example.com", "keys = \"keys.json\"")
        + &route("pem.example.com", "keys = \"key.pem\"")
        + &route("secret.example.com", "secret_file = \"hmac\"");
    let start = start(&config);
    fs::write(start.home().join("key.pem"), text(&["pem", "rsa"])).unwrap();
    let program = start.run();
    let tampered = good("RS256").replace('A', "B");
    let long = format!("{}.{}.{}", "A".repeat(20_000), "B".repeat(20_000), "C".repeat(20_000));
    let own =
        [("tampered", &*tampered), ("long", &long), ("no JSON", "YQ.YQ.YQ"), ("no base64", "!.!.!"), ("dots", "....")];
    for way in WAYS {
        for (name, token) in bad().into_iter().chain(own) {
            for host in ["example.com", "pem.example.com", "secret.example.com"] {
                // A key in PEM has no name.
                if host == "pem.example.com" && name == "the kid of a key for another algorithm" {
                    continue;
                }
                let token = format!("Bearer {token}");
                let got = fetch(&program, way, "GET", &format!("{host}/"), &[("authorization", &token)]).unwrap();
                assert_eq!(got.status, 401, "{way:?} {host}: {name}");
                assert!(got.header("www-authenticate")[0].starts_with("Bearer error=\"invalid_token\""), "{name}");
            }
        }
    }
    assert!(backend.requests().is_empty());
    assert!(!program.log().iter().any(|line| line.contains("WARN") || line.contains("ERROR")), "{:?}", program.log());
}

#[test]
fn the_backend_learns_the_claims_and_nothing_from_the_client() {
    let (backend, open) = (Backend::answering("hello"), Backend::answering("hello"));
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\n{}\
         jwt = {{ keys = \"keys.json\", from = [\"authorization\", \"cookie:token\"], \
         claim_headers = {{ x-user = \"sub\", X-Roles = \"realm_access.roles\", x-level = \"level\", x-missing = \"missing\" }} }}\n\
         [[routes.routes]]\nprefix = \"/removed\"\njwt = {{ forward_token = false, claim_headers = {{ x-level = false }} }}\n\
         [[routes.routes]]\nprefix = \"/open\"\njwt = false\n{}",
        upstream(&backend),
        upstream(&open)
    );
    let program = start(&config).run();
    let token = good("ES256");
    let (bearer, cookie) = (format!("Bearer {token}"), format!("a=1; token={token}; b=2"));
    let forged =
        ["x-user", "x_user", "x-roles", "X_Roles", "x-missing", "x_missing", "x_level"].map(|name| (name, "root"));
    for way in WAYS {
        for (path, place) in [
            ("/", ("authorization", &*bearer)),
            ("/removed", ("authorization", &bearer)),
            ("/", ("cookie", &cookie)),
            ("/removed", ("cookie", &cookie)),
            ("/open", ("authorization", &bearer)),
        ] {
            let headers = [&forged[..], &[place]].concat();
            assert_eq!(get(&program, way, path, &headers).status, 200, "{way:?} {path}");
        }
        // Two tokens: the backend could read the other one.
        let headers = [("authorization", &*bearer), ("cookie", "token=x")];
        assert_eq!(get(&program, way, "/", &headers).status, 401, "{way:?}");
        assert_eq!(get(&program, way, "/", &[("cookie", &format!("token={token}; token={token}"))]).status, 401);
    }
    let requests = backend.requests();
    assert_eq!(requests.len(), 4 * WAYS.len());
    for request in requests {
        let is_removed = request.target == "/removed";
        assert_eq!(request.all("x-user"), ["alice"]);
        assert_eq!(request.all("x-roles"), ["user,admin"]);
        assert_eq!(request.all("x-level"), if is_removed { &[][..] } else { &["7"] });
        for name in ["x_user", "x_roles", "x_level", "x-missing", "x_missing"] {
            assert!(request.all(name).is_empty(), "{name}");
        }
        let tokens = [request.all("authorization"), request.all("cookie")].concat().join(" ");
        assert_eq!(tokens.contains(token), !is_removed, "{tokens}");
    }
    let open = open.requests();
    assert!(open.iter().all(|request| request.all("x-user") == ["root"] && request.all("authorization") == [&bearer]));
}

#[test]
fn trailers_do_not_bring_back_a_claim() {
    let backend = Backend::answering("hello");
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\n{}jwt = {{ keys = \"keys.json\", claim_headers = {{ x-user = \"sub\" }} }}\n",
        upstream(&backend)
    );
    let program = start(&config).run();
    let mut client = Client::connect(program.http());
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\
         Trailer: x-user, x_user, x-other\r\n\r\n1\r\na\r\n0\r\nx-user: root\r\nx_user: root\r\nx-other: b\r\n\r\n",
        good("RS256")
    ));
    assert_eq!(client.response().status, 200);
    let bytes = backend.connections().remove(0).bytes;
    let sent = String::from_utf8(bytes).unwrap().to_lowercase();
    assert!(sent.contains("x-user: alice") && !sent.contains("root"), "{sent}");
}

/// A server with keys. The test changes its answers.
struct Issuer {
    server: Backend,
    answer: Arc<Mutex<String>>,
}

impl Issuer {
    fn new(answer: &str) -> Self {
        Self::on(Refusing::new(), answer)
    }

    fn on(port: Refusing, answer: &str) -> Self {
        let answer = Arc::new(Mutex::new(answer.to_owned()));
        let current = Arc::clone(&answer);
        let server = Backend::on(port.listen(), move |connection| {
            while connection.request().is_some() {
                let answer = current.lock().unwrap().clone();
                connection.send(answer);
            }
        });
        Self { server, answer }
    }

    fn answers(&self, answer: &str) {
        answer.clone_into(&mut self.answer.lock().unwrap());
    }

    fn url(&self) -> String {
        format!("http://{}/jwks.json?a=b", self.server.address)
    }
}

fn status(program: &Program) -> String {
    let output = Command::new(PROGRAM).arg("--home").arg(program.home()).arg("status").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

const FAILED: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";

#[test]
fn keys_are_fetched_and_rotate() {
    let backend = Backend::answering("hello");
    let port = Refusing::new();
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\n{}jwt = {{ keys = \"http://{}/jwks.json?a=b\", refresh = \"1s\" }}\n",
        upstream(&backend),
        port.address()
    );
    let program = start(&config).run();
    let line = program.wait_for_line("jwt: cannot fetch the keys");
    assert!(line.contains("so until there are keys, requests get 503: no connection"), "{line}");
    for way in WAYS {
        let got = get_with(&program, way, "/", good("RS256"));
        assert_eq!((got.status, got.header("retry-after")), (503, vec!["5"]), "{way:?}");
        assert!(got.header("www-authenticate").is_empty());
    }
    let status = status(&program);
    assert!(status.contains(&format!("{}/jwks.json?a=b, 0 keys, failing for ", port.address())), "{status}");
    // It does not stop there.
    let issuer = Issuer::on(port, &ok(&jwks()));
    program.wait_for_line("jwt: fetched the keys");
    for way in WAYS {
        assert_eq!(get_with(&program, way, "/", good("RS256")).status, 200, "{way:?}");
        assert_eq!(get_with(&program, way, "/", good("next")).status, 401, "{way:?}");
    }
    issuer.answers(FAILED);
    let line = program.wait_for_line("so the old keys stay in use");
    assert!(line.contains("the response is 500 Internal Server Error"), "{line}");
    assert_eq!(get_with(&program, Way::Http, "/", good("RS256")).status, 200);
    issuer.answers(&ok(&next_jwks()));
    program.wait_for_line("has keys again");
    for way in WAYS {
        assert_eq!(get_with(&program, way, "/", good("next")).status, 200, "{way:?}");
        assert_eq!(get_with(&program, way, "/", good("RS256")).status, 401, "{way:?}");
    }
    let request = issuer.server.requests().remove(0);
    assert_eq!((&*request.target, request.field("host")), ("/jwks.json?a=b", &*issuer.server.address.to_string()));
    let status = self::status(&program);
    assert!(status.contains("/jwks.json?a=b, 1 keys\n"), "{status}");
    // One line for each change.
    assert_eq!(
        program.log().iter().filter(|line| line.contains("WARN") && line.contains("jwt")).count(),
        3,
        "{:?}",
        program.log()
    );
}

#[test]
fn an_unknown_kid_fetches_keys_once_in_a_while() {
    let backend = Backend::answering("hello");
    let issuer = Issuer::new(&ok(&jwks()));
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\n{}jwt = {{ keys = \"{}\", refresh = \"1h\" }}\n",
        upstream(&backend),
        issuer.url()
    );
    let program = start(&config).run();
    program.wait_for_line("jwt: fetched the keys");
    issuer.answers(&ok(&next_jwks()));
    // The last fetch was less than 10 s ago. A flood of such tokens causes no more fetches.
    let mut rejected = 0;
    while get_with(&program, Way::Http, "/", good("next")).status == 401 {
        rejected += 1;
    }
    assert!(rejected > 10, "{rejected}");
    assert_eq!(issuer.server.requests().len(), 2);
    assert_eq!(get_with(&program, Way::Http2, "/", good("next")).status, 200);
    assert_eq!(get_with(&program, Way::Http2, "/", good("RS256")).status, 401);
    assert_eq!(issuer.server.requests().len(), 2);
}

#[test]
fn responses_that_are_no_keys_are_explained() {
    let html = "<html></html>";
    let long = format!("{{\"keys\": [\"{}\"]}}", "a".repeat(1024 * 1024));
    let secret = r#"{"keys": [{"kty": "oct", "k": "YXNkZmFzZGZhc2RmYXNkZmFzZGZhc2RmYXNkZmFzZGY"}]}"#;
    let answers = [
        (ok(html), "the response cannot be used: this is not a JSON Web Key Set"),
        (ok("{\"keys\": []}"), "the response cannot be used: there are no keys in it"),
        (ok(&long), "length limit exceeded"),
        (ok(secret), "the response only has shared secrets, which must not come from a URL: write secret_file = "),
        (
            ok(r#"{"issuer": "a", "jwks_uri": "https://a.test/keys"}"#),
            "the response is the configuration of the issuer: write the URL that it has as jwks_uri, https://a.test/keys",
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "the response is 302 Found, a redirect, which is not followed: write its target, \"/elsewhere\"",
        ),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(), "the response is 404 Not Found"),
        ("nonsense\r\n\r\n".to_owned(), "no response: "),
    ];
    let issuers = answers.each_ref().map(|(answer, _)| Issuer::new(answer));
    let route = |(index, issuer): (usize, &Issuer)| {
        format!("[[routes]]\nhost = \"h{index}.test\"\nrespond = 200\njwt = {{ keys = \"{}\" }}\n", issuer.url())
    };
    let config: String = issuers.iter().enumerate().map(route).collect();
    let program = start(&config).run();
    for (index, (issuer, (_, expected))) in issuers.iter().zip(&answers).enumerate() {
        let line = program.wait_for_line(&format!("cannot fetch the keys from {}", issuer.url()));
        assert!(line.contains(expected), "{line}");
        let token = format!("Bearer {}", good("RS256"));
        let got = fetch(&program, Way::Http, "GET", &format!("h{index}.test/"), &[("authorization", &token)]).unwrap();
        assert_eq!(got.status, 503, "{expected}");
    }
}

#[test]
fn the_server_of_keys_is_verified() {
    let issuer = Issuer::new(&ok(&jwks()));
    let tls = Start::new().route("localhost", &issuer.server).run();
    let ca = Command::new(PROGRAM).arg("--home").arg(tls.home()).arg("ca").output().unwrap().stdout;
    let url = format!("https://localhost:{}/jwks.json", tls.https().port());
    let route = |host: &str, ca: &str| {
        format!("[[routes]]\nhost = \"{host}\"\nrespond = 200\njwt = {{ keys = \"{url}\"{ca} }}\n")
    };
    let other = Start::new().run();
    let other_ca = Command::new(PROGRAM).arg("--home").arg(other.home()).arg("ca").output().unwrap().stdout;
    let config = route("a.test", ", ca = \"ca.pem\"") + &route("b.test", ", ca = \"other.pem\"");
    let start = start(&config);
    fs::write(start.home().join("ca.pem"), ca).unwrap();
    fs::write(start.home().join("other.pem"), other_ca).unwrap();
    let program = start.run();
    program.wait_for_line("jwt: fetched the keys from https://localhost");
    let line = program.wait_for_line("jwt: cannot fetch the keys from https://localhost");
    assert!(line.contains("invalid peer certificate: UnknownIssuer"), "{line}");
    let token = format!("Bearer {}", good("RS256"));
    for (host, status) in [("a.test/", 200), ("b.test/", 503)] {
        assert_eq!(
            fetch(&program, Way::Http, "GET", host, &[("authorization", &token)]).unwrap().status,
            status,
            "{host}"
        );
    }
}

#[test]
fn mistakes_in_key_files_say_what_to_write() {
    let check = |jwt: &str, content: Option<&str>| {
        let config = format!("[[routes]]\nhost = \"{HOST}\"\nupstream = \"a:1\"\njwt = {{ {jwt} }}\n");
        let start = Start::new().config(&config).flags(&["check"]);
        if let Some(content) = content {
            fs::write(start.home().join("keys"), content).unwrap();
        }
        let output = start.output();
        let text = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
        (output.status.success(), text.replace(&start.home().display().to_string(), "[HOME]"))
    };
    let (keys, secret) = ("keys = \"keys\"", "secret_file = \"keys\"");
    for (jwt, content, expected) in [
        (keys, None, "[HOME]/config.toml:4: routes[0].jwt.keys: cannot read [HOME]/keys\n  caused by: No such file"),
        (
            keys,
            Some(text(&["other_pem", "private"])),
            "keys: cannot use [HOME]/keys: this is a private key, with which",
        ),
        (keys, Some(text(&["other_pem", "PKCS #1"])), "this is a public key in PKCS #1: write it as `openssl rsa"),
        (keys, Some(text(&["other_pem", "short"])), "the key is too short: it has 1024 bits, and needs 2048"),
        (keys, Some(text(&["other_pem", "secp256k1"])), "the key is not supported: it must be RSA, EC"),
        (keys, Some("hunter2"), "this is neither a JSON Web Key Set nor a public key in PEM"),
        (keys, Some("{}"), "this is not a JSON Web Key Set"),
        (secret, Some("hunter2hunter2"), "the key is too short: it has 112 bits, and needs 256"),
        (secret, Some(text(&["pem", "rsa"])), "this is a key in PEM and not a shared secret: write keys = "),
        (secret, Some(&jwks()), "this is a JSON Web Key Set and not a shared secret: write keys = "),
        (
            "keys = \"keys\", algorithms = [\"RS256\", \"HS256\"]",
            Some(text(&["pem", "p256"])),
            "`algorithms` allows none that the keys in [HOME]/keys are for: ES256",
        ),
    ] {
        let (is_valid, shown) = check(jwt, content);
        assert!(!is_valid && shown.contains(expected), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let (is_valid, shown) = check(keys, Some(&jwks()));
    assert!(is_valid, "{shown}");
    let (is_valid, shown) = check("keys = \"http://login.example.com/jwks\"", None);
    assert!(is_valid, "{shown}");
    assert!(
        shown.contains("jwt of example.com/ accepts tokens that the issuer has made for other services, too"),
        "{shown}"
    );
    assert!(shown.contains("http://login.example.com/jwks has no TLS, so anybody on the network path"), "{shown}");
}

#[test]
fn explain_says_what_the_token_lacks() {
    let issuer = Issuer::new(&ok(&jwks()));
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\nrespond = 204\njwt = {{ keys = \"keys.json\", audience = \"api\" }}\n\
         [[routes.routes]]\nprefix = \"/owner\"\njwt = {{ require = {{ role = \"owner\" }} }}\n\
         [[routes]]\nhost = \"url.example.com\"\nrespond = 204\njwt = {{ keys = \"{}\" }}\n",
        issuer.url()
    );
    let program = start(&config).run();
    program.wait_for_line("jwt: fetched the keys");
    let explain = |url: &str, token: Option<&str>, more: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.arg("--home").arg(program.home()).args(["explain", url]).args(more);
        if let Some(token) = token {
            command.arg("--header").arg(format!("Authorization: Bearer {token}"));
        }
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    for (url, token, more, expected) in [
        ("http://example.com/", None, &[][..], "401: needs a token"),
        ("http://example.com/", Some("x"), &[], "401: the token is malformed"),
        ("http://example.com/", Some(text(&["bad", "expired"])), &[], "401: the token has expired"),
        ("http://example.com/", Some(good("RS256")), &[], "the token is valid"),
        ("http://example.com/owner", Some(good("RS256")), &[], "403: the token does not have the required claims"),
        ("http://url.example.com/", Some(good("RS256")), &[], "depends on the keys, which only the running node has"),
        ("http://url.example.com/", Some(good("RS256")), &["--live"], "the token is valid"),
        ("http://url.example.com/", Some(good("next")), &["--live"], "401: no key has the kid of the token"),
    ] {
        let shown = explain(url, token, more);
        assert!(shown.contains(expected), "{url} {more:?}: {shown}");
        assert!(!shown.contains(good("RS256")), "{shown}");
    }
}
