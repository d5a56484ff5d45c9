//! The credentials of a request.

use std::fmt;

use ::http::{HeaderMap, header::AUTHORIZATION};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::Zeroizing;

/// A user and a password, as the client sent them.
pub(super) struct Credentials {
    decoded: Zeroizing<Vec<u8>>,
    colon: usize,
}

impl Credentials {
    /// Reads them from the headers. `None` if they are missing or malformed, or if there is more than one `Authorization`.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        // Some clients leave out the padding.
        const BASE64: GeneralPurpose = GeneralPurpose::new(
            &alphabet::STANDARD,
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
        );

        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next().filter(|_| values.next().is_none())?.as_bytes();
        let (scheme, encoded) = value.split_at_checked("Basic".len())?;
        if !scheme.eq_ignore_ascii_case(b"Basic") || encoded.first() != Some(&b' ') {
            return None;
        }
        let decoded = Zeroizing::new(BASE64.decode(encoded.trim_ascii()).ok()?);
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        // Passwords need not be text.
        str::from_utf8(&decoded[..colon]).ok()?;
        Some(Self { decoded, colon })
    }

    pub(super) fn user(&self) -> &str {
        str::from_utf8(&self.decoded[..self.colon]).unwrap_or_default()
    }

    pub(super) fn password(&self) -> &[u8] {
        &self.decoded[self.colon + 1..]
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn read(values: &[&str]) -> Option<(String, Vec<u8>)> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        Credentials::of(&headers).map(|read| (read.user().to_owned(), read.password().to_vec()))
    }

    #[test]
    fn credentials_are_decoded() {
        let some = |user: &str, password: &[u8]| Some((user.to_owned(), password.to_vec()));
        let encoded = |bytes: &[u8]| format!("Basic {}", BASE64_STANDARD.encode(bytes));
        assert_eq!(read(&[&encoded(b"alice:secret")]), some("alice", b"secret"));
        assert_eq!(read(&[&encoded(b"alice:a:b")]), some("alice", b"a:b"));
        assert_eq!(read(&[&encoded(b"alice:")]), some("alice", b""));
        assert_eq!(read(&[&encoded("ä:ö".as_bytes())]), some("ä", "ö".as_bytes()));
        assert_eq!(read(&[&encoded(b"a:\xff")]), some("a", b"\xff"));
        // Case, further spaces and missing padding do not matter.
        assert_eq!(read(&["bASIC   YTpiYg"]), some("a", b"bb"));
        for malformed in [
            &[][..],
            &["Basic"],
            &["Basic "],
            &["BasicYTpi"],
            &["Bearer YTpi"],
            &["Basic YTpi!"],
            &["Basic YTpi YTpi"],
            &["Basic YTpi", "Basic YTpi"],
            &[&encoded(b"alice")],
            &[&encoded(b"\xff:a")],
        ] {
            assert_eq!(read(malformed), None, "{malformed:?}");
        }
    }
}
