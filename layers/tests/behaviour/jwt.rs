//! `JwtLayer`, with keys and tokens of PyJWT and JWCrypto: which tokens pass, and which headers their claims become.

use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use pmesh_layers::{
    body::RequestBody,
    jwt::{Algorithm, InvalidKeys, JwtLayer, JwtRejected, Keys, SharedKeys, TokenSource},
    respond::RespondLayer,
};
use serde_json::Value;
use tower::{BoxError, ServiceBuilder, ServiceExt};
use tower_test::mock;

/// Made by fixtures/make_tokens.py.
static FIXTURE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../fixtures/tokens.json")).unwrap());

const ISSUER: &str = "https://login.example.com";

fn tokens(kind: &str) -> BTreeMap<&'static str, &'static str> {
    let tokens = FIXTURE[kind].as_object().unwrap();
    tokens.iter().map(|(name, token)| (name.as_str(), token.as_str().unwrap())).collect()
}

fn good(name: &str) -> &'static str {
    tokens("good")[name]
}

fn jwks() -> Keys {
    Keys::from_jwks(FIXTURE["jwks"].to_string().as_bytes()).unwrap()
}

fn next_jwks() -> Keys {
    Keys::from_jwks(FIXTURE["next_jwks"].to_string().as_bytes()).unwrap()
}

fn secret() -> Keys {
    Keys::from_secret(FIXTURE["secret"].as_str().unwrap().as_bytes()).unwrap()
}

fn layer(keys: Keys) -> JwtLayer {
    JwtLayer::new(SharedKeys::new(keys)).audience(["web", "api"]).issuer([ISSUER])
}

/// The headers that the inner service gets, or why the request is rejected.
async fn send(layer: &JwtLayer, headers: &[(&str, &str)]) -> Result<HeaderMap, JwtRejected> {
    let service = ServiceBuilder::new()
        .layer(layer)
        .service_fn(async |request: Request<RequestBody>| Ok::<_, BoxError>(Response::new(request.headers().clone())));
    let request = headers.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
    match service.oneshot(request.body(Empty::<Bytes>::new()).unwrap()).await {
        Ok(response) => Ok(response.into_body()),
        Err(error) => Err(*error.downcast_ref().unwrap()),
    }
}

async fn verify(layer: &JwtLayer, token: &str) -> Result<(), JwtRejected> {
    send(layer, &[("authorization", &format!("Bearer {token}"))]).await.map(drop)
}

#[tokio::test]
async fn tokens_of_another_implementation_are_verified() {
    let (public, secret) = (layer(jwks()), layer(secret()));
    let rotated = layer(next_jwks());
    for (name, token) in tokens("good") {
        let is_secret = name.starts_with("HS");
        assert_eq!(verify(&public, token).await.is_ok(), !is_secret && name != "next", "{name}");
        assert_eq!(verify(&secret, token).await.is_ok(), is_secret, "{name}");
        assert_eq!(verify(&rotated, token).await.is_ok(), name == "next", "{name}");
    }
}

#[tokio::test]
async fn attacks_fail() {
    let all = [layer(jwks()), layer(rsa_pem()), layer(secret())];
    for (name, token) in tokens("bad") {
        for layer in &all {
            // A key in PEM has no name.
            if name == "the kid of a key for another algorithm" && std::ptr::eq(layer, &all[1]) {
                continue;
            }
            let error = verify(layer, token).await.expect_err(name);
            assert!(matches!(error, JwtRejected::Invalid(_)), "{name}: {error}");
        }
    }
    // Without audience and issuer, tokens pass if nothing else is wrong.
    let lax = JwtLayer::new(SharedKeys::new(jwks()));
    let mut passed = Vec::new();
    for (name, token) in tokens("bad") {
        if verify(&lax, token).await.is_ok() {
            passed.push(name);
        }
    }
    let expected = ["an audience that is a number", "another audience", "another issuer", "no audience", "no issuer"];
    assert_eq!(passed, expected);
    let lax = lax.without_expiry();
    assert!(verify(&lax, tokens("bad")["no expiry"]).await.is_ok());
    for name in ["expired", "expired, as text", "not yet valid", "not yet valid, as text"] {
        assert!(verify(&lax, tokens("bad")[name]).await.is_err(), "{name}");
    }
}

fn rsa_pem() -> Keys {
    Keys::from_pem(FIXTURE["pem"]["rsa"].as_str().unwrap().as_bytes()).unwrap()
}

