//! The messages between pmesh and the keeper: JSON after its length.

use std::{borrow::Cow, io};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{event::ExitStatus, launch::Launch};

/// The argument that makes the program a keeper.
pub const ARGUMENT: &str = "service-keeper";

/// The longest message in bytes. Linux accepts at most 6 MiB of arguments and variables.
pub(super) const MAX_MESSAGE: usize = 16 << 20;
/// The length before a message, in bytes.
pub(super) const LENGTH: usize = 4;

/// From pmesh to the keeper.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request<'a> {
    /// Start a program. The write ends of its pipes come with the first byte.
    Launch { id: u64, launch: Cow<'a, Launch> },
    /// Send a signal to its process group.
    Signal { id: u64, signal: i32 },
    /// Kill everything that it has started.
    Kill { id: u64 },
}

/// From the keeper to pmesh.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// The first message: the keeper is running.
    Hello(Enforced),
    Started {
        id: u64,
        pid: u32,
    },
    Failed {
        id: u64,
        error: String,
    },
    Exited {
        id: u64,
        status: ExitStatus,
    },
}

/// Which limits are enforced for all processes of a service together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Enforced {
    pub(super) memory: bool,
    pub(super) cpu: bool,
    /// Why some are not.
    pub(super) reason: String,
}

/// A message with its length.
///
/// # Errors
///
/// If it is too long, or contains a path that is not UTF-8.
pub(super) fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; LENGTH];
    serde_json::to_writer(&mut bytes, message)?;
    let length = bytes.len() - LENGTH;
    match u32::try_from(length) {
        Ok(written) if length <= MAX_MESSAGE => {
            bytes[..LENGTH].copy_from_slice(&written.to_be_bytes());
            Ok(bytes)
        }
        _ => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "the arguments and variables of the service are too long"))
        }
    }
}

/// Reads a message without its length.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    Ok(serde_json::from_slice(bytes)?)
}
