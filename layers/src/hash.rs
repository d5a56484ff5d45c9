//! Hash tables of names in the configuration, for lookups on every request.
//!
//! No client can add a key, so keys that collide on purpose are no danger. The standard library's hash protects against
//! these, and takes several times as long for a name.

use rustc_hash::{FxHashMap, FxHashSet};

/// A map to which no client can add a key.
pub(crate) type FixedMap<K, V> = FxHashMap<K, V>;
/// A set to which no client can add a member.
pub(crate) type FixedSet<K> = FxHashSet<K>;
