//! Tables of what a configuration names: looked up for every request, and filled by nobody else.
//!
//! The standard library's hash is made against keys that collide on purpose, and takes several times as long for a name.

use rustc_hash::{FxHashMap, FxHashSet};

/// A map whose keys no client can add.
pub(crate) type FixedMap<K, V> = FxHashMap<K, V>;
/// A set whose members no client can add.
pub(crate) type FixedSet<K> = FxHashSet<K>;
