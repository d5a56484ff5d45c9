//! Describes what each part of the middleware did.

use std::path::Path;

use http::{
    HeaderMap, HeaderName, Request, Response, StatusCode, Uri,
    header::{
        ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, LOCATION, ORIGIN, STRICT_TRANSPORT_SECURITY,
        WWW_AUTHENTICATE,
    },
    request::Parts,
};
use pmesh_layers::{
    body::ResponseBody,
    client_filter::{ClientFilterLayer, ClientVerdict},
    edit_headers::HeaderEdits,
    edit_path::PathRejected,
    forwarded::ClientAddr,
};

use crate::settings::{ErrorPages, ForwardAuth};

pub(super) const RATE_LIMIT: &str = "429 after too many requests; this request is not counted";

/// What happened when a request passed a part.
pub(super) struct Ran<'a> {
    pub(super) request: &'a Request<()>,
    /// The request that the part passed on; `None` if it answered.
    pub(super) passed: Option<&'a Parts>,
    pub(super) response: &'a Response<ResponseBody>,
}

impl Ran<'_> {
    fn header(&self, name: &HeaderName) -> Option<String> {
        text(self.request.headers(), name)
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

pub(super) fn hsts(ran: &Ran<'_>) -> String {
    match text(ran.response.headers(), &STRICT_TRANSPORT_SECURITY) {
        Some(value) => format!("the response gets Strict-Transport-Security: {value}"),
        None => "nothing, without TLS".to_owned(),
    }
}

pub(super) fn edits(edits: &HeaderEdits, message: &str) -> String {
    let names: Vec<_> = edits.names().map(HeaderName::as_str).collect();
    format!("changes headers of the {message}: {}", names.join(", "))
}

pub(super) fn foreign_identity(edits: &HeaderEdits) -> String {
    let names: Vec<_> = edits.names().map(HeaderName::as_str).collect();
    format!("removes {}, because the upstream gets it from the authentication of other routes", names.join(", "))
}

pub(super) fn pages(pages: &ErrorPages) -> String {
    let statuses: Vec<_> = pages.keys().map(StatusCode::as_str).collect();
    format!("pages for pmesh's own errors: {}", statuses.join(", "))
}

pub(super) fn compress(ran: &Ran<'_>) -> String {
    match ran.header(&ACCEPT_ENCODING) {
        Some(codings) => format!("compresses responses of some types; the client accepts {codings}"),
        None => "nothing: the request has no Accept-Encoding".to_owned(),
    }
}

pub(super) fn redirect_https(ran: &Ran<'_>, redirects_itself: bool) -> String {
    match text(ran.response.headers(), &LOCATION) {
        Some(location) => format!("redirects to {location}"),
        None if redirects_itself => "nothing: the route redirects straight to its target".to_owned(),
        None => "nothing: the client uses https".to_owned(),
    }
}

pub(super) fn clients(filter: &ClientFilterLayer, ran: &Ran<'_>, is_known: bool) -> String {
    let client = ClientAddr::from_extensions(ran.request.extensions()).filter(|_| is_known);
    let Some(client) = client else { return "depends on the client: set its address with --from".to_owned() };
    match filter.verdict(client.ip()) {
        ClientVerdict::AllowedIn(network) => format!("{client} is in {network}"),
        ClientVerdict::Allowed => format!("{client} is in no denied network"),
        ClientVerdict::DeniedIn(network) => format!("403: {client} is in {network}"),
        ClientVerdict::NotAllowed => format!("403: {client} is in no allowed network"),
    }
}

pub(super) fn maintenance(file: &Path, ran: &Ran<'_>) -> String {
    match ran.passed {
        Some(_) => format!("{} does not exist now", file.display()),
        None => format!("503: {} exists", file.display()),
    }
}

pub(super) fn cors(ran: &Ran<'_>) -> String {
    let Some(origin) = ran.header(&ORIGIN) else {
        return "nothing: the request has no Origin".to_owned();
    };
    let allowed = text(ran.response.headers(), &ACCESS_CONTROL_ALLOW_ORIGIN);
    let may = if allowed.is_some_and(|allowed| allowed == "*" || allowed == origin) { "may" } else { "may not" };
    match ran.passed {
        Some(_) => format!("pages of {origin} {may} read the response"),
        None => format!("answers the preflight request: pages of {origin} {may} read responses"),
    }
}

/// The change of a path, or why there is none.
pub(super) fn path(ran: &Ran<'_>, unchanged: &str) -> String {
    let text = |uri: &Uri| uri.path_and_query().map_or_else(String::new, ToString::to_string);
    match ran.passed.map(|passed| (text(ran.request.uri()), text(&passed.uri))) {
        Some((before, after)) if before == after => format!("nothing: {unchanged}"),
        Some((before, after)) => format!("{before} → {after}"),
        None => format!("{}: {}", ran.response.status().as_u16(), PathRejected::Ambiguous),
    }
}

pub(super) fn forward_auth(auth: &ForwardAuth) -> String {
    let path = auth.url.path_and_query().map_or("/", |path| path.as_str());
    format!("asks {} for {path}; assumed to let the request in", auth.server)
}

pub(super) fn basic_auth(ran: &Ran<'_>) -> String {
    let user = |parts: &Parts| text(&parts.headers, &HeaderName::from_static("remote-user"));
    match (ran.passed, ran.header(&AUTHORIZATION)) {
        (Some(passed), _) => format!("the password of {} is right", user(passed).unwrap_or_default()),
        (None, None) => format!("{}: needs a user and a password", ran.response.status().as_u16()),
        (None, Some(_)) => {
            format!("{}: there is no such user, or the password is wrong", ran.response.status().as_u16())
        }
    }
}

pub(super) fn jwt(ran: &Ran<'_>, is_known: bool) -> String {
    if !is_known {
        return "depends on the keys, which only the running node has: ask it with --live".to_owned();
    }
    if ran.passed.is_some() {
        return "the token is valid".to_owned();
    }
    let challenge = text(ran.response.headers(), &WWW_AUTHENTICATE).unwrap_or_default();
    let reason = challenge.split("error_description=\"").nth(1).map(|reason| reason.trim_end_matches('"').to_owned());
    let reason = reason.unwrap_or_else(|| match ran.response.status() {
        StatusCode::SERVICE_UNAVAILABLE => "there are no keys yet".to_owned(),
        StatusCode::FORBIDDEN => "the token does not have the required claims".to_owned(),
        _ => "needs a token".to_owned(),
    });
    format!("{}: {reason}", ran.response.status().as_u16())
}
