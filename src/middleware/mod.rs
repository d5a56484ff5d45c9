//! The middleware of routes: tower layers around the answer.

mod basic_auth;
mod buffer;
mod compress;
mod cors;
mod forward_auth;
mod jwt;
mod layered;
mod limits;
mod list;
mod turns;

pub use self::{
    basic_auth::LoginRejected,
    buffer::{BufferLayer, layer as buffer_layer, memory as buffer_memory},
    layered::{Answer, Inner, Layered},
    limits::Limits,
};

use ::http::{Request, Response};
use pmesh_layers::{
    body::{RequestBody, ResponseBody},
    edit_headers::{EditRequestHeadersLayer, EditResponseHeadersLayer, HeaderEdits},
    edit_path::EditPathLayer,
    error_pages::ErrorPagesLayer,
    files::OriginalUri,
    hsts::HstsLayer,
    https_redirect::HttpsRedirectLayer,
    jwt::SharedKeys,
    maintenance::{MaintenanceLayer, MaintenanceSwitch},
    max_in_flight::MaxInFlightLayer,
};
use tower::{Layer, ServiceBuilder, util::MapRequestLayer};

use crate::{
    respond::answer_errors,
    settings::{self, ErrorPages, ForwardAuth, Hsts, Middleware, Route, endpoint::Endpoint},
};

/// Whether a route has no middleware.
pub fn is_bare(route: &Route) -> bool {
    route.hsts.is_none() && !route.redirect_https && route.middleware.is_empty()
}

/// The state that all services of a route share, and that survives a reload.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Whether it is under maintenance.
    pub maintenance: Option<MaintenanceSwitch<ResponseBody>>,
    /// Its limits, with what they have counted.
    pub limits: Limits,
    /// Reads the bodies of requests, if they are buffered.
    pub buffer: Option<BufferLayer>,
    /// The keys that verify its tokens.
    pub jwt_keys: Option<SharedKeys>,
}

/// Puts the middleware of a route around its answer. Redirects to https go to `https_port`, or to 443 by default.
/// `server` creates the authentication server to ask.
pub fn around<S: Inner, A: Inner>(
    answer: S,
    route: &Route,
    https_port: Option<u16>,
    shared: &Shared,
    server: impl FnOnce(&ForwardAuth) -> A,
) -> Layered {
    let to_https =
        route.redirect_https.then(|| https_port.into_iter().fold(HttpsRedirectLayer::new(), HttpsRedirectLayer::port));
    layered(answer, route, to_https, shared, server)
}

/// Puts the middleware of a route around its redirect. Such a route never redirects to https first.
pub fn around_redirect<S: Inner, A: Inner>(
    redirect: S,
    route: &Route,
    shared: &Shared,
    server: impl FnOnce(&ForwardAuth) -> A,
) -> Layered {
    layered(redirect, route, None, shared, server)
}

fn layered<S: Inner, A: Inner>(
    answer: S,
    route: &Route,
    to_https: Option<HttpsRedirectLayer>,
    shared: &Shared,
    server: impl FnOnce(&ForwardAuth) -> A,
) -> Layered {
    let Middleware {
        keys: _,
        compress,
        clients,
        cors,
        basic_auth,
        forward_auth,
        jwt,
        error_pages,
        rewrite: _,
        add_prefix: _,
        foreign_identity,
        request_headers,
        buffer: _,
        mirror: _,
        response_headers,
        maintenance: _,
        rate_limit: _,
        max_in_flight: _,
    } = &route.middleware;
    let leads_to_nodes = route.endpoints().iter().any(Endpoint::is_mesh);
    // Other nodes get the path as the client sent it; see `upstream::NodesInTurn`.
    let path = Some(route.path_edits()).filter(|edits| !edits.is_empty() && !leads_to_nodes);
    // Redirects to folders lead to the client's path.
    let keeps_uri = path.is_some() && matches!(route.answer, settings::Answer::Files(..));
    let original_uri = keeps_uri.then_some(with_original_uri as fn(_) -> _);
    let edits = |edits: &HeaderEdits| (!edits.is_empty()).then(|| edits.clone());
    let foreign_identity = edits(foreign_identity).map(EditRequestHeadersLayer::new);
    let request_headers = edits(request_headers).map(EditRequestHeadersLayer::new);
    // Without keys, nobody gets in.
    let jwt_keys = || shared.jwt_keys.clone().unwrap_or_else(SharedKeys::empty);
    let jwt = jwt.as_ref().map(|jwt| jwt::layer(jwt, jwt_keys()));
    let limits = ServiceBuilder::new()
        .option_layer(shared.limits.count_rejected())
        .option_layer(shared.limits.rate_limit.clone())
        .option_layer(shared.limits.max_in_flight.clone().map(with_response_body));
    let limits_access = to_https.is_some() || clients.is_some() || shared.maintenance.is_some();
    let access = ServiceBuilder::new()
        .option_layer(to_https)
        .option_layer(clients.clone())
        .option_layer(shared.maintenance.clone().map(MaintenanceLayer::new));
    let (hsts, response_headers) = (route.hsts.map(hsts), edits(response_headers).map(EditResponseHeadersLayer::new));
    let error_pages = (!error_pages.is_empty()).then(|| pages(error_pages));
    let edits_responses = hsts.is_some() || response_headers.is_some() || error_pages.is_some();
    let responses = ServiceBuilder::new()
        .option_layer(hsts)
        .option_layer(response_headers)
        .option_layer(error_pages)
        // The layers above apply to errors, too: these become responses here.
        .layer(answer_errors());
    // From the inside out. In one chain without boxes, each optional layer would double the size of the type.
    let passed_on = ServiceBuilder::new()
        .option_layer(original_uri.map(MapRequestLayer::new))
        .option_layer(path.map(EditPathLayer::new))
        .option_layer(request_headers)
        .option_layer(shared.buffer.clone());
    Layered::new(passed_on.service(answer))
        .within(foreign_identity)
        .within(jwt)
        .within(forward_auth.as_ref().map(|auth| forward_auth::layer(auth, server(auth))))
        .within(basic_auth.as_ref().map(|auth| basic_auth::layer(auth, leads_to_nodes)))
        .within(shared.limits.are_some().then_some(limits))
        .within(cors.as_ref().map(cors::layer))
        .within(limits_access.then_some(access))
        .within(compress.then(compress::layer))
        .within(edits_responses.then_some(responses))
}

fn with_original_uri(mut request: Request<RequestBody>) -> Request<RequestBody> {
    let uri = OriginalUri(request.uri().clone());
    request.extensions_mut().insert(uri);
    request
}

fn pages(pages: &ErrorPages) -> ErrorPagesLayer<ResponseBody> {
    // Never fails: the settings only allow pages for statuses of errors.
    let pages = pages.iter().filter_map(|(status, page)| page.response(*status).ok());
    pages.fold(ErrorPagesLayer::new(), ErrorPagesLayer::page)
}

/// The layer, with the body type that all middleware has.
fn with_response_body<S: Inner>(layer: MaxInFlightLayer) -> impl Layer<S, Service: Inner> + Clone {
    ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(ResponseBody::new))
        .layer(layer)
        .into_inner()
}

fn hsts(Hsts { max_age, include_subdomains, preload }: Hsts) -> HstsLayer {
    let layer = HstsLayer::new(max_age);
    let layer = if include_subdomains { layer.include_subdomains() } else { layer };
    if preload { layer.preload() } else { layer }
}
