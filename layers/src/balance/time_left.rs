use std::time::Duration;

/// How long the response to a request may still take, as other endpoints were waited for before.
///
/// [`Balance`](super::Balance) puts it among the extensions of a request that it sends again, if the error says how much
/// [`time_left`](super::Unsent::time_left) there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLeft(pub Duration);
