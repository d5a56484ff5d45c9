//! This process, as the admin API sees it.

use std::{
    process,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{FutureExt, TryFutureExt, future::BoxFuture};
use pmesh_layers::{
    balance::{EndpointStats, Health, HealthState},
    pool::PoolStats,
};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::{control::ControlRequest, process::Process};
use crate::{
    admin::{
        ConfigurationReport, EndpointReport, EndpointState, ErrorReport, JwtKeysReport, Node, ReloadReport,
        RoutesReport, SecretReport, ServiceAction, Socket, SocketError, StatusReport, UpstreamsReport,
    },
    explain::{Explanation, Question, explain},
    mesh::About,
    services::{
        handle::Services,
        report::{OutputLine, ServiceReport, ServicesReport},
    },
    settings::{Route, Settings},
    telemetry::causes::with_causes,
    upstream::{
        Surroundings,
        jwt_keys::{Failure, FetchedKeys},
    },
};

/// This node, as the admin API sees it.
#[derive(Debug)]
pub(super) struct Admin {
    pub(super) process: Arc<Process>,
    pub(super) about: Arc<About>,
    pub(super) services: Services,
    pub(super) requests: mpsc::UnboundedSender<ControlRequest>,
}

impl Node for Admin {
    fn status(&self) -> StatusReport {
        let generation = self.process.generation();
        let failed = self.process.failed_reload();
        StatusReport {
            node: self.about.node(),
            configuration: Some(ConfigurationReport {
                pid: process::id(),
                generation: generation.number,
                since: seconds(generation.since),
                file: generation.file.as_ref().map(|file| file.display().to_string()),
                included: generation.included,
                error: failed.map(|failed| ErrorReport { message: failed.error, time: Some(seconds(failed.at)) }),
            }),
            health: self.about.health(),
            registry: self.about.registry(),
            counters: self.about.counters(),
            jwt_keys: generation.routes.fetched_jwt_keys().into_iter().map(jwt_keys).collect(),
            services: self.services.report().by_state(),
            peers: self.about.peers(),
        }
    }

    fn routes(&self) -> RoutesReport {
        RoutesReport::from_settings(&self.process.current().settings)
    }

    fn upstreams(&self) -> UpstreamsReport {
        let generation = self.process.generation();
        let mut endpoints = Vec::new();
        for (connections, routes) in generation.routes.endpoints().into_iter().filter(|(one, _)| one.is_used()) {
            let this = connections.endpoint();
            let is_only_mirror = |route: &Route| {
                !route.endpoints().iter().any(|endpoint| endpoint.covers(this))
                    && route.mirror().is_some_and(|to| to.upstream.covers(this))
            };
            let note = |route| if is_only_mirror(route) { " (mirror)" } else { "" };
            let places = |route| places(route).map(|place| place + note(route));
            let places = routes.iter().copied().flat_map(places).collect();
            let record = connections.record();
            let pools: Vec<_> = connections.pools().map(|stats| &**stats).collect();
            let stats: Vec<_> = record.stats.iter().map(|stats| &**stats).collect();
            endpoints.push(endpoint(this.to_string(), places, &record.health, &stats, &pools));
        }
        for peer in self.process.peers.load_full().iter() {
            let uses = |route: &&Route| route.endpoints().iter().any(|endpoint| endpoint.may_be(&peer.name));
            let places: Vec<_> = generation.settings.routes.iter().filter(uses).flat_map(places).collect();
            if places.is_empty() {
                continue;
            }
            let links: Vec<_> = peer.links().collect();
            let pools: Vec<_> = links.iter().map(|link| &**link.service().stats()).collect();
            let stats: Vec<_> = links.iter().map(|link| &**link.stats()).collect();
            endpoints.push(endpoint(format!("mesh://{}", peer.name), places, peer.link_health(), &stats, &pools));
        }
        endpoints.sort_by(|one, other| one.address.cmp(&other.address));
        UpstreamsReport { endpoints }
    }

    fn services(&self) -> ServicesReport {
        self.services.report()
    }

    fn act_on_service(&self, name: String, action: ServiceAction) -> BoxFuture<'static, Result<ServiceReport, String>> {
        let services = self.services.clone();
        Box::pin(async move {
            match action {
                ServiceAction::Start => services.start(&name).await,
                ServiceAction::Stop => services.stop(&name).await,
                ServiceAction::Restart => services.restart(&name).await,
            }
        })
    }

    fn service_output(
        &self,
        service: Option<&str>,
        count: usize,
    ) -> Result<(Vec<OutputLine>, broadcast::Receiver<OutputLine>), String> {
        self.services.output(service, count)
    }

    fn explain(&self, question: Question) -> BoxFuture<'static, Result<Explanation, String>> {
        let generation = self.process.generation();
        let explanation = async move {
            let around = Surroundings { settings: &generation.settings, running: Some(&generation.routes) };
            explain(&question, around).await
        };
        explanation.map_err(|error| with_causes(&*error)).boxed()
    }

    fn reload(&self) -> BoxFuture<'static, Result<ReloadReport, String>> {
        self.request(ControlRequest::Reload)
    }

    fn reload_secret(&self) -> BoxFuture<'static, Result<SecretReport, String>> {
        self.request(ControlRequest::Secret)
    }
}

