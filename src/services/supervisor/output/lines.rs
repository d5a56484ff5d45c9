//! Splits output into lines.

/// Maximum length of a line in bytes. A longer one is split.
const MAX_LINE: usize = 16 * 1024;

/// Splits what is pushed into lines. Keeps at most one line.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// Calls `each` with each line that ends in `bytes`.
    pub(super) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&str)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let mut part = part;
            loop {
                let room = MAX_LINE - self.0.len();
                let (now, later) = part.split_at(part.len().min(room));
                self.0.extend_from_slice(now);
                part = later;
                if self.0.ends_with(b"\n") || self.0.len() == MAX_LINE {
                    self.end(&mut each);
                }
                if part.is_empty() {
                    break;
                }
            }
        }
        // Most of the time there is no partial line to keep.
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
    }

    /// Calls `each` with the rest, if the output did not end with a line break.
    pub(super) fn finish(&mut self, mut each: impl FnMut(&str)) {
        if !self.0.is_empty() {
            self.end(&mut each);
        }
    }

    fn end(&mut self, each: &mut impl FnMut(&str)) {
        let line = self.0.strip_suffix(b"\n").unwrap_or(&self.0);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        each(&String::from_utf8_lossy(line));
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(parts: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for part in parts {
            lines.push(part, |line| found.push(line.to_owned()));
        }
        lines.finish(|line| found.push(line.to_owned()));
        found
    }

    #[test]
    fn output_is_split_at_line_breaks() {
        assert_eq!(split(&[b"one\ntw", b"o\r\n\nthree"]), ["one", "two", "", "three"]);
        assert_eq!(split(&[b"", b"\n"]), [""]);
        assert_eq!(split(&[b"a\xffb\n"]), ["a\u{fffd}b"]);
    }

    #[test]
    fn a_long_line_is_split() {
        let long = vec![b'x'; MAX_LINE * 2 + 3];
        let lengths = |parts: &[&[u8]]| split(parts).iter().map(String::len).collect::<Vec<_>>();
        assert_eq!(lengths(&[&long, b"\n"]), [MAX_LINE, MAX_LINE, 3]);
        assert_eq!(lengths(&[&long[..7], &long[7..], b"y\nz"]), [MAX_LINE, MAX_LINE, 4, 1]);
    }
}
