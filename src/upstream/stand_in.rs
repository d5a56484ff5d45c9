//! A stand-in for the endpoints of a route, which records requests instead of sending them.

use std::{
    future::{Ready, ready},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use ::http::{HeaderValue, Request, Response, request::Parts};
use pmesh_layers::{
    body::{RequestBody, ResponseBody},
    edit_path::PathEdits,
};
use tower::{BoxError, Service};

use super::{
    RouteService, Routes,
    aim::Aim,
    jwt_keys,
    maintenance::MaintenanceFiles,
    proxy::{Prepared, prepared, strip},
    route_settings::RouteSettings,
};
use crate::{
    middleware::{Inner, Limits, Shared, buffer_layer, buffer_memory},
    settings::{Answer, ForwardAuth, Respond, Route, Settings, endpoint::Endpoint},
};

/// Stands in for the endpoints of a route: records the request that they would get, and answers it with an empty 200.
#[derive(Debug, Clone)]
pub struct StandIn {
    sent: Arc<Mutex<Option<Sent>>>,
    /// Changes for this node's own endpoints, if other nodes get the request unchanged.
    own: Option<(PathEdits, Option<HeaderValue>)>,
}

/// The heads of a request that was sent to the endpoints of a route.
#[derive(Debug, Clone)]
pub struct Sent {
    /// For this node's own endpoints.
    pub own: Parts,
    /// For other nodes.
    pub nodes: Parts,
}

/// A route whose endpoints are replaced by a `StandIn`.
#[derive(Debug)]
pub struct StandInRoute {
    /// Answers requests as the route would.
    pub service: RouteService<Prepared<StandIn>>,
    sent: Arc<Mutex<Option<Sent>>>,
}

impl StandInRoute {
    /// The whole route.
    ///
    /// # Errors
    ///
    /// Never for validated settings.
    pub fn new(route: &Route, around: Surroundings<'_>) -> Result<Self, BoxError> {
        let (common, shared) = (around.common(), &around.shared(route));
        let stand_in = StandIn::new(route);
        let sent = Arc::clone(&stand_in.sent);
        let service = match &route.answer {
            Answer::Files(files, endpoints) if endpoints.is_empty() => {
                RouteService::files(files, route, common.https_port, shared, consent)
            }
            Answer::Upstream(_) | Answer::Files(..) => {
                RouteService::proxy(stand_in.prepared(route, &common), route, common.https_port, shared, consent, None)
            }
            Answer::Redirect(redirection) => RouteService::redirect(redirection, route, shared, consent)?,
            Answer::Respond(respond) => RouteService::respond(respond, route, common.https_port, shared, consent)?,
        };
        Ok(Self { service, sent })
    }

    /// The middleware of a route around a stand-in, with any kind of answer.
    pub fn only_middleware(route: &Route, around: Surroundings<'_>) -> Self {
        let (common, shared) = (around.common(), &around.shared(route));
        let stand_in = StandIn::new(route);
        let sent = Arc::clone(&stand_in.sent);
        // Without the changes for endpoints.
        let bare = Route { strip_prefix: false, host_header: None, max_body: None, ..route.clone() };
        let inner = stand_in.prepared(&bare, &common);
        let service = match &route.answer {
            Answer::Upstream(_) | Answer::Respond(Respond::Fixed { .. }) => {
                RouteService::Layered(crate::middleware::around(inner, route, common.https_port, shared, consent))
            }
            Answer::Redirect(_) => {
                RouteService::Layered(crate::middleware::around_redirect(inner, route, shared, consent))
            }
            Answer::Files(_, endpoints) => {
                let without_files = Route { answer: Answer::Upstream(endpoints.clone()), ..route.clone() };
                RouteService::Layered(crate::middleware::around(
                    inner,
                    &without_files,
                    common.https_port,
                    shared,
                    consent,
                ))
            }
            Answer::Respond(Respond::Silence) => RouteService::Proxy(inner),
        };
        Self { service, sent }
    }

    /// The request that its endpoints got.
    pub fn sent(&self) -> Option<Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a response depends on, besides the route.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// The routes of the running node, if it is asked.
    pub running: Option<&'a Routes>,
}

impl Surroundings<'_> {
    /// The settings that apply to all routes. A running node may have other ports, if the kernel has picked them.
    fn common(&self) -> RouteSettings {
        let running = self.running.and_then(Routes::common_settings);
        running.cloned().unwrap_or_else(|| RouteSettings::from_settings(self.settings))
    }

    /// The state of a route, or of a part of it, for a single request. Limits have not counted anything yet. The file of
    /// `maintenance` is looked up now, unless the running node already watches it.
    fn shared(&self, route: &Route) -> Shared {
        let maintenance = match self.running {
            Some(running) => running.maintenance_of(route),
            None => MaintenanceFiles::of(std::slice::from_ref(route), None).switch(route),
        };
        let limits = Limits::of(&route.middleware, None, &Arc::default());
        let buffer = buffer_layer(route, self.common().body_min_rate, &buffer_memory());
        let jwt_keys = match self.running {
            Some(running) => running.jwt_keys_of(route),
            None => jwt_keys::in_file(route),
        };
        Shared { maintenance, limits, buffer, jwt_keys }
    }
}

impl StandIn {
    fn new(route: &Route) -> Self {
        let has_nodes = route.endpoints().iter().any(Endpoint::is_mesh);
        let has_only_nodes = route.endpoints().iter().all(Endpoint::is_mesh);
        let edits = || if has_only_nodes { PathEdits::new() } else { route.path_edits() };
        Self { sent: Arc::default(), own: has_nodes.then(|| (edits(), route.host_header.clone())) }
    }

    fn prepared(self, route: &Route, settings: &RouteSettings) -> Prepared<Self> {
        let (strip, host) = match &self.own {
            Some(_) => (None, None),
            None => (strip(route), route.host_header.clone()),
        };
        prepared(self, route, settings, strip, host)
    }
}

/// Stands in for an authentication server, and lets every request in.
fn consent(_: &ForwardAuth) -> impl Inner + use<> {
    tower::service_fn(|_: Request<RequestBody>| ready(Ok::<_, BoxError>(Response::default())))
}

impl Service<Request<RequestBody>> for StandIn {
    type Response = Response<ResponseBody>;
    type Error = BoxError;
    type Future = Ready<Result<Response<ResponseBody>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        let nodes = Request::from_parts(request.into_parts().0, ());
        request = nodes.clone().map(|()| RequestBody::empty());
        if let Some((edits, host)) = &self.own {
            match Aim::for_endpoint(&nodes, edits, host.as_ref()) {
                Ok(aim) => aim.set(&mut request),
                Err(rejected) => return ready(Err(rejected.into())),
            }
        }
        let sent = Sent { own: request.into_parts().0, nodes: nodes.into_parts().0 };
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner) = Some(sent);
        ready(Ok(Response::default()))
    }
}
