use std::collections::{HashMap, HashSet};

use thiserror::Error;

/// Numbers from 0 that are assigned to keys.
#[derive(Debug, Clone)]
pub(super) struct Places {
    count: u32,
    seed: Box<[u8]>,
    by_key: HashMap<Box<str>, u32>,
    taken: HashSet<u32>,
}

/// The pool has no free place for the key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no place is left for {key}: {taken} of {capacity} are assigned")]
pub struct NoPlaceLeft {
    /// The key.
    pub key: String,
    /// How many places are assigned to other keys.
    pub taken: usize,
    /// How many there are.
    pub capacity: usize,
}

impl Places {
    pub(super) fn new(count: u32, seed: &[u8]) -> Self {
        Self { count, seed: seed.into(), by_key: HashMap::new(), taken: HashSet::new() }
    }

    /// Returns the place of a key. If it has none, assigns the first one for which `is_free` returns true.
    pub(super) fn assign(&mut self, key: &str, mut is_free: impl FnMut(u32) -> bool) -> Result<u32, NoPlaceLeft> {
        if let Some(place) = self.get(key) {
            return Ok(place);
        }
        let Some(first) = hash(&self.seed, key).checked_rem(u64::from(self.count)) else { return Err(self.full(key)) };
        let first = u32::try_from(first).unwrap_or_default();
        let mut all = (first..self.count).chain(0..first);
        match all.find(|place| !self.taken.contains(place) && is_free(*place)) {
            Some(place) => {
                self.by_key.insert(key.into(), place);
                self.taken.insert(place);
                Ok(place)
            }
            None => Err(self.full(key)),
        }
    }

    pub(super) fn release(&mut self, key: &str) -> Option<u32> {
        let place = self.by_key.remove(key)?;
        self.taken.remove(&place);
        Some(place)
    }

    pub(super) fn get(&self, key: &str) -> Option<u32> {
        self.by_key.get(key).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn capacity(&self) -> u32 {
        self.count
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.by_key.iter().map(|(key, place)| (&**key, *place))
    }

    fn full(&self, key: &str) -> NoPlaceLeft {
        NoPlaceLeft {
            key: key.to_owned(),
            taken: self.len(),
            capacity: usize::try_from(self.count).unwrap_or(usize::MAX),
        }
    }
}

/// Must never change, so that programs keep their addresses after an update.
fn hash(seed: &[u8], key: &str) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;

    let bytes = seed.iter().chain(&[0]).chain(key.as_bytes());
    let mut hash = bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::{collection, prelude::*};

    use super::*;

    #[test]
    fn the_hash_never_changes() {
        assert_eq!(hash(b"/root/.pmesh", "web/1/a"), 0xf9db_51c5_cb80_186a);
        assert_ne!(hash(b"a", "b"), hash(b"ab", ""));
    }

    #[test]
    fn all_places_are_assigned_before_the_pool_is_full() {
        for count in [1, 2, 3, 6, 254] {
            let mut places = Places::new(count, b"");
            let assigned: HashSet<_> =
                (0..count).map(|key| places.assign(&key.to_string(), |_| true).unwrap()).collect();
            assert_eq!(assigned, (0..count).collect());
            let full = places.assign("more", |_| true).unwrap_err();
            assert_eq!((full.taken, full.capacity), (places.len(), assigned.len()));
            places.release("0");
            assert!(places.assign("more", |_| true).is_ok());
        }
        assert!(Places::new(0, b"").assign("", |_| true).is_err());
    }

    proptest! {
        #[test]
        fn no_two_keys_share_a_place(count in 1_u32..40, steps in collection::vec((0_u8..50, any::<bool>()), 0..200)) {
            let mut places = Places::new(count, b"seed");
            for (key, is_release) in steps {
                let key = key.to_string();
                let had = places.get(&key);
                if is_release {
                    assert_eq!(places.release(&key), had);
                    assert_eq!(places.get(&key), None);
                } else if let Ok(place) = places.assign(&key, |place| place % 3 != 0) {
                    assert!(place < count && place % 3 != 0);
                    assert!(had.is_none_or(|had| had == place));
                }
                let distinct: HashSet<_> = places.iter().map(|(_, place)| place).collect();
                assert_eq!(distinct.len(), places.len());
                assert_eq!(distinct, places.taken);
            }
        }

        #[test]
        fn a_key_has_the_same_place_whatever_came_before(keys in collection::vec("[a-z]{1,3}", 1..20)) {
            let alone = |key: &str| Places::new(1 << 16, b"seed").assign(key, |_| true).unwrap();
            let mut places = Places::new(1 << 16, b"seed");
            let mut first_choices = HashSet::new();
            for key in &keys {
                let place = places.assign(key, |_| true).unwrap();
                // Another key can have taken it, or the ones after it.
                if first_choices.insert(alone(key)) && !places.iter().any(|(other, place)| other != key && place == alone(key)) {
                    assert_eq!(place, alone(key));
                    places.release(key);
                    assert_eq!(places.assign(key, |_| true), Ok(place));
                }
            }
        }
    }
}
