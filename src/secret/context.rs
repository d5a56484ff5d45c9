//! The context of everything that the program derives from the secret. It never changes.

/// The context of all authorities and proofs that are derived from the secret.
pub const CONTEXT: &str = "pmesh";

#[cfg(test)]
mod tests {
    use pmesh_layers::identity::{Authority, NodeAuthority};

    use super::*;

    /// If they changed, clients would no longer trust their authority, and nodes of different versions would refuse each
    /// other.
    #[test]
    fn the_authorities_of_a_secret_never_change() {
        let secret = "1".repeat(64).parse().unwrap();
        let public = Authority::derive(&secret, CONTEXT).unwrap().fingerprint().to_string();
        let nodes = NodeAuthority::derive(&secret, CONTEXT).unwrap().fingerprint().to_string();
        assert!(public.starts_with("9B:61:EE:FE:A5:1C:C7:3E:BA:18:74:B9"), "{public}");
        assert!(nodes.starts_with("65:71:65:05:D5:23:52:59:DA:93:11:28"), "{nodes}");
    }
}