#[tokio::test]
async fn a_changed_token_is_invalid() {
    let layer = layer(jwks());
    for name in ["RS256", "PS256", "ES256", "EdDSA"] {
        let token = good(name);
        for index in (0..token.len()).step_by(7) {
            let mut changed = token.as_bytes().to_vec();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(verify(&layer, &changed).await.is_err(), "{name} {index}");
        }
        let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
        for changed in [
            format!("{header}.{claims}"),
            format!("{header}.{claims}."),
            format!("{header}.{claims}.{signature}."),
            format!(".{header}.{claims}.{signature}"),
            format!("{header}..{signature}"),
            format!(".{claims}.{signature}"),
            format!("{header}.{claims}.{signature}="),
            format!("{header} .{claims}.{signature}"),
            format!("{header}.{claims}.{}", &signature[..signature.len() - 1]),
            format!("{header}.{claims}.{}", "A".repeat(signature.len())),
            format!("{header}.{claims}.{signature},{token}"),
            format!("{token} {token}"),
            "A".repeat(65_000),
            format!("{}.{}.{}", "A".repeat(20_000), "A".repeat(20_000), "A".repeat(20_000)),
            ".".repeat(60_000),
            "....".to_owned(),
            String::new(),
        ] {
            assert!(verify(&layer, &changed).await.is_err(), "{name}: {changed}");
        }
    }
}

#[tokio::test]
async fn a_key_decides_on_the_algorithm() {
    for (name, algorithms) in [("rsa", "RS256 RS384 RS512 PS256 PS384 PS512"), ("p256", "ES256"), ("ed25519", "EdDSA")]
    {
        let keys = Keys::from_pem(FIXTURE["pem"][name].as_str().unwrap().as_bytes()).unwrap();
        let names: Vec<_> = keys.algorithms().map(|algorithm| algorithm.to_string()).collect();
        assert_eq!(names.join(" "), algorithms);
        let layer = layer(keys);
        // A key in PEM has no name, so any `kid` fits.
        for token in algorithms.split(' ') {
            assert_eq!(verify(&layer, good(token)).await, Ok(()), "{name} {token}");
        }
    }
    let only = layer(jwks()).algorithms([Algorithm::ES256]);
    assert!(verify(&only, good("ES256")).await.is_ok());
    assert_eq!(verify(&only, good("RS256")).await, Err(JwtRejected::Invalid("the algorithm is not allowed")));
    let mut jwk = FIXTURE["jwks"]["keys"][0].clone();
    jwk["alg"] = "PS384".into();
    let one = layer(Keys::from_jwks(jwk.to_string().as_bytes()).unwrap());
    assert!(verify(&one, good("PS384")).await.is_ok());
    assert_eq!(verify(&one, good("RS256")).await, Err(JwtRejected::Invalid("no key is for this algorithm")));
}

#[tokio::test]
async fn claims_reach_the_service_and_what_the_client_claims_does_not() {
    let header = HeaderName::from_static;
    let layer = layer(jwks())
        .header(header("x-user"), "sub")
        .header(header("x-groups"), "groups")
        .header(header("x-roles"), "realm_access.roles")
        .header(header("x-level"), "level")
        .header(header("x-verified"), "email_verified")
        .header(header("x-team"), "https://example.com/team")
        .header(header("x-missing"), "missing");
    let bearer = format!("bearer {}", good("RS256"));
    let of_client = ["x-user", "x_user", "x-roles", "x_missing", "x-missing", "x_level"].map(|name| (name, "root"));
    let got = send(&layer, &[&of_client[..], &[("authorization", &bearer)]].concat()).await.unwrap();
    let mut got: Vec<_> = got.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    got.sort_unstable();
    let authorization = format!("authorization: {bearer}");
    let expected = [
        &*authorization,
        "x-groups: dev,ops",
        "x-level: 7",
        "x-roles: user,admin",
        "x-team: blue",
        "x-user: alice",
        "x-verified: true",
    ];
    assert_eq!(got, expected);
    let name = FIXTURE["name in UTF-8"].as_str().unwrap();
    let got = send(&layer, &[("authorization", &format!("Bearer {name}"))]).await.unwrap();
    assert_eq!(got["x-user"].as_bytes(), "Zoë".as_bytes());
    for (name, token) in tokens("unsendable") {
        let error = verify(&layer, token).await.expect_err(name);
        assert!(matches!(error, JwtRejected::Invalid(_)), "{name}: {error}");
    }
}