impl Admin {
    fn request<T: Send + 'static>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, String>>) -> ControlRequest,
    ) -> BoxFuture<'static, Result<T, String>> {
        let (sender, answer) = oneshot::channel();
        let _ = self.requests.send(request(sender));
        let stop = self.about.stop.clone();
        Box::pin(async move {
            answer.await.unwrap_or_else(|_| {
                let is_shutting_down = *stop.borrow();
                Err(if is_shutting_down {
                    "the node is shutting down"
                } else {
                    "the node failed to do this; its log says why"
                }
                .into())
            })
        })
    }
}

fn jwt_keys(FetchedKeys { url, count, failure }: FetchedKeys) -> JwtKeysReport {
    let error = |failure: Failure| ErrorReport { message: failure.error, time: Some(seconds(failure.since)) };
    JwtKeysReport { url, keys: count, error: failure.map(error) }
}

fn places(route: &Route) -> impl Iterator<Item = String> {
    route.places().map(|place| place.to_string())
}

/// Binds the socket for commands. If the default socket in the home cannot be bound, the node serves without it.
///
/// # Errors
///
/// [`SocketError`], if the user chose the address.
pub(super) fn bind(settings: &Settings, is_home_locked: bool) -> Result<Option<Socket>, SocketError> {
    let is_in_home = settings.admin.is_in_home(&settings.home);
    if is_in_home && !is_home_locked {
        // The log already says that the home cannot be locked.
        return Ok(None);
    }
    match Socket::bind(&settings.admin) {
        Err(error) if is_in_home => {
            tracing::warn!("commands such as `pmesh status` cannot reach this node: {}", with_causes(&error));
            Ok(None)
        }
        bound => bound,
    }
}

/// Reports on an endpoint, summed over the workers.
fn endpoint(
    address: String,
    routes: Vec<String>,
    health: &Health,
    stats: &[&EndpointStats],
    pools: &[&PoolStats],
) -> EndpointReport {
    let HealthState { outage, unchanged_for, last_failure, is_drained, .. } = health.state();
    let requests = stats.iter().map(|stats| stats.requests()).sum();
    // Before its first request, the state of an endpoint is unknown.
    let used_for = stats.iter().filter_map(|stats| stats.since_first_request()).max();
    let unchanged_for = used_for.map_or(unchanged_for, |used_for| used_for.min(unchanged_for));
    let now = SystemTime::now();
    let before = |ago: Duration| now.checked_sub(ago).map(seconds);
    let state = match &outage {
        _ if is_drained => EndpointState::Draining,
        Some(_) => EndpointState::Failed,
        None if requests == 0 => EndpointState::Unknown,
        None => EndpointState::Ok,
    };
    let left_alone = outage.as_ref().filter(|outage| !outage.backoff_left.is_zero());
    let open: usize = pools.iter().map(|stats| stats.open()).sum();
    let idle: usize = pools.iter().map(|stats| stats.idle()).sum();
    EndpointReport {
        address,
        routes,
        state,
        since: before(unchanged_for).filter(|_| state != EndpointState::Unknown),
        consecutive_failures: outage.as_ref().map_or(0, |outage| outage.failures.into()),
        left_alone_until: left_alone.map(|outage| seconds(now + outage.backoff_left)),
        last_error: last_failure
            .map(|failure| ErrorReport { message: failure.error.to_string(), time: before(failure.ago) }),
        requests,
        failures: stats.iter().map(|stats| stats.failures()).sum(),
        open_connections: open as u64,
        idle_connections: idle as u64,
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
