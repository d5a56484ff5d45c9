//! What can be done with a service.

use std::str::FromStr;

/// What a node can do with a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceAction {
    /// Start it.
    Start,
    /// Stop it until it is started again.
    Stop,
    /// Replace its instances one by one.
    Restart,
}

impl ServiceAction {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Start, Self::Stop, Self::Restart];

    /// Its name, in commands and in paths of the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }
}

impl FromStr for ServiceAction {
    type Err = UnknownAction;

    fn from_str(name: &str) -> Result<Self, UnknownAction> {
        Self::ALL.into_iter().find(|action| action.name() == name).ok_or(UnknownAction)
    }
}

/// Text that names no [`ServiceAction`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an action on a service is start, stop or restart")]
pub struct UnknownAction;
