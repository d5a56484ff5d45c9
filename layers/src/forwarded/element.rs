/// An element of `Forwarded`: what one proxy says about the request it received. The values are not validated.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) node: Option<String>,
    pub(super) proto: Option<String>,
    pub(super) host: Option<String>,
}

/// Parses a line (RFC 7239, 4); `None` if it is malformed.
pub(super) fn parse(line: &str) -> Option<Vec<Element>> {
    let mut elements = Vec::new();
    let mut rest = line;
    loop {
        let mut element = Element::default();
        let mut is_empty = true;
        loop {
            rest = rest.trim_ascii_start();
            if !rest.is_empty() && !rest.starts_with([';', ',']) {
                let (name, behind) = token(rest)?;
                let (value, behind) = value(behind.strip_prefix('=')?)?;
                element.set(name, value)?;
                is_empty = false;
                rest = behind.trim_ascii_start();
            }
            match rest.strip_prefix(';') {
                Some(behind) => rest = behind,
                None => break,
            }
        }
        if !is_empty {
            elements.push(element);
        }
        match rest.strip_prefix(',') {
            Some(behind) => rest = behind,
            None => return rest.is_empty().then_some(elements),
        }
    }
}

impl Element {
    /// `None` if the parameter was already set.
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

/// A token and the rest of the text (RFC 9110, 5.6.2).
fn token(text: &str) -> Option<(&str, &str)> {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter);
    let end = text.find(|letter| !is_letter(letter)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// A token, or a quoted string without its quotes (RFC 9110, 5.6.4), and the rest of the text.
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

    #[test]
    fn lines() {
        for (line, expected) in [
            ("for=192.0.2.1", vec![element("192.0.2.1", "", "")]),
            (
                "For=\"[2001:db8::1]:80\" ; PROTO=https;by=x;ext=\"a,b;c\\\"\" , host=\"a\\.test:1\"",
                vec![element("[2001:db8::1]:80", "https", ""), element("", "", "a.test:1")],
            ),
            (";for=_a;,,", vec![element("_a", "", "")]),
            ("for=\"\"", vec![Element { node: Some(String::new()), ..Element::default() }]),
            ("", Vec::new()),
        ] {
            assert_eq!(parse(line), Some(expected), "{line}");
        }
        for line in [
            "for",
            "for=",
            "=a",
            "for=a b",
            "for=[2001:db8::1]",
            "for = a",
            "for=\"a",
            "for=\"a, for=192.0.2.1",
            "for=\"a\\",
            "for=a;for=b",
            "for=a\"b\"",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
