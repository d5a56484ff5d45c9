//! The name of this process in `CDN-Loop` and `Via`.

use std::{collections::hash_map::RandomState, hash::BuildHasher, sync::LazyLock};

use pmesh_layers::{
    cdn_loop::{CdnLoopLayer, InvalidCdnId},
    via::{InvalidPseudonym, ViaLayer},
};

/// The same for all workers and for the life of the process. It does not reveal where the process runs.
static PSEUDONYM: LazyLock<String> = LazyLock::new(|| {
    // The hasher has random keys.
    format!("pmesh-{:016x}", RandomState::new().hash_one(0))
});

/// Creates the layer that rejects requests that keep coming back to this process.
///
/// # Errors
///
/// None: the pseudonym is a token.
pub fn cdn_loop() -> Result<CdnLoopLayer, InvalidCdnId> {
    CdnLoopLayer::new(&PSEUDONYM)
}

/// Creates the layer that adds `Via`.
///
/// # Errors
///
/// None: the pseudonym is a token.
pub fn via() -> Result<ViaLayer, InvalidPseudonym> {
    ViaLayer::new(&PSEUDONYM)
}
