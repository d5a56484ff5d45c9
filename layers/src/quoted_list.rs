/// The elements of a comma-separated list in which strings may be quoted (RFC 9110, 5.6.4), the last one first.
///
/// Each proxy appends to what it received. When the list is read from the end, an unclosed quote in the client's part can
/// hide elements before it, but none after it.
#[derive(Debug, Clone)]
pub(crate) struct FromEnd<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> FromEnd<'a> {
    pub(crate) fn new(line: &'a [u8]) -> Self {
        Self { rest: Some(line) }
    }
}

impl<'a> Iterator for FromEnd<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let line = self.rest.take()?;
        let mut is_quoted = false;
        for (at, byte) in line.iter().enumerate().rev() {
            match byte {
                b'"' if !is_quoted || !ends_in_escape(&line[..at]) => is_quoted = !is_quoted,
                b',' if !is_quoted => {
                    self.rest = Some(&line[..at]);
                    return Some(&line[at + 1..]);
                }
                _ => {}
            }
        }
        Some(line)
    }
}

/// Whether the next character of a quoted string is escaped. Backslashes escape each other.
fn ends_in_escape(text: &[u8]) -> bool {
    text.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_do_not_split() {
        for (line, expected) in [
            ("a, b", &["a", " b"][..]),
            ("", &[""]),
            ("a;x=\",\",b", &["a;x=\",\"", "b"]),
            ("a;x=\"\\\",\",b", &["a;x=\"\\\",\"", "b"]),
            ("a;x=\"\\\\\",b", &["a;x=\"\\\\\"", "b"]),
            // An unclosed quote.
            ("\"a, b,c", &["\"a", " b", "c"]),
        ] {
            let mut elements: Vec<_> = FromEnd::new(line.as_bytes()).collect();
            elements.reverse();
            assert_eq!(elements, expected.iter().map(|text| text.as_bytes()).collect::<Vec<_>>(), "{line}");
        }
    }
}
