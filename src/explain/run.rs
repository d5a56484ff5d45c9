//! Runs a request through the layers that serve clients, and notes how far it gets.

use std::{
    future::{Ready, ready},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use http::{Request, Response, header::HOST, request::Parts};
use pmesh_layers::{
    body::{RequestBody, ResponseBody},
    forwarded::{ClientAddr, DistrustLayer},
    host::{HostLayer, HostName, HostRejected, ServedHosts},
    route::RouteTable,
};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};

use super::{
    answer,
    explanation::{ExplainedHost, Explanation, Outcome},
    listener::Chosen,
    middleware,
    parts::harmless,
    request::{Asked, declared_body},
    route,
};
use crate::{
    http::stack::{checked, trusted},
    middleware::Layered,
    settings::{Listener, Settings},
    upstream::{StandInRoute, Surroundings, Tables},
};

/// Runs a request on a listener.
pub(super) async fn run(
    asked: Asked,
    Chosen { listener, explained, mismatch }: Chosen,
    around: Surroundings<'_>,
) -> Result<Explanation, BoxError> {
    let settings = around.settings;
    let own;
    let tables = match around.running {
        Some(running) => running.tables(),
        None => {
            own = Tables::build(settings)?;
            &own
        }
    };
    let mut explanation = Explanation {
        listener: explained,
        server_name: asked.server_name.as_ref().map(ToString::to_string),
        host: None,
        client: asked.from.map(|from| from.to_canonical().to_string()),
        route: None,
        passed_over: Vec::new(),
        middleware: Vec::new(),
        outcome: answer::silence(mismatch.unwrap_or("the listener has no routes")),
    };
    let Some(table) = tables.for_listener(&listener).filter(|_| mismatch.is_none()) else { return Ok(explanation) };
    let host = |name: &HostName| {
        let is_served = table.served(name.as_str()).is_some();
        let note = (!is_served).then(|| not_served(name, &listener, settings, tables));
        ExplainedHost { name: name.to_string(), is_served, note }
    };
    if let Some(why) = handshake(&asked, table) {
        explanation.host = Some(host(asked.server_name.as_ref().unwrap_or(&asked.host)));
        explanation.outcome = answer::silence(why);
        return Ok(explanation);
    }
    let named = asked.headers.get(HOST).and_then(|host| HostName::from_authority(host.as_bytes()).ok());
    explanation.host = named.as_ref().map(host);
    let (arrived, response) = arrive(&asked, table, settings).await?;
    let Some(parts) = arrived else {
        explanation.outcome =
            response.map_or_else(|error| rejected(&*error, &asked), |one| answer::response(&one, None));
        return Ok(explanation);
    };
    if asked.from.is_some() {
        explanation.client = ClientAddr::from_extensions(&parts.extensions).map(|client| client.to_string());
    }

    let request = Request::from_parts(parts, ());
    let found = route::find(&request, tables, &listener, settings, &asked);
    (explanation.route, explanation.passed_over) = (found.explained, found.passed_over);
    let route = match found.result {
        Ok(route) => route,
        Err(error) => {
            explanation.outcome = answer::no_route(error, found.other_reading).await;
            return Ok(explanation);
        }
    };
    explanation.middleware = middleware::explain(route, &request, around, &asked).await;
    let route = harmless(route, &asked, around.running.is_some());
    let stand_in = StandInRoute::new(&route, around)?;
    let sent = request.clone().map(|()| declared_body(request.headers()));
    let response = answer::answered(stand_in.service.clone(), sent).await;
    explanation.outcome = match (stand_in.sent(), response) {
        (Some(sent), _) => {
            explanation.middleware.extend(middleware::prepared(&route, &request, &sent));
            answer::upstream(&route, &sent)
        }
        (None, Ok(response)) => answer::of_route(&response, &route, &explanation.middleware),
        (None, Err(_)) => answer::silence("the route says respond = \"silence\""),
    };
    Ok(explanation)
}

/// Why the client gets silence during the TLS handshake, if it does.
fn handshake(asked: &Asked, table: &RouteTable<usize>) -> Option<&'static str> {
    match &asked.server_name {
        _ if !asked.is_tls => None,
        Some(name) if table.served(name.as_str()).is_some() => None,
        Some(_) => Some("the TLS handshake (SNI) names a host that is not served here"),
        None => Some("the TLS handshake names no host: clients send no SNI for an address"),
    }
}

/// Sends a request through the layers before the router, as in the stack, but without logs and counters. Returns the
/// request that the router gets, or else the response.
async fn arrive(
    asked: &Asked,
    table: &Arc<RouteTable<usize>>,
    settings: &Settings,
) -> Result<(Option<Parts>, Result<Response<ResponseBody>, BoxError>), BoxError> {
    let arrived = Arrived::default();
    let stack = ServiceBuilder::new()
        .layer(HostLayer::new(Arc::clone(table)))
        .layer(DistrustLayer::new(trusted(settings)))
        .service(checked(settings, arrived.clone())?);
    let response = Layered::new(stack).oneshot(asked.to_request()).await;
    Ok((arrived.take(), response))
}

/// The outcome of a request that names no served host, by the same rule as in the server.
fn rejected(error: &(dyn std::error::Error + 'static), asked: &Asked) -> Outcome {
    match error.downcast_ref::<HostRejected>() {
        Some(rejected) if rejected.is_malformed() && asked.is_tls => answer::malformed(rejected),
        _ => answer::silence(error.to_string()),
    }
}

/// Says what a listener serves instead of `name`.
fn not_served(name: &HostName, listener: &Listener, settings: &Settings, tables: &Tables) -> String {
    let others: Vec<_> = settings
        .all_listeners()
        .filter(|other| *other != Listener::Internal && other != listener)
        .filter(|other| tables.for_listener(other).is_some_and(|table| table.served(name.as_str()).is_some()))
        .map(|other| other.name().to_owned())
        .collect();
    if !others.is_empty() {
        return format!("it is served on {}", others.join(" and "));
    }
    let mut hosts: Vec<_> = settings.served(listener).iter().map(|served| served.place.host.to_string()).collect();
    hosts.dedup();
    const SHOWN: usize = 5;
    match hosts.len() {
        0 => "this listener has no routes".to_owned(),
        count if count <= SHOWN => format!("this listener serves {}", hosts.join(", ")),
        count => format!("this listener serves {} and {} more hosts", hosts[..SHOWN].join(", "), count - SHOWN),
    }
}

/// Notes the requests that arrive at the router.
#[derive(Debug, Clone, Default)]
struct Arrived(Arc<Mutex<Option<Parts>>>);

impl Arrived {
    fn take(&self) -> Option<Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Service<Request<RequestBody>> for Arrived {
    type Response = Response<ResponseBody>;
    type Error = BoxError;
    type Future = Ready<Result<Response<ResponseBody>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(request.into_parts().0);
        ready(Ok(Response::default()))
    }
}
