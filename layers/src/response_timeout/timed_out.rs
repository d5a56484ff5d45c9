/// No progress, or too little, before the head of a response arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimedOut {
    /// The backend neither read nor answered.
    #[error("the backend did not respond in time")]
    Backend,
    /// The client did not send the rest of its request.
    #[error("the client did not send the rest of its request in time")]
    Client,
}