#[tokio::test]
async fn trailers_do_not_bring_back_a_claim() {
    let layer = layer(jwks()).header(HeaderName::from_static("x-user"), "sub");
    let service = ServiceBuilder::new().layer(layer).service_fn(async |request: Request<RequestBody>| {
        let trailers = request.into_body().collect().await?.trailers().cloned();
        Ok::<_, BoxError>(Response::new(trailers.unwrap_or_default()))
    });
    let trailers = ["x-user", "x_user", "x-other"].map(|name| (HeaderName::from_static(name), "root".parse().unwrap()));
    let body = Full::new(Bytes::from("body")).with_trailers(async { Some(Ok(HeaderMap::from_iter(trailers))) });
    let request = Request::post("/").header("authorization", format!("Bearer {}", good("RS256"))).body(body).unwrap();
    let left = service.oneshot(request).await.unwrap().into_body();
    assert_eq!(left.keys().collect::<Vec<_>>(), ["x-other"]);
}

#[tokio::test]
async fn required_claims_must_be_there() {
    let layer = |claim: &str, accepted: &[&str]| layer(jwks()).require(claim, accepted.iter().copied());
    let (token, other) = (good("RS256"), good("critical claims missing"));
    for (claim, accepted) in [
        ("role", &["admin"][..]),
        ("role", &["owner", "admin"]),
        ("groups", &["ops"]),
        ("scope", &["write"]),
        ("level", &["7"]),
        ("email_verified", &["true"]),
    ] {
        let layer = layer(claim, accepted);
        assert_eq!(verify(&layer, token).await, Ok(()), "{claim}");
        assert_eq!(verify(&layer, other).await, Err(JwtRejected::Insufficient), "{claim}");
        assert_eq!(verify(&layer.require("role", ["owner"]), token).await, Err(JwtRejected::Insufficient), "{claim}");
    }
}

#[tokio::test]
async fn the_token_can_come_from_elsewhere_and_be_removed() {
    let token = good("ES256");
    let header = HeaderName::from_static("x-id-token");
    let sources = [TokenSource::Header(header), TokenSource::Cookie("token".into())];
    let layer = layer(jwks()).from(sources);
    let cookie = format!("a=1; token={token}; b=2");
    assert_eq!(verify(&layer, token).await, Err(JwtRejected::Missing));
    let got = send(&layer, &[("cookie", &cookie)]).await.unwrap();
    assert_eq!(got["cookie"], cookie);
    let got = send(&layer, &[("x-id-token", token), ("x_id_token", "other")]).await.unwrap();
    assert_eq!(got["x-id-token"], token);
    assert!(!got.contains_key("x_id_token"));
    let layer = layer.remove_token();
    assert_eq!(send(&layer, &[("cookie", &cookie)]).await.unwrap()["cookie"], "a=1; b=2");
    assert!(send(&layer, &[("x-id-token", token), ("cookie", &format!("token={token}"))]).await.unwrap().is_empty());
}

