/// The error of a request that made no progress, or too little, before the response head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimedOut {
    /// The backend neither read the request nor responded.
    #[error("the backend did not respond in time")]
    Backend,
    /// The client did not send the rest of its request, or sent it too slowly.
    #[error("the client did not send the rest of its request in time")]
    Client,
}
