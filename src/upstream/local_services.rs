//! Services as endpoints of routes: requests wait while no instance is ready.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use ::http::{Request, Response};
use futures_util::future::Either;
use pmesh_layers::{
    body::{RequestBody, ResponseBody},
    wait_ready::{Readiness, WaitReady, WaitReadyLayer},
};
use tower::{BoxError, Layer, Service};

use super::turns::InTurn;
use crate::{
    services::table::{Instances, ServiceTable},
    settings::{ServiceName, Settings, endpoint::Endpoint},
};

/// The services of a configuration.
#[derive(Debug, Clone, Copy)]
pub struct LocalServices<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// Where the instances are.
    pub table: &'a ServiceTable,
}

impl LocalServices<'_> {
    /// The instances of a service.
    pub(super) fn instances(&self, name: &ServiceName) -> Result<&Arc<Instances>, BoxError> {
        self.table.get(name).ok_or_else(|| format!("there is no service {name}: add [services.{name}]").into())
    }

    /// How requests for these endpoints wait; `None` if no service is among them.
    pub(super) fn wait(&self, endpoints: &[Endpoint]) -> Result<Option<Wait>, BoxError> {
        let mut wait = Wait { readiness: Vec::new(), instances: 0, timeout: Duration::ZERO, is_only: true };
        for endpoint in endpoints {
            let Endpoint::Service(name) = endpoint else {
                wait.is_only = false;
                continue;
            };
            wait.readiness.push(self.instances(name)?.readiness.clone());
            if let Some(service) = self.settings.services.iter().find(|service| service.name == *name) {
                wait.instances += usize::from(service.instances);
                wait.timeout = wait.timeout.max(service.wait_timeout);
            }
        }
        Ok(Some(wait).filter(|wait| !wait.readiness.is_empty()))
    }
}

/// How long requests wait, and for which services of a route.
#[derive(Debug, Clone)]
pub(super) struct Wait {
    readiness: Vec<Readiness>,
    /// How many instances there are if all are ready.
    pub(super) instances: usize,
    /// The longest `wait_timeout`.
    timeout: Duration,
    /// Whether services are the only endpoints.
    is_only: bool,
}

impl Wait {
    fn layer(&self) -> WaitReadyLayer {
        let layer = WaitReadyLayer::any(self.readiness.iter().cloned(), self.timeout);
        if self.is_only { layer } else { layer.or_elsewhere() }
    }
}

impl PartialEq for Wait {
    fn eq(&self, other: &Self) -> bool {
        let is_same = |(one, other): (&Readiness, &Readiness)| one.is_same(other);
        (self.instances, self.timeout, self.is_only) == (other.instances, other.timeout, other.is_only)
            && self.readiness.len() == other.readiness.len()
            && self.readiness.iter().zip(&other.readiness).all(is_same)
    }
}

/// The endpoints of a route, in turn.
#[derive(Debug, Clone)]
pub enum Turns {
    /// Requests are sent at once.
    AtOnce(InTurn),
    /// Requests wait while no instance is ready.
    WhenReady(WaitReady<InTurn>),
}

impl Turns {
    pub(super) fn new(in_turn: InTurn, wait: Option<&Wait>) -> Self {
        match wait {
            // Each worker has its own layer, because each request clones and drops an `Arc` of it.
            Some(wait) => Self::WhenReady(wait.layer().layer(in_turn)),
            None => Self::AtOnce(in_turn),
        }
    }
}

impl Service<Request<RequestBody>> for Turns {
    type Response = Response<ResponseBody>;
    type Error = BoxError;
    type Future = Either<
        <InTurn as Service<Request<RequestBody>>>::Future,
        <WaitReady<InTurn> as Service<Request<RequestBody>>>::Future,
    >;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // `InTurn` is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        match self {
            Self::AtOnce(in_turn) => Either::Left(in_turn.call(request)),
            Self::WhenReady(waiting) => Either::Right(waiting.call(request)),
        }
    }
}
