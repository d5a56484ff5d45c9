//! What the admin API needs from the process.

use futures_util::future::BoxFuture;

use super::report::{ReloadReport, RoutesReport, SecretReport, StatusReport, UpstreamsReport};

/// What the admin API reports and does: the running process.
///
/// An error is text for people, as `pmesh check` prints it; it may have several lines.
pub trait Node: Send + Sync + 'static {
    /// What it is and does.
    fn status(&self) -> StatusReport;

    /// What is served.
    fn routes(&self) -> RoutesReport;

    /// Where requests are sent, and how it is there.
    fn upstreams(&self) -> UpstreamsReport;

    /// Reads the configuration again. Whoever asked may leave before it is done.
    fn reload(&self) -> BoxFuture<'static, Result<ReloadReport, String>>;

    /// Reads the files of the secret again, now rather than within a second.
    fn reload_secret(&self) -> BoxFuture<'static, Result<SecretReport, String>>;
}
