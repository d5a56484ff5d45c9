//! Fixed responses: the `respond` of a route.

use std::fmt;

use figment::value::Value;
use http::{HeaderValue, StatusCode};

use crate::config::{Node, Parse, Problems, RESPOND_KEYS, Reason, text};

/// A fixed response, or silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Respond {
    /// The connection is closed without sending a byte.
    Silence,
    /// A response.
    Fixed {
        /// From 200 to 599.
        status: StatusCode,
        /// The body; `None`: the status as text for an error, no body otherwise.
        body: Option<String>,
        /// The type of the body.
        content_type: HeaderValue,
    },
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

impl Respond {
    /// Reads a status, `"silence"`, or a table.
    pub(super) fn read(node: &Node<'_>, problems: &mut Problems) -> Option<Self> {
        if node.value.as_dict().is_none() {
            return node.read(problems);
        }
        let status = match node.field("status") {
            Some(status) => status.read(problems).map(|Status(status)| status),
            None if node.field("body").is_some() => Some(StatusCode::OK),
            None => {
                node.lacks("no status: write status = 200", RESPOND_KEYS, problems);
                None
            }
        };
        let body = match node.field("body") {
            Some(body) => Some(Some(body.read::<String>(problems)?)),
            None => Some(None),
        };
        let content_type = match (node.field("content_type"), &body) {
            (Some(given), _) => given.read(problems).map(|ContentType(given)| given),
            (None, Some(Some(body))) if is_json(body) => Some(JSON),
            (None, _) => Some(TEXT),
        };
        Some(Self::Fixed { status: status?, body: body?, content_type: content_type? })
    }
}

/// Whether this is a JSON object or array. Other JSON values can also be plain text.
fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<serde_json::Value>(text).is_ok()
}

impl fmt::Display for Respond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silence => f.write_str("silence"),
            Self::Fixed { status, .. } => status.as_u16().fmt(f),
        }
    }
}

impl Parse for Respond {
    const EXPECTED: &'static str =
        "a status such as 403, \"silence\", or a table such as { status = 503, body = \"back soon\" }";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match value.as_str() {
            Some("silence") => Ok(Self::Silence),
            // A number in quotes gets the advice to remove the quotes.
            Some(text) if text.parse::<u64>().is_ok() => Err(None),
            Some(text) => Err(Some(format!("for text, write {{ status = 200, body = {text:?} }}"))),
            None => {
                let Status(status) = Status::parse(value).map_err(|_| None)?;
                Ok(Self::Fixed { status, body: None, content_type: TEXT })
            }
        }
    }
}

struct Status(StatusCode);

impl Parse for Status {
    const EXPECTED: &'static str = "a status from 200 to 599";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let status = value.to_u128().filter(|status| (200..600).contains(status));
        status.and_then(|status| StatusCode::from_u16(status.try_into().ok()?).ok()).map(Self).ok_or(None)
    }
}

struct ContentType(HeaderValue);

impl Parse for ContentType {
    const EXPECTED: &'static str = "a media type such as text/html";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        let (main, sub) = text.split_once('/').ok_or(None)?;
        if main.is_empty() || sub.is_empty() {
            return Err(None);
        }
        HeaderValue::from_str(text).map(Self).map_err(|_| None)
    }
}
