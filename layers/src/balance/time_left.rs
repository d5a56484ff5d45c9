use std::time::Duration;

/// Time that is left for a response after attempts at other endpoints.
///
/// When [`Balance`](super::Balance) sends a request again, it puts this into the request's extensions if the error
/// knows the [`time_left`](super::Unsent::time_left).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLeft(pub Duration);
