use std::{ffi::OsString, path::Path, sync::Arc};

/// What a [`Files`](super::Files) service serves.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) root: Arc<Path>,
    pub(super) index: OsString,
    pub(super) spa: bool,
}
