//! Hash tables of names in the configuration, for lookups on every request.
//!
//! No client can add a key, so none can make keys collide on purpose. The standard library's hash protects against
//! that, and takes several times as long for a name.

use rustc_hash::{FxHashMap, FxHashSet};

/// A map to which no client can add a key.
pub(crate) type FixedMap<K, V> = FxHashMap<K, V>;
/// A set to which no client can add a member.
pub(crate) type FixedSet<K> = FxHashSet<K>;
