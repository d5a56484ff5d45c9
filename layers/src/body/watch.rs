use std::{error::Error, fmt::Debug};

/// Follows a request body on its way to the endpoint.
pub(crate) trait WatchRequest: Debug + Send + Sync {
    /// The endpoint is ready for a piece, but the client has not sent one.
    fn waits_for_client(&self);

    /// A piece of this many bytes, or the end, has passed.
    fn moved(&self, bytes: usize);
}

/// Called once if a response body breaks off.
pub(crate) trait WatchResponse: Debug + Send + Sync {
    /// The body broke off. `mark` is the value that was passed with the watch.
    fn broke_off(&self, mark: u64, error: &(dyn Error + 'static));
}
