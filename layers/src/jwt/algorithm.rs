use std::{fmt, str::FromStr};

use jsonwebtoken::AlgorithmFamily;
use thiserror::Error;

/// An algorithm of signatures (RFC 7518, 3.1, and RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Algorithm(pub(super) jsonwebtoken::Algorithm);

/// The name of an algorithm is unknown. `none` is unknown, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("unknown algorithm")]
pub struct UnknownAlgorithm;

macro_rules! algorithms {
    ($($name:ident: $doc:literal),* $(,)?) => {
        impl Algorithm {
            $(#[doc = $doc] pub const $name: Self = Self(jsonwebtoken::Algorithm::$name);)*
            /// EdDSA with Ed25519.
            pub const EDDSA: Self = Self(jsonwebtoken::Algorithm::EdDSA);

            /// All algorithms.
            pub const ALL: &[Self] = &[$(Self::$name,)* Self::EDDSA];
        }
    };
}

algorithms! {
    RS256: "RSA (PKCS #1 v1.5) with SHA-256.",
    RS384: "RSA (PKCS #1 v1.5) with SHA-384.",
    RS512: "RSA (PKCS #1 v1.5) with SHA-512.",
    PS256: "RSA-PSS with SHA-256.",
    PS384: "RSA-PSS with SHA-384.",
    PS512: "RSA-PSS with SHA-512.",
    ES256: "ECDSA with P-256 and SHA-256.",
    ES384: "ECDSA with P-384 and SHA-384.",
    HS256: "HMAC with SHA-256, and a shared secret.",
    HS384: "HMAC with SHA-384, and a shared secret.",
    HS512: "HMAC with SHA-512, and a shared secret.",
}

impl Algorithm {
    /// Whether it needs a shared secret, and no public key.
    pub fn is_symmetric(self) -> bool {
        self.family() == AlgorithmFamily::Hmac
    }

    pub(super) fn family(self) -> AlgorithmFamily {
        let of_family = |family: &AlgorithmFamily| family.algorithms().contains(&self.0);
        let families = [AlgorithmFamily::Rsa, AlgorithmFamily::Ec, AlgorithmFamily::Ed];
        families.into_iter().find(of_family).unwrap_or(AlgorithmFamily::Hmac)
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.to_string() == name).ok_or(UnknownAlgorithm)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_standard() {
        let names: Vec<_> = Algorithm::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(names.join(" "), "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 HS256 HS384 HS512 EdDSA");
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.to_string().parse(), Ok(*algorithm));
            assert!(algorithm.family().algorithms().contains(&algorithm.0));
            assert_eq!(algorithm.is_symmetric(), algorithm.to_string().starts_with("HS"));
        }
        for name in ["none", "None", "", "rs256", "RS1"] {
            assert_eq!(name.parse::<Algorithm>(), Err(UnknownAlgorithm), "{name}");
        }
    }
}
