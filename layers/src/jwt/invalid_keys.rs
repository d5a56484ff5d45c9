use thiserror::Error;

/// Why keys cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidKeys {
    /// The text is not a JSON Web Key Set.
    #[error("this is not a JSON Web Key Set, such as {{\"keys\": [ … ]}}")]
    NotJwks,
    /// The text has no public key in PEM.
    #[error("there is no public key in it; one begins with -----BEGIN PUBLIC KEY-----")]
    NoPem,
    /// There is a private key.
    #[error(
        "there is a private key in it, with which anybody who reads it can make tokens: only the public key belongs here"
    )]
    Private,
    /// There is a certificate in place of a key.
    #[error("this is a certificate: write its public key, as `openssl x509 -noout -pubkey -in FILE` prints it")]
    Certificate,
    /// There is a key in the older PKCS #1 form.
    #[error("this is a public key in PKCS #1: write it as `openssl rsa -RSAPublicKey_in -pubout -in FILE` prints it")]
    Pkcs1,
    /// The set has no keys.
    #[error("there are no keys in it")]
    Empty,
    /// The type of a key is not supported. In a set, this is only an error if no key can be used.
    #[error("the key is not supported: it must be RSA, EC with P-256 or P-384, Ed25519, or a shared secret")]
    Unsupported,
    /// A key is for another purpose.
    #[error("the key is not for signatures")]
    NotForSignatures,
    /// A key is incomplete or damaged.
    #[error("the key is damaged")]
    Damaged,
    /// A key is too short to be safe (RFC 7518, 3.2 and 3.3).
    #[error("the key is too short: it has {bits} bits, and needs {needed}")]
    TooShort {
        /// Its length.
        bits: usize,
        /// The minimum length.
        needed: usize,
    },
}
