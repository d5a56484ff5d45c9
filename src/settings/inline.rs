//! Formats values in one line.

use figment::value::Value;

use crate::config::Node;

/// How an empty list is shown.
pub(super) const NONE: &str = "none";

/// A value as written in a file, without passwords and their hashes. For a value from the environment, which may be a
/// secret, it only names the variable.
pub(super) fn inline(node: &Node<'_>) -> String {
    match node.value {
        _ if node.references().is_some() => node.references().unwrap_or_default(),
        _ if node.is_secret() => "\"***\"".into(),
        Value::String(_, text) => format!("{text:?}"),
        Value::Array(..) => {
            let elements = node.elements().unwrap_or_default();
            format!("[{}]", elements.iter().map(inline).collect::<Vec<_>>().join(", "))
        }
        Value::Dict(_, table) => {
            let field = |key: &String| Some(format!("{key} = {}", inline(&node.field(key)?)));
            format!("{{ {} }}", table.keys().filter_map(field).collect::<Vec<_>>().join(", "))
        }
        value => plain(value),
    }
}

/// A value as written in a flag.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(_, text) => text.clone(),
        Value::Array(_, values) if values.is_empty() => NONE.into(),
        Value::Array(_, values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Bool(_, bool) => bool.to_string(),
        other => other.to_u128().map_or_else(String::new, |number| number.to_string()),
    }
}
