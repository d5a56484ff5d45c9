use super::{question::Question, verdict::Copied};

/// What to ask the server, and what to copy from its answer.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) question: Question,
    pub(super) copied: Copied,
}
