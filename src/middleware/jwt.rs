//! `jwt`: lets in requests with a valid token.

use pmesh_layers::jwt::{JwtLayer, SharedKeys};

use crate::settings::Jwt;

/// Creates the layer, which verifies tokens with these keys.
pub(super) fn layer(jwt: &Jwt, keys: SharedKeys) -> JwtLayer {
    let mut layer = JwtLayer::new(keys).leeway(jwt.leeway).from(jwt.from.iter().cloned());
    if !jwt.audience.is_empty() {
        layer = layer.audience(jwt.audience.iter().cloned());
    }
    if !jwt.issuer.is_empty() {
        layer = layer.issuer(jwt.issuer.iter().cloned());
    }
    if !jwt.algorithms.is_empty() {
        layer = layer.algorithms(jwt.algorithms.iter().copied());
    }
    if !jwt.require_exp {
        layer = layer.without_expiry();
    }
    if !jwt.forward_token {
        layer = layer.remove_token();
    }
    let require = |layer: JwtLayer, (claim, accepted): &(String, Vec<String>)| layer.require(claim, accepted.clone());
    layer = jwt.require.iter().fold(layer, require);
    jwt.claim_headers.iter().fold(layer, |layer, (name, claim)| layer.header(name.clone(), claim))
}
