//! Parses a target.

use std::str::FromStr;

use percent_encoding::utf8_percent_encode;

use super::{
    InvalidTarget, Placeholder, RedirectTarget,
    encode::NOT_IN_URL,
    target::{Piece, Pieces},
};
use crate::host::HostName;

impl FromStr for RedirectTarget {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        parse(text)
    }
}

fn parse(text: &str) -> Result<RedirectTarget, InvalidTarget> {
    // An error inside a piece is reported before an error in the order of the pieces.
    pieces(text)?;
    let (url, fragment) = split_off(text, '#');
    let (url, query) = split_off(url, '?');
    let (origin, path) = split_origin(url)?;
    let mut path = match path {
        // A target that ends with its host keeps the path and query of the request.
        "" if url.len() == text.len() => vec![Piece::Value(Placeholder::PathAndQuery)],
        "" => vec![Piece::Text("/".into())],
        path => pieces(path)?,
    };
    check_path(&path, query.is_some())?;
    let (whole, rest) = (Piece::Value(Placeholder::PathAndQuery), Piece::Value(Placeholder::Rest));
    let keeps_query = query.is_none() && (path.contains(&whole) || path.contains(&rest));
    path.iter_mut().filter(|piece| **piece == whole).for_each(|piece| *piece = Piece::Value(Placeholder::Path));
    Ok(RedirectTarget {
        text: text.into(),
        origin,
        keeps_query,
        path: path.into(),
        query: query.map(pieces).transpose()?.map(Into::into),
        fragment: fragment.map(pieces).transpose()?.map(Into::into),
    })
}

fn split_off(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator).map_or((text, None), |(text, behind)| (text, Some(behind)))
}

/// Splits a target into its origin (scheme and host; `None` if it is only a path) and its path.
fn split_origin(url: &str) -> Result<(Option<Pieces>, &str), InvalidTarget> {
    if url.starts_with("//") {
        return Err(InvalidTarget::NoSchemeButHost);
    }
    if url.starts_with('/') || url.starts_with("{path") {
        return Ok((None, url));
    }
    let (scheme, rest) = url.split_once("://").ok_or_else(|| no_scheme(url))?;
    let scheme = match &*scheme.to_ascii_lowercase() {
        "http" => Piece::Text("http".into()),
        "https" => Piece::Text("https".into()),
        "{scheme}" => Piece::Value(Placeholder::Scheme),
        _ => return Err(no_scheme(url)),
    };
    // A path begins with a slash, and so do the placeholders for it.
    let end = [rest.find('/'), rest.find("{path")].into_iter().flatten().min().unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    if !host.is_ascii() {
        // Parsed here because `pieces` would percent-encode it. The error suggests what to write instead.
        split_off(host, ':').0.parse::<HostName>()?;
    }
    let host = pieces(host)?;
    check_host(&host)?;
    Ok((Some([scheme, Piece::Text("://".into())].into_iter().chain(host).collect()), path))
}

fn no_scheme(url: &str) -> InvalidTarget {
    let looks_like_host = !url.contains(':') && (url.contains('.') || url.starts_with("{host}"));
    InvalidTarget::NoScheme { hint: looks_like_host.then(|| format!("https://{url}").into()) }
}

/// Allows only `{host}` in the host. That is always a served host, while clients could choose any value for the others.
fn check_host(pieces: &[Piece]) -> Result<(), InvalidTarget> {
    let mut sample = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => sample.push_str(text),
            Piece::Value(Placeholder::Host) => sample.push_str("host"),
            Piece::Value(other) => return Err(InvalidTarget::NotInHost(*other)),
        }
    }
    HostName::from_authority(sample.as_bytes())?;
    Ok(())
}

