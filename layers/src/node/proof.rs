use hkdf::hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::identity::{IdentityError, NodeName, Secret};

/// The info of the key derivation, after the context.
const LABEL: &str = "proof v1";
const VERSION: u8 = 1;
/// Version, seconds since 1970, nonce.
const HEAD: usize = 1 + 8 + NONCE;
const LENGTH: usize = HEAD + 32;

/// The length of a nonce, in bytes.
pub(super) const NONCE: usize = 16;

/// The key for the proofs of one secret. It is as long as a SHA-256 block, so HMAC uses it unchanged.
pub(super) struct ProofKey(Box<Zeroizing<[u8; 64]>>);

impl ProofKey {
    pub(super) fn derive(secret: &Secret, context: &str) -> Result<Self, IdentityError> {
        Ok(Self(Box::new(secret.derive_key(&format!("{context} {LABEL}"))?)))
    }

    /// Creates a proof for the node `target`, dated `time`, in seconds since 1970.
    pub(super) fn prove(&self, target: &NodeName, time: u64, nonce: [u8; NONCE]) -> Vec<u8> {
        let mut proof = Vec::with_capacity(LENGTH);
        proof.push(VERSION);
        proof.extend(time.to_be_bytes());
        proof.extend(nonce);
        let mac = self.mac(&proof, target).finalize().into_bytes();
        proof.extend(mac);
        proof
    }

    fn mac(&self, head: &[u8], target: &NodeName) -> Hmac<Sha256> {
        // The name comes last, because only the name has no fixed length.
        Hmac::new((&**self.0).into()).chain_update(head).chain_update(target.as_str())
    }
}

/// Bytes with the length and version of a proof.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proof<'a>(&'a [u8; LENGTH]);

impl<'a> Proof<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let bytes: &[u8; LENGTH] = bytes.try_into().ok()?;
        (bytes[0] == VERSION).then_some(Self(bytes))
    }

    /// Whether it was made with this key, for the node `target`. Compares in constant time.
    pub(super) fn is_made_with(self, key: &ProofKey, target: &NodeName) -> bool {
        let (head, mac) = self.0.split_at(HEAD);
        key.mac(head, target).verify_slice(mac).is_ok()
    }

    /// How many seconds after `now` it was made; negative if before.
    pub(super) fn ahead_of(self, now: u64) -> i64 {
        let mut time = [0; 8];
        time.copy_from_slice(&self.0[1..9]);
        let ahead = i128::from(u64::from_be_bytes(time)) - i128::from(now);
        i64::try_from(ahead).unwrap_or(if ahead < 0 { i64::MIN } else { i64::MAX })
    }

    pub(super) fn nonce(self) -> [u8; NONCE] {
        let mut nonce = [0; NONCE];
        nonce.copy_from_slice(&self.0[HEAD - NONCE..HEAD]);
        nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000;

    fn key(digit: &str) -> ProofKey {
        ProofKey::derive(&digit.repeat(64).parse().unwrap(), "pmesh").unwrap()
    }

    fn name(name: &str) -> NodeName {
        name.parse().unwrap()
    }

    fn made_with(bytes: &[u8], key: &ProofKey, target: &str) -> bool {
        Proof::read(bytes).is_some_and(|proof| proof.is_made_with(key, &name(target)))
    }

    /// Pins the format, so that nodes of different versions understand each other. Computed without this code.
    #[test]
    fn a_proof_never_changes() {
        let proof = key("1").prove(&name("berlin"), NOW, [7; NONCE]);
        let hex: String = proof.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "01000000006ab13b8007070707070707070707070707070707bb7427fa\
             84c893a726ae081576817b2e33cb015f11f3146433fbeb6fa2b454e7"
        );
    }

    #[test]
    fn a_proof_is_valid_for_one_secret_and_one_node() {
        let proof = key("1").prove(&name("b"), NOW, [7; NONCE]);
        assert!(made_with(&proof, &key("1"), "b"));
        assert!(!made_with(&proof, &key("2"), "b"));
        for other in ["c", "ba", "a"] {
            assert!(!made_with(&proof, &key("1"), other), "{other}");
        }
    }

    #[test]
    fn changed_or_shortened_proofs_are_invalid() {
        let proof = key("1").prove(&name("b"), NOW, [7; NONCE]);
        for bit in 0..proof.len() * 8 {
            let mut changed = proof.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!made_with(&changed, &key("1"), "b"), "bit {bit}");
        }
        for length in 0..proof.len() {
            assert!(!made_with(&proof[..length], &key("1"), "b"), "{length} bytes");
            assert!(!made_with(&proof[length + 1..], &key("1"), "b"), "all but {length} bytes");
        }
        assert!(!made_with(&[&proof[..], &[0]].concat(), &key("1"), "b"));
    }

    #[test]
    fn other_versions_are_rejected() {
        let mut proof = key("1").prove(&name("b"), NOW, [7; NONCE]);
        for version in (0..=u8::MAX).filter(|version| *version != VERSION) {
            proof[0] = version;
            assert!(Proof::read(&proof).is_none(), "{version}");
        }
    }

    #[test]
    fn times_are_compared_without_overflow() {
        for (time, now, ahead) in
            [(NOW, NOW, 0), (NOW + 61, NOW, 61), (NOW, NOW + 61, -61), (u64::MAX, 0, i64::MAX), (0, u64::MAX, i64::MIN)]
        {
            let proof = key("1").prove(&name("b"), time, [7; NONCE]);
            assert_eq!(Proof::read(&proof).unwrap().ahead_of(now), ahead);
        }
    }

    #[test]
    fn the_key_differs_from_those_of_the_authorities() {
        // All three come from the same HKDF, and differ by the label.
        let secret: Secret = "1".repeat(64).parse().unwrap();
        let expand = |label: &str| *secret.derive_key::<64>(label).unwrap();
        let proof = key("1");
        assert_eq!(**proof.0, expand("pmesh proof v1"));
        for label in ["pmesh authority for nodes v1\0", "pmesh authority for public names v1\0", ""] {
            assert_ne!(proof.0[..32], expand(label)[..32], "{label}");
        }
    }
}
