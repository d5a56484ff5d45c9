//! How other threads reach the supervisor of the services.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::{broadcast, mpsc, oneshot};

use super::{
    report::{OutputLine, ServiceReport, ServicesReport},
    shared::Shared,
    table::ServiceSlots,
};
use crate::settings::Service;

/// The services of this process. Clones are handles to the same ones.
#[derive(Debug, Clone)]
pub struct Services {
    shared: Arc<Shared>,
    requests: mpsc::UnboundedSender<Request>,
}

/// What should run.
#[derive(Debug)]
pub struct Wanted {
    /// The services.
    pub services: Vec<Service>,
    /// Where their instances listen.
    pub instances: ServiceSlots,
    /// How long an instance that is replaced or stopped may finish its requests.
    pub drain_limit: Duration,
    /// The folder for the files of the program.
    pub home: PathBuf,
}

/// A request to the supervisor.
#[derive(Debug)]
pub(super) enum Request {
    /// Run these services.
    Apply(Box<Wanted>),
    /// Do this to the service with this name.
    Command(String, Order, oneshot::Sender<Result<(), String>>),
    /// Stop everything, and report when that is done.
    ShutDown(oneshot::Sender<()>),
}

/// What to do to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Start,
    Stop,
    Restart,
}

impl Services {
    /// Creates a handle for a supervisor that shows its state in `shared`.
    pub(super) fn new(shared: Arc<Shared>) -> (Self, mpsc::UnboundedReceiver<Request>) {
        let (requests, received) = mpsc::unbounded_channel();
        (Self { shared, requests }, received)
    }

    /// Runs these services from now on: starts new ones, stops others, and replaces the instances of changed ones.
    pub fn apply(&self, wanted: Wanted) {
        // An error means that this process is shutting down.
        let _ = self.requests.send(Request::Apply(Box::new(wanted)));
    }

    /// Stops all services. Returns once all their processes have ended.
    pub async fn shut_down(&self) {
        let (sender, done) = oneshot::channel();
        let _ = self.requests.send(Request::ShutDown(sender));
        // An error means that there is no supervisor.
        let _ = done.await;
    }

    /// The state of all services.
    pub fn report(&self) -> ServicesReport {
        self.shared.report()
    }

    /// Starts a service that was stopped. Returns once all its instances are ready.
    ///
    /// # Errors
    ///
    /// A message for the user: there is no such service, or it does not become ready.
    pub async fn start(&self, name: &str) -> Result<ServiceReport, String> {
        self.order(name, Order::Start).await
    }

    /// Stops a service until it is started again. Returns once all its instances have ended.
    ///
    /// # Errors
    ///
    /// A message for the user: there is no such service.
    pub async fn stop(&self, name: &str) -> Result<ServiceReport, String> {
        self.order(name, Order::Stop).await
    }

    /// Replaces the instances of a service one by one, as a reload does. Returns once this is done.
    ///
    /// # Errors
    ///
    /// A message for the user: there is no such service, or a new instance does not become ready, so that the old ones
    /// stay.
    pub async fn restart(&self, name: &str) -> Result<ServiceReport, String> {
        self.order(name, Order::Restart).await
    }

    /// Returns the last lines of a service, or of all, at most `count`, and a receiver of further ones.
    ///
    /// # Errors
    ///
    /// A message for the user: there is no such service.
    pub fn output(
        &self,
        name: Option<&str>,
        count: usize,
    ) -> Result<(Vec<OutputLine>, broadcast::Receiver<OutputLine>), String> {
        let Some(name) = name else { return Ok(self.shared.output(count)) };
        let recent = self.shared.recent(name).ok_or_else(|| self.unknown(name))?;
        let ring = recent.lock();
        Ok((ring.last(count).cloned().collect(), ring.follow()))
    }

    async fn order(&self, name: &str, order: Order) -> Result<ServiceReport, String> {
        if self.shared.recent(name).is_none() {
            return Err(self.unknown(name));
        }
        let (sender, outcome) = oneshot::channel();
        let _ = self.requests.send(Request::Command(name.to_owned(), order, sender));
        outcome.await.unwrap_or_else(|_| Err("the node is shutting down".to_owned()))?;
        self.shared.report_on(name).ok_or_else(|| "the service was removed from the settings".to_owned())
    }

    fn unknown(&self, name: &str) -> String {
        match &*self.shared.names() {
            [] => format!("there is no service {name}: the settings have none"),
            names => format!("there is no service {name}; there are: {}", names.join(", ")),
        }
    }
}

/// No services.
impl Default for Services {
    fn default() -> Self {
        Self::new(Arc::default()).0
    }
}
