//! Hashes of passwords: argon2id and bcrypt.

use std::{fmt, str::FromStr};

use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier, password_hash::phc};
use thiserror::Error;

/// In KiB. Each thread that verifies passwords needs memory of its own.
const MAX_MEMORY: u32 = 256 * 1024;
/// Memory in KiB times passes over it: about a second.
const MAX_WORK: u64 = 1024 * 1024;
/// Each step takes twice as long; this one takes about two seconds.
const MAX_BCRYPT_COST: u32 = 15;

/// The hash of a password. Its `Debug` output does not contain it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Argon2id,
    Bcrypt,
}

/// A text that is not a hash, or not a usable one. The message does not contain it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UnusableHash {
    /// The text is not a known kind of hash.
    #[error("this looks like the password itself: run `pmesh hash-password`, and write what it prints")]
    Plain,
    /// A kind of hash that makes guessing quick, or that is rarely used.
    #[error("this is a hash with {0}, which is not supported: run `pmesh hash-password`, and write what it prints")]
    Unsupported(&'static str),
    /// A line of an htpasswd file.
    #[error("this contains the name of the user: write only what follows the colon")]
    WithUser,
    /// A hash that is not complete, or has invalid parameters.
    #[error("this is not a complete {0} hash: copy all of it, or run `pmesh hash-password`")]
    Malformed(&'static str),
    /// A hash that takes too long to verify.
    #[error(
        "this hash takes more time or memory to verify than is allowed ({0}): run `pmesh hash-password`, and write \
         what it prints"
    )]
    Costly(&'static str),
}

impl PasswordHash {
    /// Hashes a password with argon2id and a random salt. Takes about 20 ms and 19 MiB.
    ///
    /// # Errors
    ///
    /// If the system has no random numbers.
    pub fn new(password: &[u8]) -> Result<Self, argon2::password_hash::Error> {
        // The parameters that OWASP recommends.
        let text = Argon2::default().hash_password(password)?.to_string();
        Ok(Self { text, kind: Kind::Argon2id })
    }

    /// Whether this is the hash of `password`. Slow: do not call it on the thread of a worker.
    pub fn verify(&self, password: &[u8]) -> bool {
        match self.kind {
            Kind::Argon2id => Argon2::default().verify_password(password, &*self.text).is_ok(),
            Kind::Bcrypt => bcrypt::verify(password, &self.text).unwrap_or(false),
        }
    }

    /// The text of the hash, as in the file.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for PasswordHash {
    type Err = UnusableHash;

    fn from_str(text: &str) -> Result<Self, UnusableHash> {
        let kind = if text.starts_with("$argon2id$") {
            check_argon2id(text)?;
            Kind::Argon2id
        } else if ["$2a$", "$2b$", "$2y$"].iter().any(|start| text.starts_with(start)) {
            check_bcrypt(text)?;
            Kind::Bcrypt
        } else {
            return Err(unusable(text));
        };
        Ok(Self { text: text.to_owned(), kind })
    }
}

fn check_argon2id(text: &str) -> Result<(), UnusableHash> {
    const MALFORMED: UnusableHash = UnusableHash::Malformed("argon2id");

    let hash = phc::PasswordHash::new(text).map_err(|_| MALFORMED)?;
    let params = Params::try_from(&hash).map_err(|_| MALFORMED)?;
    let is_known_version = hash.version.is_none_or(|version| argon2::Version::try_from(version).is_ok());
    if hash.salt.is_none() || hash.hash.is_none() || !is_known_version {
        return Err(MALFORMED);
    }
    let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
    if params.m_cost() > MAX_MEMORY || work > MAX_WORK {
        return Err(UnusableHash::Costly("at most 256 MiB, and 1 GiB for all passes"));
    }
    Ok(())
}

fn check_bcrypt(text: &str) -> Result<(), UnusableHash> {
    let parts: bcrypt::HashParts = text.parse().map_err(|_| UnusableHash::Malformed("bcrypt"))?;
    if parts.get_cost() > MAX_BCRYPT_COST {
        return Err(UnusableHash::Costly("a cost of at most 15"));
    }
    if parts.get_cost() < 4 {
        return Err(UnusableHash::Malformed("bcrypt"));
    }
    Ok(())
}

