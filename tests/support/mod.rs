//! What the end-to-end tests share: the built program, backends, clients, and a strict reader of HTTP.

pub mod backend;
pub mod client;
pub mod files;
pub mod h2;
pub mod h2_stream;
pub mod network;
pub mod program;
pub mod read;
pub mod tls;
pub mod tls_backend;
pub mod told;

use std::time::Duration;

pub use self::{
    backend::{Backend, Connection},
    client::{Client, End},
    program::{Program, Start},
};

/// When a test that waits for something in vain gives up. Nothing asserts how long anything takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Fails with all the cases that went wrong, not with the first one only.
#[track_caller]
pub fn assert_none(failures: &[String]) {
    assert!(failures.is_empty(), "{} cases failed:\n  {}", failures.len(), failures.join("\n  "));
}

/// Bytes as text for a message, not too many of them.
pub fn shown(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(300)];
    let more = if bytes.len() > start.len() { format!("… ({} bytes)", bytes.len()) } else { String::new() };
    format!("\"{}\"{more}", start.escape_ascii())
}
