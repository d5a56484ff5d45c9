//! Formats keys and values for messages.

use std::borrow::Cow;

use figment::value::Value;

/// `routes[0].prefix`. A number counts as an index.
pub(super) fn dotted(path: &[String]) -> String {
    dotted_where(path, |step| path[step].parse::<usize>().is_ok())
}

/// `routes[0].error_pages.502`, with brackets around the steps for which `is_index` is true.
pub(super) fn dotted_where(path: &[String], is_index: impl Fn(usize) -> bool) -> String {
    path.iter().enumerate().fold(String::new(), |path, (step, key)| match is_index(step) {
        true => format!("{path}[{key}]"),
        false if path.is_empty() => key.clone(),
        false => format!("{path}.{}", quoted(key)),
    })
}

/// A key as written in TOML.
fn quoted(key: &str) -> Cow<'_, str> {
    let is_bare = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if is_bare { key.into() } else { format!("{key:?}").into() }
}

/// A scalar as written in TOML, or the kind of any other value.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(_, text) => format!("{:?}", without_password(text)),
        Value::Char(_, char) => format!("{char:?}"),
        Value::Bool(_, bool) => bool.to_string(),
        Value::Num(_, number) => plain_number(*number),
        Value::Empty(..) => "nothing".into(),
        Value::Dict(..) => "a table".into(),
        Value::Array(..) => "a list".into(),
    }
}

/// Hides the password in an address, because messages may end up in a log.
pub(super) fn without_password(text: &str) -> Cow<'_, str> {
    let user = text.find("://").map_or(0, |scheme| scheme + 3);
    let password = text.rfind('@').and_then(|end| Some((user + text.get(user..end)?.find(':')?, end)));
    match password {
        Some((start, end)) => Cow::Owned(format!("{}:***{}", &text[..start], &text[end..])),
        None => Cow::Borrowed(text),
    }
}

pub(super) fn plain_number(number: figment::value::Num) -> String {
    match (number.to_u128(), number.to_i128(), number.to_f64()) {
        (Some(number), ..) => number.to_string(),
        (_, Some(number), _) => number.to_string(),
        (.., Some(number)) => number.to_string(),
        _ => "a number".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_repeated() {
        for (text, expected) in [
            ("http://bob:hunter2@a:80", "http://bob:***@a:80"),
            ("bob:hunter@2@a:80", "bob:***@a:80"),
            ("http://bob@a:80", "http://bob@a:80"),
            ("http://a:80", "http://a:80"),
            ("@", "@"),
        ] {
            assert_eq!(without_password(text), expected);
        }
    }

    #[test]
    fn keys_are_quoted_where_toml_requires_it() {
        for (path, expected) in [
            (&["routes", "0", "prefix"][..], "routes[0].prefix"),
            (&["redirects", "www.example.com"], "redirects.\"www.example.com\""),
            (&["upstreams", "api-2"], "upstreams.api-2"),
        ] {
            let path: Vec<_> = path.iter().map(|key| (*key).to_owned()).collect();
            assert_eq!(dotted(&path), expected);
        }
    }
}