#[tokio::test]
async fn rejections_become_responses() {
    // A first update that failed: the next one is not due yet.
    let keys = SharedKeys::on_demand(Duration::from_secs(3600));
    assert_eq!(keys.update(async { Err::<Keys, _>("unreachable") }).await, Err("unreachable"));
    let unreachable = JwtLayer::new(keys);
    let with_claims = layer(jwks()).require("role", ["owner"]);
    for (layer, token, status, challenge, retry_after) in [
        (&with_claims, None, StatusCode::UNAUTHORIZED, Some("Bearer"), None),
        (
            &with_claims,
            Some("a.b.c"),
            StatusCode::UNAUTHORIZED,
            Some("Bearer error=\"invalid_token\", error_description=\"the token is malformed\""),
            None,
        ),
        (&with_claims, Some(good("RS256")), StatusCode::FORBIDDEN, Some("Bearer error=\"insufficient_scope\""), None),
        (&unreachable, Some(good("RS256")), StatusCode::SERVICE_UNAVAILABLE, None, Some("5")),
        (&unreachable, None, StatusCode::SERVICE_UNAVAILABLE, None, Some("5")),
    ] {
        let service = ServiceBuilder::new()
            .layer(RespondLayer::new())
            .layer(layer)
            .service_fn(async |_| Ok::<_, BoxError>(Response::new(String::new())));
        let mut request = Request::get("/");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = service.oneshot(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!(response.status(), status);
        assert_eq!((header("www-authenticate"), header("retry-after")), (challenge, retry_after));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_with_an_unknown_kid_waits_for_one_update() {
    let keys = SharedKeys::on_demand(Duration::from_secs(10));
    keys.update(async { Ok::<_, BoxError>(jwks()) }).await.unwrap();
    let layer = JwtLayer::new(keys.clone());
    let unknown = Err(JwtRejected::Invalid("no key has the kid of the token"));
    // The last update was just now.
    assert_eq!(verify(&layer, good("next")).await, unknown);
    tokio::time::advance(Duration::from_secs(10)).await;
    let waiting = join_all((0..50).map(|_| verify(&layer, good("next"))));
    let update = async {
        keys.wanted().await;
        // Other tokens do not wait.
        assert_eq!(verify(&layer, good("RS256")).await, Ok(()));
        keys.update(async { Ok::<_, BoxError>(next_jwks()) }).await.unwrap();
    };
    let (passed, ()) = tokio::join!(waiting, update);
    assert!(passed.iter().all(Result::is_ok), "{passed:?}");
    // That was one update for all of them, and the next one is not due yet.
    assert_eq!(verify(&layer, good("RS256")).await, unknown);
    tokio::select! {
        biased;
        () = keys.wanted() => panic!("another update"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn requests_wait_for_the_first_keys_but_not_forever() {
    let keys = SharedKeys::on_demand(Duration::from_secs(10));
    let layer = JwtLayer::new(keys.clone());
    // Nobody answers.
    assert_eq!(verify(&layer, good("RS256")).await, Err(JwtRejected::NoKeys));
    tokio::time::advance(Duration::from_secs(10)).await;
    let update = async {
        keys.wanted().await;
        assert!(keys.update(async { Err::<Keys, _>("unreachable") }).await.is_err());
    };
    let (waited, ()) = tokio::join!(verify(&layer, good("RS256")), update);
    assert_eq!(waited, Err(JwtRejected::NoKeys));
    // The update has failed just now, so no request waits for the next one.
    assert_eq!(verify(&layer, good("RS256")).await, Err(JwtRejected::NoKeys));
    keys.update(async { Ok::<_, BoxError>(jwks()) }).await.unwrap();
    assert_eq!(verify(&layer, good("RS256")).await, Ok(()));
    // An update also serves requests from before it began: they want no other.
    tokio::time::advance(Duration::from_secs(10)).await;
    let asked = async {
        tokio::task::yield_now().await;
        keys.update(async { Ok::<_, BoxError>(next_jwks()) }).await.unwrap();
    };
    let (passed, ()) = tokio::join!(verify(&layer, good("next")), asked);
    assert_eq!(passed, Ok(()));
    tokio::select! {
        biased;
        () = keys.wanted() => panic!("another update"),
        () = std::future::ready(()) => {}
    }
    keys.update(async { Ok::<_, BoxError>(jwks()) }).await.unwrap();
    // An update that fails, or is dropped, changes nothing.
    assert!(keys.update(async { Err::<Keys, _>("unreachable") }).await.is_err());
    drop(keys.update(std::future::pending::<Result<Keys, BoxError>>()));
    assert_eq!(verify(&layer, good("RS256")).await, Ok(()));
}

#[tokio::test]
async fn only_an_accepted_request_reaches_the_service() {
    let (service, mut handle) = mock::pair::<Request<RequestBody>, Response<()>>();
    let service = ServiceBuilder::new().layer(layer(jwks())).service(service);
    let request = |token: &str| {
        Request::get("/").header("authorization", format!("Bearer {token}")).body(Empty::<Bytes>::new()).unwrap()
    };
    for token in ["x", good("HS256")] {
        assert!(service.clone().oneshot(request(token)).await.is_err());
    }
    let answer = async {
        let (_, respond) = handle.next_request().await.unwrap();
        respond.send_response(Response::new(()));
    };
    let (response, ()) = tokio::join!(service.oneshot(request(good("ES384"))), answer);
    assert!(response.is_ok());
    assert!(handle.next_request().await.is_none());
}

#[test]
fn unusable_keys_are_errors_with_the_reason() {
    let pem =
        |name: &str| Keys::from_pem(FIXTURE["other_pem"][name].as_str().unwrap().as_bytes()).map(|keys| keys.len());
    for (name, expected) in [
        ("PKCS #1", InvalidKeys::Pkcs1),
        ("short", InvalidKeys::TooShort { bits: 1024, needed: 2048 }),
        ("secp256k1", InvalidKeys::Unsupported),
        ("private", InvalidKeys::Private),
        ("private, PKCS #1", InvalidKeys::Private),
        ("private, EC", InvalidKeys::Private),
    ] {
        assert_eq!(pem(name), Err(expected), "{name}");
    }
    for (text, expected) in [
        ("", InvalidKeys::NoPem),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", InvalidKeys::Certificate),
        ("-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n", InvalidKeys::Damaged),
        ("-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n", InvalidKeys::Damaged),
    ] {
        assert_eq!(Keys::from_pem(text.as_bytes()).unwrap_err(), expected, "{text}");
    }
    let all = FIXTURE["pem"].as_object().unwrap().values().map(|pem| pem.as_str().unwrap()).collect::<String>();
    assert_eq!(Keys::from_pem(all.as_bytes()).unwrap().len(), 5);

    let jwks = |keys: &[&Value]| Keys::from_jwks(serde_json::json!({ "keys": keys }).to_string().as_bytes());
    let good = &FIXTURE["jwks"]["keys"][0];
    let with = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    for (key, expected) in [
        (FIXTURE["private_jwk"].clone(), InvalidKeys::Private),
        (FIXTURE["short_jwk"].clone(), InvalidKeys::TooShort { bits: 1024, needed: 2048 }),
        (with("use", "enc".into()), InvalidKeys::NotForSignatures),
        (with("key_ops", vec!["encrypt"].into()), InvalidKeys::NotForSignatures),
        (with("alg", "RSA-OAEP".into()), InvalidKeys::Unsupported),
        (with("alg", "HS256".into()), InvalidKeys::Unsupported),
        (with("alg", "none".into()), InvalidKeys::Unsupported),
        (with("kty", "XYZ".into()), InvalidKeys::Unsupported),
        (with("kty", "oct".into()), InvalidKeys::Damaged),
        (with("n", "!".into()), InvalidKeys::Damaged),
        (with("e", "".into()), InvalidKeys::Unsupported),
        (with("kid", 1.into()), InvalidKeys::Damaged),
        (serde_json::json!({"kty": "oct", "k": "c2hvcnQ"}), InvalidKeys::TooShort { bits: 40, needed: 256 }),
        (serde_json::json!({"kty": "EC", "crv": "P-521", "x": "", "y": ""}), InvalidKeys::Unsupported),
        (serde_json::json!({"kty": "OKP", "crv": "X25519", "x": ""}), InvalidKeys::Unsupported),
        (serde_json::json!({"kty": "EC", "crv": "P-256", "x": "", "y": ""}), InvalidKeys::Damaged),
        (serde_json::json!(7), InvalidKeys::Damaged),
    ] {
        assert_eq!(jwks(&[&key]).unwrap_err(), expected, "{key}");
        // Next to a good key, it is ignored, unless it is private.
        let beside = jwks(&[&key, good]);
        match expected {
            InvalidKeys::Private => assert_eq!(beside.unwrap_err(), expected),
            _ => assert_eq!(beside.map(|keys| (keys.len(), keys.ignored())), Ok((1, 1)), "{key}"),
        }
    }
    for (text, expected) in [
        ("", InvalidKeys::NotJwks),
        ("{}", InvalidKeys::NotJwks),
        ("[]", InvalidKeys::NotJwks),
        ("{\"keys\": {}}", InvalidKeys::NotJwks),
        ("{\"keys\": []}", InvalidKeys::Empty),
    ] {
        assert_eq!(Keys::from_jwks(text.as_bytes()).unwrap_err(), expected, "{text}");
    }
    let many = vec![good; Keys::MAX + 5];
    assert_eq!(jwks(&many).map(|keys| (keys.len(), keys.ignored())), Ok((Keys::MAX, 5)));
    assert_eq!(Keys::from_secret(&[0; 31]).unwrap_err(), InvalidKeys::TooShort { bits: 248, needed: 256 });
    let names = |length: usize| Keys::from_secret(&vec![0; length]).unwrap().algorithms().count();
    assert_eq!([32, 48, 64].map(names), [1, 2, 3]);
    assert!(secret().without_secrets().is_none());
    assert_eq!(jwks(&[good]).unwrap().without_secrets().map(|keys| keys.len()), Some(1));
}
