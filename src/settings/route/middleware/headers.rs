//! `request_headers` and `response_headers`.

use figment::value::Value;
use http::{HeaderName, HeaderValue, header};
use pmesh_layers::edit_headers::HeaderEdits;

use crate::{
    config::{HEADER_KEYS, Node, Parse, Problems, Reason, because, text},
    settings::route::{Scope, matchers::HeaderKey},
};

/// Whose headers are edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    Request,
    Response,
}

/// Reads the changes to headers. Returns `None` if they are invalid, and reports that.
pub(super) fn read(scope: &Scope<'_>, message: Message, problems: &mut Problems) -> Option<HeaderEdits> {
    let expected = "a table such as { x-team = \"a\", x-debug = false }";
    let Some(table) = scope.read_table(message.key(), expected, problems)? else { return Some(HeaderEdits::new()) };
    table.report_repeated_headers(problems);
    let mut edits = HeaderEdits::new();
    let mut is_valid = true;
    for (key, node) in table.nearest_entries(false) {
        match edit(edits.clone(), &key, &node, message, problems) {
            Some(edited) => edits = edited,
            None => is_valid = false,
        }
    }
    is_valid.then_some(edits)
}

/// Adds the change that `node` describes.
fn edit(
    edits: HeaderEdits,
    key: &str,
    node: &Node<'_>,
    message: Message,
    problems: &mut Problems,
) -> Option<HeaderEdits> {
    let HeaderKey(name) = node.read_key(key, problems)?;
    if let Some(reason) = message.reserved(&name) {
        problems.push(node.problem(format!("{name} cannot be changed: {reason}")));
        return None;
    }
    if node.is_false() {
        return Some(edits.remove(name));
    }
    if node.value.as_dict().is_none() {
        return Some(edits.set(name, value(node, problems)?));
    }
    match (node.field("add"), node.field("default")) {
        (Some(added), None) => Some(edits.add(name, value(&added, problems)?)),
        (None, Some(default)) => Some(edits.set_default(name, value(&default, problems)?)),
        _ => {
            let advice = "write { add = \"value\" }, or { default = \"value\" } for a header that is missing";
            node.lacks(advice, HEADER_KEYS, problems);
            None
        }
    }
}

fn value(node: &Node<'_>, problems: &mut Problems) -> Option<HeaderValue> {
    let EditedValue(mut value) = node.read(problems)?;
    // A value from the environment may be a secret.
    value.set_sensitive(node.references().is_some());
    Some(value)
}

struct EditedValue(HeaderValue);

impl Parse for EditedValue {
    const EXPECTED: &'static str = "the value of a header, or false to remove it";

    fn parse(value: &Value) -> Result<Self, Reason> {
        HeaderValue::from_str(text(value)?).map(Self).map_err(because)
    }
}

impl Message {
    fn key(self) -> &'static str {
        match self {
            Self::Request => "request_headers",
            Self::Response => "response_headers",
        }
    }

    /// Why a header cannot be changed.
    pub(super) fn reserved(self, name: &HeaderName) -> Option<&'static str> {
        const FRAMING: [HeaderName; 6] = [
            header::CONNECTION,
            header::CONTENT_LENGTH,
            header::TE,
            header::TRAILER,
            header::TRANSFER_ENCODING,
            header::UPGRADE,
        ];
        if FRAMING.contains(name) || matches!(name.as_str(), "keep-alive" | "proxy-connection") {
            return Some("it belongs to the connection, which pmesh manages");
        }
        match (self, name.as_str()) {
            (Self::Response, "date") => Some("every response has one, with the time at which it was created"),
            (Self::Response, "content-encoding") => {
                Some("it says how the body is encoded; to have it compressed, write compress = true")
            }
            (Self::Response, _) => None,
            (Self::Request, "host") => Some("use host_header"),
            (Self::Request, name) if name.starts_with("x-pmesh-") || name == "cdn-loop" => Some("pmesh sets it itself"),
            (Self::Request, _) => None,
        }
    }
}
