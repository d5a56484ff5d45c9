//! Seals on announcements, which only nodes with the secret can make.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use base16ct::{lower::encode_string, mixed::decode_vec};
use hmac::{Hmac, KeyInit, Mac};
use pmesh_layers::identity::{IdentityError, Secret};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{Announcement, Route};

/// The label with which the key is derived.
const LABEL: &str = "pmesh registry v1";
/// The version of the sealed content.
const VERSION: u32 = 1;
/// How many seals of one announcement are checked at most, so that forged entries cannot cause a lot of work.
const MAX_SEALS: usize = 4;

/// Seals announcements, so that only nodes with the same secret can make them. Anyone can read them.
///
/// A sealed announcement is two lines of text. The second is JSON. The first has the HMAC-SHA256 (RFC 2104) of the
/// second by the key of each secret, in hexadecimal, separated by spaces.
///
/// With several secrets, as during a rotation, an announcement is sealed with each of them, and accepted by nodes that
/// have any of them. So a node that has both secrets and a node that has only the old or the new one accept each other.
///
/// Clones share the secrets: [`replace`](Self::replace) affects all of them.
///
/// ```
/// use std::time::SystemTime;
///
/// use pmesh::mesh::{Announcement, Instance, Seal};
/// use pmesh_layers::identity::Secret;
///
/// let seal = Seal::new(&[Secret::generate()?])?;
/// let announcement = Announcement {
///     node: "berlin".parse()?,
///     instance: Instance::random(),
///     address: "10.0.0.1:8443".parse()?,
///     serves: Vec::new(),
///     software: "1.0.0".to_owned(),
/// };
/// let sealed = seal.seal(&announcement, SystemTime::now())?;
/// assert_eq!(seal.open("berlin", &sealed)?.0, announcement);
/// assert!(Seal::new(&[Secret::generate()?])?.open("berlin", &sealed).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Seal(Arc<ArcSwap<Vec<Hmac<Sha256>>>>);

impl Seal {
    /// Creates a seal that seals with all of `secrets`, and accepts any of them.
    ///
    /// # Errors
    ///
    /// Only if no key can be derived.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Result<Self, IdentityError> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(keys(secrets)?))))
    }

    /// Uses only the secrets of `other` from now on, to seal and to verify.
    pub fn replace(&self, other: &Self) {
        self.0.store(other.0.load_full());
    }

    /// Seals the announcement of a node at time `now`.
    ///
    /// # Errors
    ///
    /// [`SealError::Wrong`] if there is no secret.
    pub fn seal(&self, announcement: &Announcement, now: SystemTime) -> Result<Vec<u8>, SealError> {
        let json = serde_json::to_vec(&Content::new(announcement, now)).map_err(|_| SealError::Content)?;
        let tag = |mac: &Hmac<Sha256>| encode_string(&mac.clone().chain_update(&json).finalize().into_bytes());
        let tags: Vec<_> = self.0.load().iter().take(MAX_SEALS).map(tag).collect();
        if tags.is_empty() {
            return Err(SealError::Wrong);
        }
        let mut sealed = format!("{}\n", tags.join(" ")).into_bytes();
        sealed.extend(json);
        Ok(sealed)
    }

    /// Returns what the node `name` announced, and when, by its own clock.
    ///
    /// # Errors
    ///
    /// [`SealError`] if no node with one of the secrets has sealed this under that name, or if it cannot be read.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<(Announcement, SystemTime), SealError> {
        let end = sealed.iter().position(|byte| *byte == b'\n').ok_or(SealError::Wrong)?;
        let (tags, json) = (&sealed[..end], &sealed[end + 1..]);
        let macs: Vec<_> = self.0.load().iter().map(|mac| mac.clone().chain_update(json)).collect();
        let is_right =
            |tag: &[u8]| decode_vec(tag).is_ok_and(|tag| macs.iter().any(|mac| mac.clone().verify_slice(&tag).is_ok()));
        if !tags.split(|byte| *byte == b' ').take(MAX_SEALS).any(is_right) {
            return Err(SealError::Wrong);
        }
        let Version { version } = serde_json::from_slice(json).map_err(|_| SealError::Content)?;
        if version != VERSION {
            return Err(SealError::Version(version));
        }
        let content: Content = serde_json::from_slice(json).map_err(|_| SealError::Content)?;
        let opened = content.read().ok_or(SealError::Content)?;
        // Otherwise, an entry of one node could be copied into the place of another.
        if opened.0.node.as_str() == name { Ok(opened) } else { Err(SealError::Wrong) }
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(hidden)")
    }
}

