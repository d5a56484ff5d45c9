use std::time::Duration;

/// Time that is left for a response, after attempts at other endpoints.
///
/// [`Balance`](super::Balance) adds it to the extensions of a request that it sends again. A
/// [`ResponseTimeout`](crate::response_timeout::ResponseTimeout) around the endpoint then observes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLeft(pub Duration);
