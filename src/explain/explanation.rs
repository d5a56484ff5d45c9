//! The JSON of `pmesh explain URL`. Fields can be added; existing ones keep their name and meaning.

use serde::{Deserialize, Serialize};

/// What happens to a request, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The listener that accepts it.
    pub listener: ExplainedListener,
    /// The name in the TLS handshake (SNI); `None` without one.
    pub server_name: Option<String>,
    /// The host that it names; `None` if the listener never sees it.
    pub host: Option<ExplainedHost>,
    /// The address of its client; `None` if it was not given.
    pub client: Option<String>,
    /// Its route; `None` if it has none.
    pub route: Option<ExplainedRoute>,
    /// Routes for the same host that it does not take, the closest first.
    pub passed_over: Vec<PassedOver>,
    /// What the middleware of the route does, up to the part that answers the request.
    pub middleware: Vec<ExplainedPart>,
    /// The response, the upstream or silence.
    pub outcome: Outcome,
}

/// The listener that accepts a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedListener {
    /// Its name.
    pub name: String,
    /// Its port; 0 if the kernel picks one.
    pub port: u16,
    /// Why it is this one, if that does not follow from the URL.
    pub note: Option<String>,
}

/// The host that a request names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedHost {
    /// As the request names it.
    pub name: String,
    /// Whether the listener serves it.
    pub is_served: bool,
    /// If it does not, what it serves.
    pub note: Option<String>,
}

/// The route of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedRoute {
    /// Its name.
    pub name: String,
    /// The host and the path that match, such as `app.example.com/api`.
    pub place: String,
    /// File and line, or the flag or variable.
    pub origin: String,
    /// Why it is this one.
    pub why: String,
}

/// A route for the same host that the request does not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    /// Host, path and conditions.
    pub place: String,
    /// File and line, or the flag or variable.
    pub origin: String,
    /// Why it is not this one.
    pub why: String,
}

/// A part of the middleware of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedPart {
    /// The key that sets it.
    pub key: String,
    /// What it does.
    pub effect: String,
    /// Whether it answers the request.
    pub answers: bool,
}

/// The outcome of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// The connection is closed without a byte.
    Silence {
        /// The reason.
        why: String,
    },
    /// pmesh answers it.
    Response {
        /// The status.
        status: u16,
        /// The target of a redirect.
        location: Option<String>,
        /// The methods that the path allows.
        allow: Option<String>,
        /// The reason.
        why: String,
    },
    /// It is sent to one of these.
    Upstream {
        /// The method.
        method: String,
        /// The endpoints that may get it, in the order of the settings.
        endpoints: Vec<ExplainedEndpoint>,
    },
}

/// An endpoint that may get a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedEndpoint {
    /// Its address.
    pub address: String,
    /// The path and query that it gets.
    pub path: String,
    /// The Host that it gets.
    pub host: String,
    /// Its state in the running node, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Whether it is backing off in the running node. Then it gets requests only if all others fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_backing_off: Option<bool>,
}
