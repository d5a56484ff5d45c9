//! JSON Web Keys (RFC 7517, RFC 7518, 6, and RFC 8037).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{Algorithm, InvalidKeys, key::Key};

/// Reads a set of keys, or a single one.
pub(super) fn read(json: &[u8]) -> Result<Vec<Result<Key, InvalidKeys>>, InvalidKeys> {
    let value: Value = serde_json::from_slice(json).map_err(|_| InvalidKeys::NotJwks)?;
    match value.get("keys") {
        Some(Value::Array(keys)) => Ok(keys.iter().map(key).collect()),
        None if value.get("kty").is_some() => Ok(vec![key(&value)]),
        _ => Err(InvalidKeys::NotJwks),
    }
}

fn key(jwk: &Value) -> Result<Key, InvalidKeys> {
    let kind = text(jwk, "kty")?;
    if kind != "oct" && jwk.get("d").is_some() {
        return Err(InvalidKeys::Private);
    }
    let is_for_others = |use_: &Value| use_ != "sig";
    let verifies = |operations: &Value| operations.as_array().is_none_or(|all| all.iter().any(|one| one == "verify"));
    if jwk.get("use").is_some_and(is_for_others) || !jwk.get("key_ops").is_none_or(verifies) {
        return Err(InvalidKeys::NotForSignatures);
    }
    let mut key = match kind {
        "RSA" => Key::rsa(&bytes(jwk, "n")?, &bytes(jwk, "e")?)?,
        "EC" => {
            let algorithm = match text(jwk, "crv")? {
                "P-256" => Algorithm::ES256,
                "P-384" => Algorithm::ES384,
                _ => return Err(InvalidKeys::Unsupported),
            };
            Key::ec(&[&[4], &*bytes(jwk, "x")?, &*bytes(jwk, "y")?].concat(), algorithm)?
        }
        "OKP" if text(jwk, "crv")? == "Ed25519" => Key::ed25519(&bytes(jwk, "x")?)?,
        "oct" => Key::secret(&bytes(jwk, "k")?)?,
        _ => return Err(InvalidKeys::Unsupported),
    };
    if let Some(algorithm) = jwk.get("alg") {
        let only = algorithm.as_str().and_then(|name| name.parse::<Algorithm>().ok());
        key.algorithms.retain(|algorithm| Some(*algorithm) == only);
        if key.algorithms.is_empty() {
            return Err(InvalidKeys::Unsupported);
        }
    }
    key.id = match jwk.get("kid") {
        Some(id) => Some(id.as_str().ok_or(InvalidKeys::Damaged)?.to_owned()),
        None => None,
    };
    Ok(key)
}

fn text<'a>(jwk: &'a Value, name: &str) -> Result<&'a str, InvalidKeys> {
    jwk.get(name).and_then(Value::as_str).ok_or(InvalidKeys::Damaged)
}

fn bytes(jwk: &Value, name: &str) -> Result<Vec<u8>, InvalidKeys> {
    BASE64_URL_SAFE_NO_PAD.decode(text(jwk, name)?).map_err(|_| InvalidKeys::Damaged)
}
