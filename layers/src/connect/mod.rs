//! Connections to backends, and the addresses that they leave from.

mod subnet;

pub use subnet::{InvalidSubnet, SourceSubnet};
