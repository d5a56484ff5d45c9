//! Paths whose letters differ only in case.

use std::borrow::Cow;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode_byte, utf8_percent_encode};

use super::readings::{encoded, may_have_case};

/// Longer paths are folded on the heap.
const ON_STACK: usize = 256;

/// Calls `f` with the folded path, which is the same for all paths that differ only in case. It is in lower case, except for
/// the digits of percent-encoding: these are capitals, as in the path of a route.
pub(super) fn with_folded<R>(path: &str, f: impl FnOnce(&str) -> R) -> R {
    if !may_have_case(path) {
        return f(path);
    }
    let mut buffer = [0; ON_STACK];
    let ascii = buffer.get_mut(..path.len()).filter(|_| path.is_ascii() && !path.contains('%')).and_then(|buffer| {
        buffer.copy_from_slice(path.as_bytes());
        buffer.make_ascii_lowercase();
        str::from_utf8(buffer).ok()
    });
    match ascii {
        Some(folded) => f(folded),
        None => f(&fold_all(path)),
    }
}

/// Returns the folded path.
pub(super) fn fold(path: &str) -> Cow<'_, str> {
    if may_have_case(path) { fold_all(path).into() } else { path.into() }
}

/// Folds non-ASCII characters, too, because some backends decode them first. `K` (U+212A) and `k` are alike.
fn fold_all(path: &str) -> String {
    let mut folded = String::with_capacity(path.len());
    let (mut decoded, mut rest) = (Vec::new(), path.as_bytes());
    while let [first, behind @ ..] = rest {
        match encoded(rest) {
            Some((byte, behind)) if byte.is_ascii() => {
                push_folded(&mut folded, &mut decoded);
                folded.push_str(percent_encode_byte(byte));
                rest = behind;
            }
            Some((byte, behind)) => {
                decoded.push(byte);
                rest = behind;
            }
            None => {
                decoded.push(*first);
                rest = behind;
            }
        }
    }
    push_folded(&mut folded, &mut decoded);
    folded
}

fn push_folded(folded: &mut String, decoded: &mut Vec<u8>) {
    for chunk in decoded.utf8_chunks() {
        // Some characters have the same capital, but different small letters, such as `s` and `\u{17f}`.
        for letter in chunk.valid().chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase) {
            match letter.is_ascii() {
                true => folded.push(letter),
                false => folded.extend(utf8_percent_encode(letter.encode_utf8(&mut [0; 4]), NON_ALPHANUMERIC)),
            }
        }
        folded.extend(chunk.invalid().iter().copied().map(percent_encode_byte));
    }
    decoded.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_differ_only_in_case_are_folded_to_the_same() {
        for (path, expected) in [
            ("/", "/"),
            ("*", "*"),
            ("", ""),
            ("/admin/x", "/admin/x"),
            ("/aDmin", "/admin"),
            ("/@[`{AZ", "/@[`{az"),
            ("/ADMIN/Long/Enough/For/Chunks", "/admin/long/enough/for/chunks"),
            ("/caf%C3%89", "/caf%C3%A9"),
            ("/CAF\u{c9}", "/caf%C3%A9"),
            ("/caf%C3%A9", "/caf%C3%A9"),
            // Only characters are folded, not the digits of an encoding.
            ("/A%2FB%2f%7B", "/a%2Fb%2F%7B"),
            ("/%AD%zZ%C", "/%AD%zz%c"),
            // The Kelvin sign, and a long s.
            ("/\u{212a}ey%C5%BF", "/keys"),
        ] {
            assert_eq!(fold(path), expected, "{path}");
            with_folded(path, |folded| assert_eq!(folded, expected, "{path}"));
            let long = format!("{path}/{}", "Ab".repeat(ON_STACK));
            with_folded(&long, |folded| assert_eq!(folded, format!("{expected}/{}", "ab".repeat(ON_STACK))));
        }
    }
}