fn keys<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Result<Vec<Hmac<Sha256>>, IdentityError> {
    let key = |secret: &Secret| {
        // A block of SHA-256 (RFC 2104, 3).
        let key = secret.derive_key::<64>(LABEL)?;
        Ok(Hmac::new((&*key).into()))
    };
    secrets.into_iter().map(key).collect()
}

/// Why an entry in the registry is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It was not sealed by a node with the same secret, or it was sealed under another name.
    #[error("it is not sealed with this node's secret; nodes that should find each other need the same secret")]
    Wrong,
    /// The seal is valid, but the content is from a later version of the program.
    #[error("it has version {0} of the format, but this node reads only version {VERSION}; update this node")]
    Version(u32),
    /// The seal is valid, but the content is not.
    #[error("it is sealed with this node's secret, but cannot be read; do both nodes run the same version?")]
    Content,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// The JSON. New keys can be added without a new version.
#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    node: String,
    instance: String,
    address: String,
    serves: Vec<Route>,
    software: String,
    /// Seconds since 1970.
    time: u64,
}

impl Content {
    fn new(announcement: &Announcement, now: SystemTime) -> Self {
        Self {
            version: VERSION,
            node: announcement.node.to_string(),
            instance: announcement.instance.to_string(),
            address: announcement.address.to_string(),
            serves: announcement.serves.iter().map(Route::from_served).collect(),
            software: announcement.software.clone(),
            time: now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs(),
        }
    }

