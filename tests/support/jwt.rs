//! Keys and tokens that PyJWT and JWCrypto have made.

use std::sync::LazyLock;

use serde_json::Value;

static FIXTURE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../layers/tests/fixtures/tokens.json")).unwrap());

/// The public keys `rsa`, `p256`, `p384` and `ed25519`.
pub fn jwks() -> String {
    FIXTURE["jwks"].to_string()
}

/// The public key `next`.
pub fn next_jwks() -> String {
    FIXTURE["next_jwks"].to_string()
}

/// A text of the fixture, such as `["good", "RS256"]`.
#[track_caller]
pub fn text(path: &[&str]) -> &'static str {
    path.iter().fold(&*FIXTURE, |value, key| &value[*key]).as_str().unwrap()
}

/// A token that is valid for the audience `api`.
#[track_caller]
pub fn good(name: &str) -> &'static str {
    text(&["good", name])
}

/// The names of all invalid tokens, with the tokens.
pub fn bad() -> Vec<(&'static str, &'static str)> {
    let tokens = FIXTURE["bad"].as_object().unwrap().iter();
    tokens.map(|(name, token)| (name.as_str(), token.as_str().unwrap())).collect()
}
