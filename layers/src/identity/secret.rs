use std::{fmt, str::FromStr};

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{
    error::{IdentityError, Kind},
    random,
};

const BYTES: usize = 32;

/// A secret of 256 bits, from which everything that nodes share is derived.
///
/// Anyone who has it can impersonate every node. It is wiped from memory when dropped, and only
/// [`expose_hex`](Self::expose_hex) reveals it.
// Boxed, so that moving it leaves no copy behind.
pub struct Secret(Box<Zeroizing<[u8; BYTES]>>);

impl Secret {
    /// Creates a secret from the system's random numbers.
    ///
    /// # Errors
    ///
    /// Returns [`IdentityError`] if the system provides no random numbers.
    pub fn generate() -> Result<Self, IdentityError> {
        let mut secret = Self(Box::default());
        random::fill(&mut secret.0[..])?;
        Ok(secret)
    }

    /// Returns the 64 hexadecimal digits that [`FromStr`] reads. Store them where only the nodes can read them.
    pub fn expose_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(base16ct::lower::encode_string(self.bytes()))
    }

    /// Derives a key of `N` bytes for the purpose `label`. Each label gives an unrelated key, and no key reveals the
    /// secret.
    ///
    /// Uses HKDF-SHA256 (RFC 5869) without a salt, and with `label` as info.
    ///
    /// # Errors
    ///
    /// Returns [`IdentityError`] if `N` is greater than 8160, the maximum of HKDF.
    pub fn derive_key<const N: usize>(&self, label: &str) -> Result<Zeroizing<[u8; N]>, IdentityError> {
        let mut key = Zeroizing::new([0; N]);
        Hkdf::<Sha256>::new(None, self.bytes())
            .expand(label.as_bytes(), &mut key[..])
            .map_err(|_| Kind::Underivable)?;
        Ok(key)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0[..]
    }
}

impl FromStr for Secret {
    type Err = InvalidSecret;

    /// Parses exactly 64 hexadecimal digits, in upper or lower case. White space around them is ignored.
    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let digits = text.trim_ascii().as_bytes();
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(InvalidSecret::NotHex);
        }
        if digits.len() < BYTES * 2 {
            return Err(InvalidSecret::TooShort { digits: digits.len() });
        }
        if digits.len() > BYTES * 2 {
            return Err(InvalidSecret::TooLong { digits: digits.len() });
        }
        let mut secret = Self(Box::default());
        base16ct::mixed::decode(digits, &mut secret.0[..]).map_err(|_| InvalidSecret::NotHex)?;
        Ok(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// The error for text that is not a secret. Its message never shows the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSecret {
    /// Fewer than 64 digits.
    #[error("a secret is 64 hexadecimal digits, but this has only {digits}; create one with `openssl rand -hex 32`")]
    TooShort {
        /// The number of digits.
        digits: usize,
    },
    /// More than 64 digits.
    #[error("a secret is 64 hexadecimal digits, but this has {digits}; create one with `openssl rand -hex 32`")]
    TooLong {
        /// The number of digits.
        digits: usize,
    },
    /// A character that is not a hexadecimal digit.
    #[error(
        "a secret is 64 hexadecimal digits, but this contains other characters; create one with `openssl rand -hex 32`"
    )]
    NotHex,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff";

    #[test]
    fn a_secret_survives_a_round_trip() {
        let secret = Secret::generate().unwrap();
        let again: Secret = secret.expose_hex().parse().unwrap();
        assert_eq!(secret.bytes(), again.bytes());
        assert_ne!(secret.bytes(), Secret::generate().unwrap().bytes());
        assert_eq!(HEX.parse::<Secret>().unwrap().expose_hex().as_str(), HEX);
    }

    #[test]
    fn case_and_surrounding_white_space_do_not_matter() {
        let text = format!(" \t{}\r\n", HEX.to_uppercase());
        assert_eq!(text.parse::<Secret>().unwrap().expose_hex().as_str(), HEX);
    }

    #[test]
    fn invalid_secrets_are_refused_and_not_shown() {
        let digits = |count| "7".repeat(count);
        for (text, expected) in [
            (String::new(), InvalidSecret::TooShort { digits: 0 }),
            (digits(63), InvalidSecret::TooShort { digits: 63 }),
            (digits(65), InvalidSecret::TooLong { digits: 65 }),
            (digits(63) + "g", InvalidSecret::NotHex),
            (digits(32) + " " + &digits(32), InvalidSecret::NotHex),
            (format!("0x{}", digits(62)), InvalidSecret::NotHex),
            ("\u{663}".repeat(64), InvalidSecret::NotHex),
        ] {
            let error = text.parse::<Secret>().unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(error.to_string().contains("openssl rand -hex 32"));
            assert!(!error.to_string().contains("777"));
        }
    }

    #[test]
    fn each_secret_and_purpose_has_its_own_key() {
        let key = |secret: &str, label| *secret.parse::<Secret>().unwrap().derive_key::<32>(label).unwrap();
        assert_eq!(key(HEX, "one"), key(HEX, "one"));
        assert_ne!(key(HEX, "one"), key(HEX, "two"));
        assert_ne!(key(HEX, "one"), key(&HEX.replace("ff", "fe"), "one"));
        assert!(HEX.parse::<Secret>().unwrap().derive_key::<8161>("one").is_err());
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", HEX.parse::<Secret>()), "Ok(Secret(hidden))");
    }
}