    fn read(self) -> Option<(Announcement, SystemTime)> {
        let announcement = Announcement {
            node: self.node.parse().ok()?,
            instance: self.instance.parse().ok()?,
            address: self.address.parse().ok()?,
            serves: self.serves.iter().map(Route::read).collect::<Option<_>>()?,
            software: self.software,
        };
        Some((announcement, SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.time))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::{Instance, Served};

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn secret(digit: &str) -> Secret {
        digit.repeat(64).parse().unwrap()
    }

    fn seal(digits: &[&str]) -> Seal {
        Seal::new(&digits.iter().map(|digit| secret(digit)).collect::<Vec<_>>()).unwrap()
    }

    fn announcement() -> Announcement {
        let served = |host: &str, prefix: &str| Served { host: host.parse().unwrap(), prefix: prefix.parse().unwrap() };
        Announcement {
            node: "b".parse().unwrap(),
            instance: Instance::random(),
            address: "[::1]:8443".parse().unwrap(),
            serves: vec![served("a.example", "/api"), served("*.example", "/")],
            software: "1.2.3".to_owned(),
        }
    }

    /// Any text, sealed.
    fn sealed(seal: &Seal, json: &str) -> Vec<u8> {
        let mac = seal.0.load()[0].clone().chain_update(json).finalize().into_bytes();
        format!("{}\n{json}", encode_string(&mac)).into_bytes()
    }

    #[test]
    fn sealed_announcements_can_be_opened() {
        let now = NOW + Duration::from_secs(1_800_000_000);
        let (one, seal) = (announcement(), seal(&["1"]));
        let sealed = seal.seal(&one, now + Duration::from_millis(300)).unwrap();
        assert_eq!(seal.open("b", &sealed), Ok((one, now)));
    }

    #[test]
    fn the_format_does_not_change() {
        // Other nodes compute the same. This value was computed without this code, from RFC 5869 and RFC 2104.
        let json = "{\"version\":1,\"node\":\"b\",\"instance\":\"0000000000000000000000000000002a\",\"address\":\"10.0.0.2:8443\",\"serves\":[{\"host\":\"*.example\",\"prefix\":\"/\"}],\"software\":\"0.1.0\",\"time\":1800000000}";
        let tag = "fda3a2e5e902a1e9be684b1d278e4fc698e8c9967409f8c7976cab4377fed24c";
        let text = format!("{tag}\n{json}");
        let (opened, time) = seal(&["1"]).open("b", text.as_bytes()).unwrap();
        assert_eq!(opened.address.to_string(), "10.0.0.2:8443");
        assert_eq!(seal(&["1"]).seal(&opened, time).unwrap(), text.as_bytes());
    }

    #[test]
    fn a_secret_is_replaced_without_a_gap() {
        let (old, both, new) = (seal(&["1"]), seal(&["2", "1"]), seal(&["2"]));
        let one = announcement();
        let opens = |by: &Seal, sealed_by: &Seal| by.open("b", &sealed_by.seal(&one, NOW).unwrap()).is_ok();
        for (by, sealed_by) in [(&both, &old), (&old, &both), (&both, &new), (&new, &both), (&both, &both)] {
            assert!(opens(by, sealed_by));
        }
        assert!(!opens(&old, &new) && !opens(&new, &old));

        let kept = old.clone();
        old.replace(&new);
        assert!(opens(&kept, &new) && opens(&new, &kept));
    }

    #[test]
    fn only_the_first_few_seals_are_checked() {
        let seal = seal(&["1"]);
        let plain = String::from_utf8(seal.seal(&announcement(), NOW).unwrap()).unwrap();
        let others = |count: usize| format!("{}{plain}", format!("{} ", "0".repeat(64)).repeat(count));
        assert!(seal.open("b", others(MAX_SEALS - 1).as_bytes()).is_ok());
        assert_eq!(seal.open("b", others(MAX_SEALS).as_bytes()), Err(SealError::Wrong));
    }

    #[test]
    fn changed_announcements_are_rejected() {
        let seal = seal(&["1"]);
        let sealed = seal.seal(&announcement(), NOW).unwrap();
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(seal.open("b", &changed), Err(SealError::Wrong), "byte {index}");
            assert_eq!(seal.open("b", &sealed[..index]), Err(SealError::Wrong), "{index} bytes");
        }
        assert_eq!(seal.open("c", &sealed), Err(SealError::Wrong));
        let nobodys = Seal::new([]).unwrap();
        assert_eq!(nobodys.open("b", &sealed), Err(SealError::Wrong));
        assert_eq!(nobodys.seal(&announcement(), NOW), Err(SealError::Wrong));
    }

    #[test]
    fn new_keys_are_ignored_and_new_versions_are_rejected() {
        let seal = seal(&["1"]);
        let plain = String::from_utf8(seal.seal(&announcement(), NOW).unwrap()).unwrap();
        let json = plain.split_once('\n').unwrap().1;
        let more = json.replacen('{', "{\"load\":0.5,", 1);
        assert!(seal.open("b", &sealed(&seal, &more)).is_ok());
        let other = "{\"version\":2,\"something\":\"else\"}";
        assert_eq!(seal.open("b", &sealed(&seal, other)), Err(SealError::Version(2)));
        let broken = [json.replace("*.example", "*"), json.replace("[::1]:8443", "b"), "{}".to_owned(), String::new()];
        let huge = json.replace("\"time\":0", "\"time\":18446744073709551615");
        for json in broken.into_iter().chain([huge]) {
            assert_eq!(seal.open("b", &sealed(&seal, &json)), Err(SealError::Content), "{json}");
        }
    }
}