fn check_path(pieces: &[Piece], has_query: bool) -> Result<(), InvalidTarget> {
    for (index, piece) in pieces.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| pieces.get(before));
        let follows_slash = matches!(before, Some(Piece::Text(text)) if text.ends_with('/'));
        match piece {
            Piece::Value(Placeholder::Query) => return Err(InvalidTarget::QueryInPath),
            Piece::Value(Placeholder::Rest) if !follows_slash => return Err(InvalidTarget::RestWithoutSlash),
            Piece::Value(Placeholder::PathAndQuery) if has_query || index + 1 < pieces.len() => {
                return Err(InvalidTarget::AfterQuery);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Splits text at its placeholders.
fn pieces(mut text: &str) -> Result<Vec<Piece>, InvalidTarget> {
    let mut pieces = Vec::new();
    while let Some(brace) = text.find(['{', '}']) {
        let (before, at_brace) = text.split_at(brace);
        let inside = at_brace.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let (name, behind) = inside.ok_or(InvalidTarget::Brace)?;
        if before.ends_with('$') {
            return Err(variable(name));
        }
        pieces.extend(literal(before)?);
        let unknown = || InvalidTarget::Unknown { name: name.into(), hint: Placeholder::meant_by(name) };
        pieces.push(Piece::Value(Placeholder::from_name(name).ok_or_else(unknown)?));
        text = behind;
    }
    pieces.extend(literal(text)?);
    Ok(pieces)
}

/// Percent-encodes text without placeholders.
fn literal(text: &str) -> Result<Option<Piece>, InvalidTarget> {
    if let Some(bad) = text.chars().find(|letter| letter.is_whitespace() || letter.is_control() || *letter == '\\') {
        return Err(InvalidTarget::NotInUrl(bad));
    }
    for behind in text.match_indices('$').map(|(dollar, _)| &text[dollar + 1..]) {
        let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let end = behind.find(|letter| !is_of_name(letter)).unwrap_or(behind.len());
        if end > 0 {
            return Err(variable(&behind[..end]));
        }
    }
    Ok((!text.is_empty()).then(|| Piece::Text(utf8_percent_encode(text, NOT_IN_URL).to_string().into())))
}

fn variable(name: &str) -> InvalidTarget {
    // The `$uri` of nginx has no query; the `{uri}` of Caddy has one.
    let hint = if name == "uri" { Some(Placeholder::Path) } else { Placeholder::meant_by(name) };
    InvalidTarget::Variable { name: name.into(), hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_an_invalid_target_says_what_to_write() {
        for (text, expected) in [
            ("example.com", "a target begins with https://, http:// or /: write \"https://example.com\""),
            ("{host}/x", "a target begins with https://, http:// or /: write \"https://{host}/x\""),
            ("new", "a target begins with https://, http:// or /"),
            ("", "a target begins with https://, http:// or /"),
            ("{*}", "a target begins with https://, http:// or /"),
            ("ftp://example.com", "a target begins with https://, http:// or /"),
            ("javascript:alert(1)", "a target begins with https://, http:// or /"),
            (
                "//example.com",
                "a target that begins with // leads to another host: write https:// or {scheme}:// for that",
            ),
            ("//{host}/x", "a target that begins with // leads to another host"),
            ("https://", "the host of the target is not valid: the host is empty"),
            ("https:///x", "the host of the target is not valid: the host is empty"),
            ("https://user@a.test/", "the host of the target is not valid: '@' is not allowed"),
            ("https://a.test:0/", "the host of the target is not valid: the port"),
            (
                "https://bücher.test:80/",
                "the host of the target is not valid: 'ü' is not allowed in a host name: write the name in punycode",
            ),
            ("https://{1}.a.test", "{1} cannot be part of the host, or clients could choose where the redirect leads"),
            ("https://a.test:{1}", "{1} cannot be part of the host"),
            (
                "https://a.test{*}",
                "{*} cannot be part of the host, or clients could choose where the redirect leads: write /{*}",
            ),
            (
                "https://a.test{query}",
                "{query} cannot be part of the host, or clients could choose where the redirect leads: write /?{query}",
            ),
            ("https://{path}", "the host of the target is not valid: the host is empty"),
            (
                "/{uri}",
                "there is no placeholder {uri}: write {path_and_query}; the placeholders are {scheme}, {host}, {path}, {query}, {path_and_query}, {*} for",
            ),
            ("{http.request.uri.path}", "there is no placeholder {http.request.uri.path}: write {path};"),
            ("https://a.test/{http.regexp.name.1}", "there is no placeholder {http.regexp.name.1}: write {1};"),
            ("/{nonsense}", "there is no placeholder {nonsense}; the placeholders are {scheme}"),
            ("/{}", "there is no placeholder {}; the placeholders are"),
            ("/{0}", "there is no placeholder {0}; the placeholders are"),
            ("/{Path}", "there is no placeholder {Path}; the placeholders are"),
            ("https://$host$request_uri", "$host is not a placeholder here: write {host};"),
            ("https://a.test$uri", "$uri is not a placeholder here: write {path};"),
            ("/new/$1", "$1 is not a placeholder here: write {1};"),
            ("/new/${1}", "$1 is not a placeholder here: write {1};"),
            ("/new/$what", "$what is not a placeholder here; the placeholders are"),
            ("/{path", "unbalanced brace"),
            ("/path}", "unbalanced brace"),
            ("/a b", "' ' is not allowed in a URL"),
            ("/a\r\nx: y", "'\\r' is not allowed in a URL"),
            ("/\\evil.test", "'\\\\' is not allowed in a URL"),
            ("/new{*}", "{*} does not include the leading slash: write /{*}"),
            ("/new/{1}{*}", "{*} does not include the leading slash"),
            ("/new{query}", "{query} does not include the question mark: write ?{query}"),
            ("/new{path_and_query}?x=1", "nothing can follow {path_and_query}"),
            ("/new{path_and_query}/x", "nothing can follow {path_and_query}"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_target_reports_the_placeholders_that_it_needs() {
        for (text, rest, capture) in [
            ("https://a.test", false, None),
            ("/x/{*}", true, None),
            ("/x?from={*}", true, None),
            ("/{2}/{1}#{10}", false, Some(10)),
            ("HTTPS://A.test:8443{path}?x=$&y=$.&{query}", false, None),
        ] {
            let target = parse(text).unwrap();
            assert_eq!((target.contains_rest(), target.highest_capture()), (rest, capture), "{text}");
            assert_eq!(target.to_string(), text);
        }
    }
}
