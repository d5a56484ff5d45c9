use http::HeaderValue;

use crate::{quoted_list::FromEnd, token::is_tchar};

/// An element of `Forwarded`, in which a proxy describes the request it received. The values are not validated.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) node: Option<String>,
    pub(super) proto: Option<String>,
    pub(super) host: Option<String>,
}

/// Parses the lines of the header, which are one list (RFC 7239, 4).
///
/// Each proxy appends to the header it received. So the lines are read from the end, up to the first malformed element,
/// which becomes an empty one. An unclosed quote from a client hides elements before it, but none after it.
pub(super) fn parse<'a>(lines: impl DoubleEndedIterator<Item = &'a [u8]>) -> Vec<Element> {
    let mut elements = Vec::new();
    let texts = lines.rev().flat_map(FromEnd::new).filter(|text| !text.iter().all(|byte| b" \t;".contains(byte)));
    for text in texts {
        let element = Element::parse(text);
        let is_malformed = element.is_none();
        elements.push(element.unwrap_or_default());
        if is_malformed {
            break;
        }
    }
    elements.reverse();
    elements
}

impl Element {
    /// Parses an element. Returns `None` if it is malformed.
    fn parse(text: &[u8]) -> Option<Self> {
        let mut rest = std::str::from_utf8(text).ok()?;
        let mut element = Self::default();
        loop {
            rest = rest.trim_ascii_start();
            if !rest.is_empty() && !rest.starts_with(';') {
                let (name, behind) = token(rest)?;
                let (value, behind) = value(behind.strip_prefix('=')?)?;
                element.set(name, value)?;
                rest = behind.trim_ascii_start();
            }
            match rest.strip_prefix(';') {
                Some(behind) => rest = behind,
                None => return rest.is_empty().then_some(element),
            }
        }
    }

    /// Sets a parameter. Returns `None` if it was already set.
    fn set(&mut self, name: &str, value: String) -> Option<()> {
        let place = match () {
            () if name.eq_ignore_ascii_case("for") => &mut self.node,
            () if name.eq_ignore_ascii_case("proto") => &mut self.proto,
            () if name.eq_ignore_ascii_case("host") => &mut self.host,
            // Ignores `by` and extensions.
            () => return Some(()),
        };
        place.replace(value).is_none().then_some(())
    }
}

// Elements are assembled from parts, because `format!` took a tenth of the instructions of a request.

/// Returns the text for a node.
pub(super) fn node(node: &[u8], is_ipv6: bool) -> [&[u8]; 3] {
    if is_ipv6 { [b"for=\"[", node, b"]\""] } else { [b"for=", node, b""] }
}

/// Returns the text for the host and the scheme, which follows that of a node.
pub(super) fn host_and_proto<'a>(host: Option<&'a HeaderValue>, proto: &'a str) -> [&'a [u8]; 6] {
    let host = host.map(HeaderValue::as_bytes).unwrap_or_default();
    let name: &[u8] = if host.is_empty() { b"" } else { b";host=" };
    // A port or an IPv6 address must be quoted (RFC 7239, 4). A host never contains quotes.
    let quote: &[u8] = if host.contains(&b':') || host.starts_with(b"[") { b"\"" } else { b"" };
    [name, quote, host, quote, b";proto=", proto.as_bytes()]
}

/// Returns a token and the rest of the text (RFC 9110, 5.6.2).
fn token(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| !is_tchar(byte)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Returns a token, or a quoted string without its quotes (RFC 9110, 5.6.4), and the rest of the text.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return token(text).map(|(value, behind)| (value.to_owned(), behind));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(letters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(node: &str, proto: &str, host: &str) -> Element {
        let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Element { node: part(node), proto: part(proto), host: part(host) }
    }

    fn parsed(lines: &[&str]) -> Vec<Element> {
        parse(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn well_formed_lines_are_parsed() {
        for (line, expected) in [
            ("for=192.0.2.1", vec![element("192.0.2.1", "", "")]),
            (
                "For=\"[2001:db8::1]:80\" ; PROTO=https;by=x;ext=\"a,b;c\\\"\" , host=\"a\\.test:1\"",
                vec![element("[2001:db8::1]:80", "https", ""), element("", "", "a.test:1")],
            ),
            ("ext=\"\\\\\", ext=\",\\\\\\\",\"", vec![element("", "", ""), element("", "", "")]),
            (";for=_a;,,", vec![element("_a", "", "")]),
            ("for=\"\"", vec![Element { node: Some(String::new()), ..Element::default() }]),
            ("", Vec::new()),
        ] {
            assert_eq!(parsed(&[line]), expected, "{line}");
        }
        assert_eq!(parsed(&["for=_a, for=_b", "", "for=_c"]), ["_a", "_b", "_c"].map(|node| element(node, "", "")));
    }

    #[test]
    fn a_malformed_element_hides_only_elements_before_it() {
        for malformed in [
            "for",
            "for=",
            "=a",
            "for=a b",
            "for=[2001:db8::1]",
            "for = a",
            "for=\"a",
            "for=\"a\\",
            "for=\"a\\\"",
            "for=a;for=b",
            "for=a\"b\"",
            "\"",
            "for=\u{fffd}",
        ] {
            let expected = [element("", "", ""), element("a,b\"", "", ""), element("_c", "https", "")];
            let proxies = "for=\"a,b\\\"\" ,for=_c;proto=https";
            assert_eq!(parsed(&["for=_x", &format!("for=_y,{malformed},{proxies}")]), expected, "{malformed}");
            assert_eq!(parsed(&["for=_x", malformed, proxies]), expected, "{malformed}");
        }
        let proxy = "for=\"[2001:db8::1]\"";
        assert_eq!(
            parse([b"for=\xff, ".as_slice(), proxy.as_bytes()].into_iter())[1],
            element("[2001:db8::1]", "", "")
        );
    }
}
