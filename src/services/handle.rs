//! How other threads reach the supervisor of the services.

use tokio::sync::broadcast;

use super::report::{OutputLine, ServiceReport, ServicesReport};

/// The services of this process. Clones are handles to the same ones.
#[derive(Debug, Clone, Default)]
pub struct Services;

impl Services {
    /// The state of all services.
    pub fn report(&self) -> ServicesReport {
        ServicesReport::default()
    }

    /// Starts a service that was stopped. Returns once all its instances are ready.
    ///
    /// # Errors
    ///
    /// A message for the user: there is no such service, or it does not become ready.
    pub async fn start(&self, _name: &str) -> Result<ServiceReport, String> {
        Err("there is no service".to_owned())
    }

    /// Stops a service until it is started again. Returns once all its instances have ended.
    ///
    /// # Errors
    ///
    /// A message for the user: there is no such service.
    pub async fn stop(&self, _name: &str) -> Result<ServiceReport, String> {
        Err("there is no service".to_owned())
    }

    /// Replaces the instances of a service one by one, as a reload does. Returns once this is done.
    ///
    /// # Errors
    ///
    /// A message for the user: there is no such service, or a new instance does not become ready, so that the old ones
    /// stay.
    pub async fn restart(&self, _name: &str) -> Result<ServiceReport, String> {
        Err("there is no service".to_owned())
    }

    /// Returns the last lines of a service, or of all, at most `count`, and a receiver of further ones.
    ///
    /// # Errors
    ///
    /// A message for the user: there is no such service.
    pub fn output(
        &self,
        _name: Option<&str>,
        _count: usize,
    ) -> Result<(Vec<OutputLine>, broadcast::Receiver<OutputLine>), String> {
        Ok((Vec::new(), broadcast::channel(1).1))
    }
}
