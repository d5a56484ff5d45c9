//! What the admin API tells of this process, and passes on to the control thread.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::{mpsc, oneshot};

use crate::{
    admin::{Node, ReloadReport, RoutesReport, SecretReport, Socket, SocketError, StatusReport, UpstreamsReport},
    mesh::About,
    server::{control::Order, worker::Shared},
    settings::Settings,
    telemetry::causes::with_causes,
};

/// This process, for the admin API.
#[derive(Debug)]
pub struct AdminNode {
    /// What it tells other nodes, too.
    pub about: Arc<About>,
    /// The settings in use.
    pub shared: Arc<Shared>,
    /// To the control thread.
    pub orders: mpsc::UnboundedSender<Order>,
}

impl Node for AdminNode {
    fn status(&self) -> StatusReport {
        StatusReport {
            node: self.about.node(),
            configuration: None,
            health: self.about.health(),
            registry: self.about.registry(),
            counters: self.about.counters(),
            peers: self.about.peers(),
        }
    }

    fn routes(&self) -> RoutesReport {
        RoutesReport::of(&self.shared.settings)
    }

    fn upstreams(&self) -> UpstreamsReport {
        UpstreamsReport { endpoints: Vec::new() }
    }

    fn reload(&self) -> BoxFuture<'static, Result<ReloadReport, String>> {
        async { Err("settings are not read again: restart for new ones".to_owned()) }.boxed()
    }

    fn reload_secret(&self) -> BoxFuture<'static, Result<SecretReport, String>> {
        self.order(Order::ReloadSecret)
    }
}

impl AdminNode {
    fn order<T: Send + 'static>(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<T, String>>) -> Order,
    ) -> BoxFuture<'static, Result<T, String>> {
        let (reply, answer) = oneshot::channel();
        // If the control thread is gone, so is `reply`.
        let _ = self.orders.send(order(reply));
        async { answer.await.unwrap_or_else(|_| Err("the node is stopping".to_owned())) }.boxed()
    }
}

/// Listens for the commands. If that is in the home, as by default, the node serves without where it cannot be.
///
/// # Errors
///
/// [`SocketError`], for a place that was chosen.
pub fn bind(settings: &Settings, is_home_locked: bool) -> Result<Option<Socket>, SocketError> {
    let is_in_home = settings.admin.is_in_home(&settings.home);
    if is_in_home && !is_home_locked {
        // The log says that this home takes no files.
        return Ok(None);
    }
    match Socket::bind(&settings.admin) {
        Err(error) if is_in_home => {
            tracing::warn!("commands such as `pmesh status` cannot ask this node: {}", with_causes(&error));
            Ok(None)
        }
        bound => bound,
    }
}
