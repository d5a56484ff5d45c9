//! Derives a certificate authority from a shared secret, and issues certificates: one secret instead of a PKI.
//!
//! Every node with the same [`Secret`] derives the same [`Authority`], byte for byte, on every start and in every
//! version. Clients that trust its certificate accept what any of the nodes issues. Nodes store only the secret.
//!
//! The certificates that nodes present to each other come from a separate, unrelated [`NodeAuthority`]. The module
//! [`node`](crate::node) uses them.
//!
//! ```
//! use std::{sync::Arc, time::SystemTime};
//!
//! use pmesh_layers::identity::{Authority, Secret};
//! use rustls::{ServerConfig, crypto::aws_lc_rs};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Store it where only this program can read it, and copy it to every other node.
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
