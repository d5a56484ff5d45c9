//! Public keys in PEM (RFC 7468, 13, and RFC 5280, 4.1.2.7).

use rustls_pki_types::{
    SubjectPublicKeyInfoDer, alg_id,
    pem::{Error, PemObject},
};

use super::{Algorithm, InvalidKeys, key::Key};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

/// Reads all public keys; at least one.
pub(super) fn read(pem: &[u8]) -> Result<Vec<Key>, InvalidKeys> {
    let has = |text: &str| pem.windows(text.len()).any(|window| window == text.as_bytes());
    if has("PRIVATE KEY-----") {
        return Err(InvalidKeys::Private);
    }
    let keys: Result<Vec<_>, Error> = SubjectPublicKeyInfoDer::pem_slice_iter(pem).collect();
    let keys = keys.map_err(|_| InvalidKeys::Damaged)?;
    match keys.first() {
        Some(_) => keys.iter().map(|key| self::key(key).unwrap_or(Err(InvalidKeys::Damaged))).collect(),
        None if has("-----BEGIN RSA PUBLIC KEY-----") => Err(InvalidKeys::Pkcs1),
        None if has("-----BEGIN CERTIFICATE-----") => Err(InvalidKeys::Certificate),
        None => Err(InvalidKeys::NoPem),
    }
}

/// `None` if it is not valid DER.
fn key(der: &[u8]) -> Option<Result<Key, InvalidKeys>> {
    let (info, _) = element(der, SEQUENCE)?;
    let (algorithm, rest) = element(info, SEQUENCE)?;
    let (bits, _) = element(rest, BIT_STRING)?;
    let (0, key) = bits.split_first()? else { return None };
    Some(match algorithm {
        id if id == &*alg_id::RSA_ENCRYPTION => {
            let (numbers, _) = element(key, SEQUENCE)?;
            let (n, rest) = element(numbers, INTEGER)?;
            let (e, _) = element(rest, INTEGER)?;
            Key::rsa(n, e)
        }
        id if id == &*alg_id::ECDSA_P256 => Key::ec(key, Algorithm::ES256),
        id if id == &*alg_id::ECDSA_P384 => Key::ec(key, Algorithm::ES384),
        id if id == &*alg_id::ED25519 => Key::ed25519(key),
        _ => Err(InvalidKeys::Unsupported),
    })
}

/// The content of the first element, which must have this tag, and the bytes after it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    if *found == tag { rest.split_at_checked(length) } else { None }
}
