//! What this process calls itself in `CDN-Loop` and `Via`.

use std::{collections::hash_map::RandomState, hash::BuildHasher, sync::LazyLock};

use pmesh_layers::{
    cdn_loop::{CdnLoopLayer, InvalidCdnId},
    via::{InvalidPseudonym, ViaLayer},
};

/// It is the same for all workers and for the life of the process, and does not reveal where the process runs.
static PSEUDONYM: LazyLock<String> = LazyLock::new(|| {
    // The hasher has random keys.
    format!("pmesh-{:016x}", RandomState::new().hash_one(0))
});

/// The layer that rejects requests that have come through this process again and again.
///
/// # Errors
///
/// None: the pseudonym is a token.
pub fn cdn_loop() -> Result<CdnLoopLayer, InvalidCdnId> {
    CdnLoopLayer::new(&PSEUDONYM)
}

/// The layer that adds `Via`.
///
/// # Errors
///
/// None: the pseudonym is a token.
pub fn via() -> Result<ViaLayer, InvalidPseudonym> {
    ViaLayer::new(&PSEUDONYM)
}
