use std::time::Duration;

/// Time that is left for a response after attempts at other endpoints.
///
/// When [`Balance`](super::Balance) sends a request again, it puts this into the request's extensions if there is a
/// [`ResponseTimeout`](crate::response_timeout::ResponseTimeout) around the endpoint, which adheres to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLeft(pub Duration);
