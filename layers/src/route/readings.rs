//! Other readings of a path: what it becomes in backends that decode, merge or cut off parts of it.

use percent_encoding::{percent_decode, percent_encode_byte};

/// Limits for the readings of one path. Real paths stay far below them, and finding more readings would take too long.
const MAX_READINGS: usize = 64;
const MAX_BYTES: usize = 32 * 1024;

/// The changes that backends make to a path. Each step applies to the whole path, and returns `None` if it changes nothing.
const STEPS: [fn(&str) -> Option<String>; 10] = [
    normalize_encoding,
    rewrite_utf16,
    decode_slashes,
    replace_backslashes,
    cut_parameters,
    cut_end,
    cut_host,
    merge_slashes,
    remove_dots,
    remove_dots_and_slash,
];

/// Checks quickly whether `path` has no other reading, ignoring case and bytes that are not allowed in a path. Can return
/// `false` even if there is none.
#[inline]
pub(crate) fn is_plain(path: &str) -> bool {
    scan(path).is_plain
}

/// What a quick scan tells about a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan {
    /// See [`is_plain`].
    pub(super) is_plain: bool,
    /// See [`may_have_case`].
    pub(super) may_have_case: bool,
}

#[inline]
pub(super) fn scan(path: &str) -> Scan {
    // All letters in upper case, and `[`.
    let is_rare = |byte: u8| matches!(byte, b'%' | b';' | b'A'..=b'\\') | !byte.is_ascii();
    if any_byte(path, is_rare) { scan_rare(path) } else { Scan { is_plain: true, may_have_case: false } }
}

fn scan_rare(path: &str) -> Scan {
    let is_plain = !any_byte(path, |byte| matches!(byte, b'%' | b';' | b'\\')) || is_plain_after_all(path);
    Scan { is_plain, may_have_case: may_have_case(path) }
}

/// Whether a path could have letters in upper case. Can return `true` for a path with percent-encoding or non-ASCII bytes,
/// even if it has none.
pub(super) fn may_have_case(path: &str) -> bool {
    path.bytes().fold(false, |found, byte| found | byte.is_ascii_uppercase() | !byte.is_ascii())
}

/// Whether a byte is odd, or follows a slash and is a dot or another slash. A path begins with `/` or is `*`, so its first
/// byte is not checked.
#[inline]
fn any_byte(path: &str, is_odd: impl Fn(u8) -> bool) -> bool {
    let bytes = path.as_bytes();
    let pairs = bytes.iter().zip(bytes.get(1..).unwrap_or_default());
    // Without an early exit, the compiler vectorizes the loop.
    pairs.fold(false, |odd, (byte, next)| odd | is_odd(*next) | ((*byte == b'/') & matches!(next, b'/' | b'.')))
}

/// Names such as `.well-known` are plain.
fn is_plain_after_all(path: &str) -> bool {
    !path.contains(['%', ';', '\\']) && !path.contains("//") && !path.split('/').any(is_dots)
}

/// Checks what [`is_plain`] ignores: whether all bytes are allowed in a path.
pub(crate) fn is_allowed(path: &str) -> bool {
    path.bytes().all(|byte| is_path_byte(byte) && !matches!(byte, b'?' | b'#' | b'\0'))
}

/// Whether `path` has no other reading.
pub(crate) fn is_only(path: &str) -> bool {
    STEPS.iter().all(|step| step(path).is_none())
}

/// Whether `accept` returns true for every other reading of `path`, that is, for the results of all sequences of steps.
/// Returns `false` if there are too many. Does not allocate if no step changes the path.
pub(crate) fn all(path: &str, mut accept: impl FnMut(&str) -> bool) -> bool {
    let mut readings: Vec<String> = Vec::new();
    let mut left = MAX_BYTES;
    for next in 0.. {
        let of = match next {
            0 => path,
            _ => match readings.get(next - 1) {
                Some(reading) => reading,
                None => break,
            },
        };
        for reading in STEPS.map(|step| step(of)).into_iter().flatten() {
            if readings.contains(&reading) {
                continue;
            }
            if reading.len() > left || readings.len() == MAX_READINGS || !accept(&reading) {
                return false;
            }
            left -= reading.len();
            readings.push(reading);
        }
    }
    true
}

/// Normalizes percent-encoding (RFC 3986, 6.2.2): in capitals, and only of bytes that need it. Encoded slashes and
/// backslashes stay encoded.
fn normalize_encoding(path: &str) -> Option<String> {
    recode(path, |byte| is_path_byte(byte) && !is_slash(byte))
}

/// Decodes encoded slashes, as nginx and file servers do.
fn decode_slashes(path: &str) -> Option<String> {
    recode(path, is_slash)
}

/// Reads `%u0061` as `%61`, as IIS and some versions of Jetty do.
fn rewrite_utf16(path: &str) -> Option<String> {
    path.find("%u").or_else(|| path.find("%U"))?;
    let mut pieces = path.split('%');
    let mut rewritten = String::from(pieces.next()?);
    for piece in pieces {
        match utf16(piece) {
            Some((letter, behind)) => {
                rewritten.extend(letter.encode_utf8(&mut [0; 4]).bytes().map(percent_encode_byte));
                rewritten.push_str(behind);
            }
            None => rewritten.extend(["%", piece]),
        }
    }
    (rewritten != path).then_some(rewritten)
}

