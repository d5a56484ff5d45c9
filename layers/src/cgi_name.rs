//! Compares names of headers as CGI and its descendants (PHP, WSGI) do: they cannot tell `_` and `-` apart.

/// Whether two names become the same variable.
pub(crate) fn is_same(a: &str, b: &str) -> bool {
    a.len() == b.len() && begins_with(a, b)
}

/// Whether the variable of a name begins like the one of `prefix`.
pub(crate) fn begins_with(name: &str, prefix: &str) -> bool {
    let folded = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.len() >= prefix.len() && name.bytes().zip(prefix.bytes()).all(|(a, b)| folded(a) == folded(b))
}
