//! What this process calls itself in `Via`.

use std::{collections::hash_map::RandomState, hash::BuildHasher, sync::LazyLock};

use pmesh_layers::via::{InvalidPseudonym, ViaLayer};

/// The same for all workers, for as long as the process lives. It tells nobody where that runs.
static PSEUDONYM: LazyLock<String> = LazyLock::new(|| {
    // Keyed by the system's random numbers.
    format!("pmesh-{:016x}", RandomState::new().hash_one(0))
});

/// The layer that adds it, and knows it again.
///
/// # Errors
///
/// None: what it is made of is a token.
pub fn layer() -> Result<ViaLayer, InvalidPseudonym> {
    ViaLayer::new(&PSEUDONYM)
}