/// Reads `\` as `/`, as Windows does.
fn replace_backslashes(path: &str) -> Option<String> {
    path.contains('\\').then(|| path.replace('\\', "/"))
}

/// Cuts off segments at a `;`, as servlets do.
fn cut_parameters(path: &str) -> Option<String> {
    let mut is_inside = false;
    let kept = path.chars().filter(|letter| {
        is_inside = *letter == ';' || (is_inside && *letter != '/');
        !is_inside
    });
    path.contains(';').then(|| kept.collect())
}

/// Cuts off the path at a decoded `?`, `#` or NUL, as backends do that parse it twice or are written in C.
fn cut_end(path: &str) -> Option<String> {
    path.find(['?', '#', '\0']).map(|end| path[..end].to_owned())
}

/// Removes a host after two leading slashes, as backends do that parse the path as a URI reference (RFC 3986, 4.2).
/// Browsers and Node skip further slashes. For other backends the host is then empty, and the rest is the same as with
/// merged slashes.
fn cut_host(path: &str) -> Option<String> {
    let behind = path.strip_prefix("//")?.trim_start_matches('/');
    Some(behind.find('/').map_or("/", |slash| &behind[slash..]).to_owned())
}

/// Merges slashes, as nginx and servlets do.
fn merge_slashes(path: &str) -> Option<String> {
    let mut before = '\0';
    let kept = path.chars().filter(|letter| {
        let before = std::mem::replace(&mut before, *letter);
        (before, *letter) != ('/', '/')
    });
    path.contains("//").then(|| kept.collect())
}

/// Removes dot segments, as almost all backends do (RFC 3986, 5.2.4).
fn remove_dots(path: &str) -> Option<String> {
    let segments = || path.split('/').skip(1);
    if !segments().any(is_dots) {
        return None;
    }
    let mut left: Vec<&str> = Vec::new();
    for segment in segments() {
        match segment {
            "." => {}
            ".." => drop(left.pop()),
            other => left.push(other),
        }
    }
    if segments().last().is_some_and(is_dots) {
        left.push("");
    }
    Some(left.iter().flat_map(|segment| ["/", *segment]).collect())
}

/// Removes dot segments as Go and Python do, without a trailing slash: `/a/.` becomes `/a`.
fn remove_dots_and_slash(path: &str) -> Option<String> {
    if !path.rsplit('/').next().is_some_and(is_dots) {
        return None;
    }
    let mut removed = remove_dots(path)?;
    removed.pop();
    // Nothing would be left of `/`.
    (!removed.is_empty()).then_some(removed)
}

fn is_dots(segment: &str) -> bool {
    matches!(segment, "." | "..")
}

/// Decodes the bytes for which `decodes` returns true. Writes other percent-encoding in capitals, and encodes bytes that a
/// path cannot contain.
fn recode(path: &str, decodes: impl Fn(u8) -> bool) -> Option<String> {
    let mut recoded = Vec::new();
    let mut kept = path.as_bytes();
    let mut rest = kept;
    while let [first, behind @ ..] = rest {
        let (byte, stays, behind) = match encoded(rest) {
            Some((byte, behind)) => (byte, decodes(byte), behind),
            None => (*first, is_path_byte(*first), behind),
        };
        let written = &rest[..rest.len() - behind.len()];
        let wanted = if stays { std::slice::from_ref(&byte) } else { percent_encode_byte(byte).as_bytes() };
        if written != wanted {
            recoded.extend_from_slice(&kept[..kept.len() - rest.len()]);
            recoded.extend_from_slice(wanted);
            kept = behind;
        }
        rest = behind;
    }
    if kept.len() == path.len() {
        return None;
    }
    recoded.extend_from_slice(kept);
    // Never fails: all bytes are ASCII.
    String::from_utf8(recoded).ok()
}

/// Returns the percent-encoded byte at the beginning of `text`, and the rest.
pub(super) fn encoded(text: &[u8]) -> Option<(u8, &[u8])> {
    let (triplet, behind) = text.split_first_chunk::<3>()?;
    let mut decoded = percent_decode(triplet);
    // If it is not an encoding, three bytes come out.
    let byte = decoded.next()?;
    decoded.next().is_none().then_some((byte, behind))
}

/// Returns the character that is encoded as `u` and four digits at the beginning of `text`, and the rest.
fn utf16(text: &str) -> Option<(char, &str)> {
    let (digits, behind) = text.strip_prefix(['u', 'U'])?.split_at_checked(4)?;
    let digits = digits.bytes().all(|letter| letter.is_ascii_hexdigit()).then_some(digits)?;
    Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, behind))
}

fn is_slash(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\')
}

