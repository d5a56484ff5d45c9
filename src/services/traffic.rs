//! What the supervisor has to know about requests.

use std::fmt;

use crate::settings::endpoint::Instance;

/// Knows how instances are used.
pub trait Traffic: fmt::Debug + Send + Sync {
    /// How this instance is used.
    fn of(&self, instance: &Instance) -> Use;
}

/// How an instance is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Use {
    /// The number of requests since pmesh started.
    pub requests: u64,
    /// The number of connections or streams with a request in flight.
    pub in_use: usize,
}
