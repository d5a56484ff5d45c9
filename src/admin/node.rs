//! The interface between the admin API and the process.

use futures_util::future::BoxFuture;
use tokio::sync::broadcast;

use super::{
    action::ServiceAction,
    report::{ReloadReport, RoutesReport, SecretReport, StatusReport, UpstreamsReport},
};
use crate::{
    explain::{Explanation, Question},
    services::report::{OutputLine, ServiceReport, ServicesReport},
};

/// The running process, as the admin API sees it.
///
/// Errors are messages for people, in the style of `pmesh check`. They can have several lines.
pub trait Node: Send + Sync + 'static {
    /// Reports the state of the node.
    fn status(&self) -> StatusReport;

    /// Reports the routes.
    fn routes(&self) -> RoutesReport;

    /// Reports the endpoints that requests are sent to, with their state.
    fn upstreams(&self) -> UpstreamsReport;

    /// Reports the services.
    fn services(&self) -> ServicesReport;

    /// Starts, stops or restarts a service. This can take minutes.
    fn act_on_service(&self, name: String, action: ServiceAction) -> BoxFuture<'static, Result<ServiceReport, String>>;

    /// Returns the last lines of one service or of all, at most `count`, and a receiver of further ones.
    fn service_output(
        &self,
        service: Option<&str>,
        count: usize,
    ) -> Result<(Vec<OutputLine>, broadcast::Receiver<OutputLine>), String>;

    /// Explains what happens to a request.
    fn explain(&self, question: Question) -> BoxFuture<'static, Result<Explanation, String>>;

    /// Reloads the configuration. This continues even if the client disconnects.
    fn reload(&self) -> BoxFuture<'static, Result<ReloadReport, String>>;

    /// Rereads the secret files now, instead of within a second.
    fn reload_secret(&self) -> BoxFuture<'static, Result<SecretReport, String>>;
}