/// Whether the byte can be unencoded in a path (RFC 3986, 3.3), or in a reading that is the input of another step.
fn is_path_byte(byte: u8) -> bool {
    const TABLE: [bool; 256] = {
        let others = b"-._~!$&'()*+,;=:@/\\%?#\0";
        let mut table = [false; 256];
        let mut at = 0;
        while at < others.len() {
            table[others[at] as usize] = true;
            at += 1;
        }
        let mut byte = 0_u8;
        while byte < 128 {
            table[byte as usize] |= byte.is_ascii_alphanumeric();
            byte += 1;
        }
        table
    };
    TABLE[usize::from(byte)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(path: &str) -> Vec<String> {
        let mut found = Vec::new();
        assert!(all(path, |reading| {
            found.push(reading.to_owned());
            true
        }));
        found.sort();
        found
    }

    #[test]
    fn all_other_readings_of_a_path_are_found() {
        for (path, expected) in [
            ("/a/b.c/~d", &[][..]),
            ("/.well-known/x", &[]),
            ("/%7B%C3%A9%20", &[]),
            ("/a//b", &["/a/b"]),
            ("//a/b", &["/a/b", "/b"]),
            ("//a", &["/", "/a"]),
            ("///a/b", &["/a/b", "/b"]),
            ("/a/../b", &["/b"]),
            ("/a/..", &["/"]),
            ("/a/.", &["/a", "/a/"]),
            ("/a/b/..", &["/a", "/a/"]),
            ("/../../b", &["/b"]),
            ("/%61%c3%A9", &["/%61%C3%A9", "/a%C3%A9"]),
            ("/a%", &[]),
            ("/a%zz", &[]),
            ("/a;b/c", &["/a/c"]),
            ("/a\\b", &["/a/b"]),
            ("/a%2Fb", &["/a/b"]),
            ("/a%5Cb", &["/a/b", "/a\\b"]),
            ("/a%00b", &["/a", "/a\0b"]),
            ("/a%3Fb", &["/a", "/a?b"]),
            ("/%u0061%U00e9", &["/%61%C3%A9", "/a%C3%A9"]),
            ("/a%25u002Fb", &["/a%2Fb", "/a%u002Fb", "/a/b"]),
            ("/%u+061%ud800%u00\u{e9}", &["/%u+061%ud800%u00%C3%A9"]),
            ("/a%252Fb", &["/a%2Fb", "/a/b"]),
            ("/a/..;/b", &["/a/../b", "/b"]),
            // The dots remove the empty segment, unless slashes are merged first.
            ("/a//../b", &["/a/../b", "/a/b", "/b"]),
            ("/{é", &["/%7B%C3%A9"]),
            ("*", &[]),
            ("", &[]),
        ] {
            assert_eq!(readings(path), expected, "{path}");
            assert_eq!(is_only(path), expected.is_empty(), "{path}");
        }
    }

    #[test]
    fn plain_paths_have_a_single_reading() {
        for path in ["/", "/a/b.c/d..e", "", "*", "/.well-known/x"] {
            assert!(is_plain(path) && is_only(path), "{path}");
        }
        for path in ["//", "/a//", "/.", "/a/..", "/%", "/;", "/\\"] {
            assert!(!is_plain(path), "{path}");
        }
    }

    #[test]
    fn a_scan_finds_bytes_at_any_position() {
        for letter in (0..=255).map(char::from) {
            for (before, behind) in (0..36).flat_map(|before| (0..20).map(move |behind| (before, behind))) {
                let path = format!("/{}{letter}{}", "a".repeat(before), "z".repeat(behind));
                let scan = scan(&path);
                assert_eq!(scan.may_have_case, letter.is_ascii_uppercase() || !letter.is_ascii(), "{path}");
                let odd = "%;\\".contains(letter) || (before == 0 && (letter == '/' || (letter == '.' && behind == 0)));
                assert_eq!(scan.is_plain, !odd, "{path}");
                if "/.".contains(letter) {
                    assert!(!super::scan(&format!("{}/{letter}/{}", &path[..before], &path[before..])).is_plain);
                }
            }
        }
    }

    #[test]
    fn plain_paths_of_allowed_bytes_have_a_single_reading() {
        for letter in (0..=255).map(char::from) {
            let path = format!("/a{letter}b");
            let fast = is_plain(&path) && is_allowed(&path);
            assert!(!fast || is_only(&path), "{path:?}");
            assert_eq!(is_allowed(&path), is_allowed_by_the_grammar(letter), "{path:?}");
        }
    }

    /// The grammar of RFC 3986, 3.3, plus `%` and `\`, which [`is_plain`] checks.
    fn is_allowed_by_the_grammar(letter: char) -> bool {
        letter.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/%\\".contains(letter)
    }

    #[test]
    fn a_path_with_too_many_readings_is_rejected() {
        let long = |part: &str, times| format!("/{}", part.repeat(times));
        assert!(all(&long("a/../", 5000), |_| true));
        assert!(!all(&long(";a//..%2f", 5000), |_| true));
        assert!(!all(&format!("/%{}61", "25".repeat(300)), |_| true));
    }
}
