//! How backends might read odd paths, computed step by step.

use std::collections::BTreeSet;

use proptest::prelude::*;

const PARTS: [&str; 30] = [
    "a", "a", "b", "/", "/", "/", ".", "..", "/../", "//", "//", ";", "\\", "%61", "%62", "%2e", "%2f", "%5C", "%3b",
    "%25", "%3F", "%00", "%u0061", "%c3%A9", "é", "%zz", "A", "B", "%41", "%c3%89",
];

/// A path with parts that some backends read differently, often below a short prefix.
pub(crate) fn odd_path() -> impl Strategy<Value = String> {
    let odd = prop::collection::vec(prop::sample::select(&PARTS[..]), 0..9);
    (prop::sample::select(&["", "", "/a", "/b", "/a/b", "/A", "/a/B"][..]), odd)
        .prop_map(|(prefix, parts)| format!("{prefix}/{}", parts.concat()))
}

/// All readings of a path.
pub(crate) fn readings(path: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::from([path.to_owned()]);
    loop {
        let more: Vec<_> = found.iter().flat_map(|path| steps(path)).filter(|path| !found.contains(path)).collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// The path in lower case, with `é` encoded.
pub(crate) fn folded(path: &str) -> String {
    let path = path.replace('é', "%C3%A9").replace("%C3%89", "%C3%A9");
    let mut pieces = path.split('%');
    let mut text = pieces.next().unwrap().to_lowercase();
    for piece in pieces {
        let is_encoded = piece.get(..2).is_some_and(|digits| u8::from_str_radix(digits, 16).is_ok());
        let (digits, rest) = piece.split_at(if is_encoded { 2 } else { 0 });
        text += &format!("%{digits}{}", rest.to_lowercase());
    }
    text
}

fn steps(path: &str) -> [String; 10] {
    [
        decoded(path, "abA.;%?\0"),
        decoded(path, "/\\"),
        path.replace("%u0061", "%61"),
        path.chars().map(|letter| if letter == '\\' { '/' } else { letter }).collect(),
        without_parameters(path),
        path.chars().take_while(|letter| !"?\0".contains(*letter)).collect(),
        without_host(path),
        without_double_slashes(path),
        without_dots(path),
        without_dots_and_slash(path),
    ]
}

/// Decodes `letters`. Other encodings are written in capitals, and `é` and `{` are encoded.
fn decoded(path: &str, letters: &str) -> String {
    let path = path.replace('é', "%C3%A9").replace('{', "%7B");
    let (mut rest, mut text) = (&*path, String::new());
    while !rest.is_empty() {
        let byte = rest.strip_prefix('%').and_then(|digits| u8::from_str_radix(digits.get(..2)?, 16).ok());
        let (read, after) = rest.split_at(if byte.is_some() { 3 } else { 1 });
        match byte.map(char::from) {
            Some(letter) if letters.contains(letter) => text.push(letter),
            Some(_) => text += &read.to_uppercase(),
            None => text += read,
        }
        rest = after;
    }
    text
}

fn without_parameters(path: &str) -> String {
    let mut inside = false;
    let kept = path.chars().filter(|letter| {
        inside = *letter == ';' || (inside && *letter != '/');
        !inside
    });
    kept.collect()
}

fn without_host(path: &str) -> String {
    if !path.starts_with("//") {
        return path.to_owned();
    }
    let (_host, rest) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
    format!("/{rest}")
}

fn without_double_slashes(path: &str) -> String {
    let mut text = path.to_owned();
    while text.contains("//") {
        text = text.replace("//", "/");
    }
    text
}

/// Also removes the slash that trailing dots leave.
fn without_dots_and_slash(path: &str) -> String {
    let text = without_dots(path);
    match path.ends_with("/.") || path.ends_with("/..") {
        true if text != "/" => text.strip_suffix('/').unwrap().to_owned(),
        _ => text,
    }
}

/// Follows RFC 3986, 5.2.4, literally.
fn without_dots(path: &str) -> String {
    let (mut input, mut output) = (path.to_owned(), String::new());
    while !input.is_empty() {
        if input.starts_with("/./") {
            input.drain(..2);
        } else if input == "/." {
            input.pop();
        } else if input.starts_with("/../") || input == "/.." {
            let rest = input.split_off(3);
            input = if rest.is_empty() { "/".to_owned() } else { rest };
            output.truncate(output.rfind('/').unwrap_or(0));
        } else {
            let end = input[1..].find('/').map_or(input.len(), |end| end + 1);
            output.extend(input.drain(..end));
        }
    }
    output
}
