//! One secret in place of a PKI: a secret, the certificate authority derived from it, and the certificates it issues.
//!
//! Every node that holds the same [`Secret`] derives, byte for byte, the same [`Authority`], at every start and in
//! every version. Clients that trust its certificate accept what any of the nodes issues, and no node stores
//! anything but the secret.
//!
//! What nodes show each other comes from a [`NodeAuthority`] of its own, unrelated to that one; the module
//! [`node`](crate::node) puts it to work.
//!
//! ```
//! use std::{sync::Arc, time::SystemTime};
//!
//! use pmesh_layers::identity::{Authority, Secret};
//! use rustls::{ServerConfig, crypto::aws_lc_rs};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Kept where only this program reads it, and given to every other node.
//! let secret = Secret::generate()?;
//! let authority = Authority::derive(&secret, "example")?;
//!
//! // For trust stores, or `curl --cacert`.
//! println!("{}", authority.certificate_pem());
//!
//! let issued = authority.issue(&"app.example.com".parse()?, SystemTime::now())?;
//! let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
//!     .with_safe_default_protocol_versions()?
//!     .with_no_client_auth()
//!     .with_single_cert(issued.chain, issued.key)?;
//! # drop(config);
//! # Ok(())
//! # }
//! ```

mod authority;
mod derived;
pub(crate) mod error;
mod issued;
mod key;
mod name;
mod node_authority;
pub(crate) mod random;
mod secret;

pub use authority::Authority;
pub use derived::Fingerprint;
pub use error::IdentityError;
pub use issued::{CLOCK_SLACK, Issued, LIFETIME};
pub use name::{InvalidNodeName, NodeName};
pub use node_authority::{NodeAuthority, Role};
pub use secret::{InvalidSecret, Secret};
