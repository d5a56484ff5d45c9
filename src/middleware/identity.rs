//! Headers by which a route tells its backend who the user is. They never come from the client.

use ::http::{HeaderMap, HeaderName};

/// Removes all headers with these names. Also removes those that differ only in underscores: many backends (CGI, WSGI,
/// PHP) cannot tell `Remote_User` from `Remote-User`.
pub(super) fn remove(headers: &mut HeaderMap, names: &[HeaderName]) {
    let is_same = |name: &HeaderName, other: &HeaderName| {
        let mut bytes = name.as_str().bytes().zip(other.as_str().bytes());
        name.as_str().len() == other.as_str().len()
            && bytes.all(|(a, b)| a == b || (a == b'_' && b == b'-') || (a == b'-' && b == b'_'))
    };
    let is_claim = |name: &&HeaderName| names.iter().any(|other| is_same(name, other));
    let claims: Vec<HeaderName> = headers.keys().filter(is_claim).cloned().collect();
    for name in claims {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn underscores_are_hyphens_to_many_backends() {
        let mut headers = HeaderMap::new();
        for name in ["remote-user", "remote_user", "x_forwarded-user", "x-forwarded-users", "remoteuser", "remote-use"]
        {
            headers.append(HeaderName::from_static(name), "a".parse().unwrap());
            headers.append(HeaderName::from_static(name), "b".parse().unwrap());
        }
        remove(&mut headers, &["remote-user", "x-forwarded-user"].map(HeaderName::from_static));
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["remote-use", "remoteuser", "x-forwarded-users"]);
    }
}
