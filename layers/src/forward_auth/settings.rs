use super::{question::Question, verdict::Copied};

/// The request to the server, and the headers to copy from its answer.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) question: Question,
    pub(super) copied: Copied,
}
