//! Shared by the end-to-end tests: the built program, backends, clients, and a strict HTTP reader.

pub mod backend;
pub mod client;
pub mod files;
pub mod h2;
pub mod h2_stream;
pub mod headers;
pub mod jwt;
pub mod network;
pub mod program;
pub mod read;
pub mod tls;
pub mod tls_backend;

use std::time::Duration;

pub use self::{
    backend::{Backend, Connection},
    client::{Client, End},
    program::{Program, Start},
};

/// How long a test waits for something before it gives up. No test asserts how long anything takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Reports all failed cases, not just the first.
#[track_caller]
pub fn assert_none(failures: &[String]) {
    assert!(failures.is_empty(), "{} cases failed:\n  {}", failures.len(), failures.join("\n  "));
}

/// Bytes as text for a message, shortened if there are many.
pub fn shown(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(300)];
    let more = if bytes.len() > start.len() { format!("… ({} bytes)", bytes.len()) } else { String::new() };
    format!("\"{}\"{more}", start.escape_ascii())
}