/// Why a text is not used as a hash.
fn unusable(text: &str) -> UnusableHash {
    const OTHERS: [(&str, &str); 15] = [
        ("$apr1$", "MD5"),
        ("$1$", "MD5"),
        ("{SHA}", "SHA-1"),
        ("{SSHA}", "SHA-1"),
        ("{SSHA256}", "SHA-256"),
        ("{SSHA512}", "SHA-512"),
        ("$5$", "SHA-256"),
        ("$6$", "SHA-512"),
        ("$y$", "yescrypt"),
        ("$7$", "scrypt"),
        ("$scrypt$", "scrypt"),
        ("$pbkdf2", "PBKDF2"),
        ("$argon2i$", "argon2i"),
        ("$argon2d$", "argon2d"),
        ("$2x$", "a bug of old versions of bcrypt"),
    ];
    let name = |text: &str| OTHERS.iter().find(|(start, _)| text.starts_with(start)).map(|(_, name)| *name);
    if let Some(name) = name(text) {
        return UnusableHash::Unsupported(name);
    }
    match text.split_once(':') {
        Some((_, hash)) if name(hash).is_some() || hash.parse::<PasswordHash>().is_ok() => UnusableHash::WithUser,
        _ => UnusableHash::Plain,
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHash").field("kind", &self.kind).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by libxcrypt for "secret".
    const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

    fn error(text: &str) -> UnusableHash {
        text.parse::<PasswordHash>().expect_err(text)
    }

    #[test]
    fn a_hash_verifies_its_password_only() {
        let argon2id = PasswordHash::new(b"secret").unwrap();
        assert!(argon2id.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", argon2id.as_str());
        let bcrypt = bcrypt::hash("secret", 4).unwrap();
        for text in [argon2id.as_str(), &bcrypt, &bcrypt.replace("$2b$", "$2y$"), &bcrypt.replace("$2b$", "$2a$")] {
            let hash: PasswordHash = text.parse().unwrap();
            assert!(hash.verify(b"secret"), "{text}");
            for wrong in ["", "Secret", "secret ", "secret\0"] {
                assert!(!hash.verify(wrong.as_bytes()), "{text} {wrong:?}");
            }
            assert!(!format!("{hash:?}").contains(&text[20..]));
        }
        assert_ne!(PasswordHash::new(b"secret").unwrap(), argon2id);
    }

    #[test]
    fn hashes_of_other_programs_are_verified() {
        // The first two are from the tests of the reference implementation of argon2.
        for (text, password) in [
            ("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"),
            ("$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", "password"),
            (BCRYPT, "secret"),
        ] {
            let hash: PasswordHash = text.parse().unwrap();
            assert!(hash.verify(password.as_bytes()) && !hash.verify(b"passwore"), "{text}");
        }
    }

    #[test]
    fn errors_say_why_a_text_is_not_usable() {
        for (text, expected) in [
            ("", UnusableHash::Plain),
            ("hunter2", UnusableHash::Plain),
            ("alice:hunter2", UnusableHash::Plain),
            ("$apr1$Ue3sA2Xh$yhVqTVJZzVvVqcVTGDjBS1", UnusableHash::Unsupported("MD5")),
            ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", UnusableHash::Unsupported("SHA-1")),
            ("$6$salt$hash", UnusableHash::Unsupported("SHA-512")),
            ("alice:$apr1$Ue3sA2Xh$yhVqTVJZzVvVqcVTGDjBS1", UnusableHash::WithUser),
            (&format!("alice:{BCRYPT}"), UnusableHash::WithUser),
            (&BCRYPT[..40], UnusableHash::Malformed("bcrypt")),
            (&BCRYPT.replace("$04$", "$02$"), UnusableHash::Malformed("bcrypt")),
            (&BCRYPT.replace("$04$", "$16$"), UnusableHash::Costly("a cost of at most 15")),
            ("$argon2id$", UnusableHash::Malformed("argon2id")),
            ("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ", UnusableHash::Malformed("argon2id")),
            (
                "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b8dWRWJTmaaJObG",
                UnusableHash::Costly("at most 256 MiB, and 1 GiB for all passes"),
            ),
            (
                "$argon2id$v=19$m=65536,t=17,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b8dWRWJTmaaJObG",
                UnusableHash::Costly("at most 256 MiB, and 1 GiB for all passes"),
            ),
            (
                "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b8dWRWJTmaaJObG",
                UnusableHash::Unsupported("argon2i"),
            ),
        ] {
            assert_eq!(error(text), expected, "{text}");
        }
    }
}
