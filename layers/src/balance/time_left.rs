use std::time::Duration;

/// The time left for a response after attempts at other endpoints.
///
/// [`Balance`](super::Balance) adds it to the extensions of a request that it retries, and the endpoint's
/// [`ResponseTimeout`](crate::response_timeout::ResponseTimeout) limits the attempt to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLeft(pub Duration);
