use std::{error::Error, fmt::Debug};

/// Follows a request body on its way to the endpoint.
pub(crate) trait WatchRequest: Debug + Send + Sync {
    /// The endpoint asked for a piece, and there was none.
    fn waits_for_client(&self);

    /// A piece of so many bytes has moved, or the end.
    fn moved(&self, bytes: usize);
}

/// Is told once if a response body breaks off.
pub(crate) trait WatchResponse: Debug + Send + Sync {
    /// It broke off. `mark` is what was given with the watch.
    fn broke_off(&self, mark: u64, error: &(dyn Error + 'static));
}
