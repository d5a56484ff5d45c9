//! The route table beside a list that is searched from one end to the other.

use std::collections::BTreeSet;

use pmesh_layers::{
    host::{HostName, HostPattern},
    route::{NoRoute, PathPrefix, RouteTable, Rule},
};
use proptest::prelude::*;

fn host() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab]", 1..4).prop_map(|labels| labels.join("."))
}

fn pattern() -> impl Strategy<Value = HostPattern> {
    (any::<bool>(), host()).prop_map(|(below, host)| {
        let star = if below { "*." } else { "" };
        format!("{star}{host}").parse().unwrap()
    })
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab]{1,2}", 0..4).prop_map(|segments| format!("/{}", segments.join("/")))
}

const PARTS: [&str; 26] = [
    "a", "a", "b", "/", "/", "/", ".", "..", "/../", "//", "//", ";", "\\", "%61", "%62", "%2e", "%2f", "%5C", "%3b",
    "%25", "%3F", "%00", "%u0061", "%c3%A9", "é", "%zz",
];

/// A path with parts that some backends read differently, often below a short prefix.
fn odd_path() -> impl Strategy<Value = String> {
    let odd = prop::collection::vec(prop::sample::select(&PARTS[..]), 0..9);
    (prop::sample::select(&["", "", "/a", "/b", "/a/b"][..]), odd)
        .prop_map(|(prefix, parts)| format!("{prefix}/{}", parts.concat()))
}

fn short_prefix() -> impl Strategy<Value = PathPrefix> {
    prop::collection::vec("[ab]", 0..4).prop_map(|segments| format!("/{}", segments.join("/")).parse().unwrap())
}

fn prefix() -> impl Strategy<Value = PathPrefix> {
    path().prop_map(|path| format!("{}/", path.trim_end_matches('/')).parse().unwrap())
}

/// By the rules: an exact host, then the longest wildcard, then the longest prefix.
fn naive(routes: &[(HostPattern, PathPrefix)], host: &HostName, path: &str) -> Option<usize> {
    let matching = routes
        .iter()
        .enumerate()
        .filter(|(_, (pattern, prefix))| pattern.matches(host) && prefix.strip(path).is_some());
    let most_specific = matching.max_by_key(|(_, (pattern, prefix))| {
        (matches!(pattern, HostPattern::Exact(_)), pattern.to_string().len(), prefix.to_string().len())
    });
    most_specific.map(|(index, _)| index)
}

proptest! {
    #[test]
    fn both_find_the_same(
        routes in prop::collection::vec((pattern(), prefix()), 0..12),
        requests in prop::collection::vec((host(), path()), 1..12),
    ) {
        let mut table = RouteTable::new();
        let mut list = Vec::new();
        for (pattern, prefix) in routes {
            let inserted = table.insert(pattern.clone(), prefix.clone(), list.len());
            prop_assert_eq!(inserted.is_err(), list.contains(&(pattern.clone(), prefix.clone())));
            if inserted.is_ok() {
                list.push((pattern, prefix));
            }
        }
        for (host, path) in requests {
            let expected = naive(&list, &host.parse().unwrap(), &path);
            prop_assert_eq!(table.find(&host, &path).ok().copied(), expected, "{}{}", host, path);
        }
    }

    #[test]
    fn a_path_that_some_backends_read_as_that_of_another_route_is_ambiguous(
        path in odd_path(),
        routes in prop::collection::vec((prop::sample::select(&["a.b", "a.b", "*.b"][..]), short_prefix()), 1..6),
    ) {
        let host = "a.b";
        let (mut table, mut literal, mut list) = (RouteTable::new(), RouteTable::new(), Vec::new());
        for (pattern, prefix) in routes {
            let pattern: HostPattern = pattern.parse().unwrap();
            // A second route for the same prefix is refused, which is fine here.
            if table.insert(pattern.clone(), prefix.clone(), list.len()).is_ok() {
                literal.insert(pattern.clone(), Rule::new(prefix.clone()).literal(), list.len()).unwrap();
                list.push((pattern, prefix));
            }
        }
        let name = host.parse().unwrap();
        let written = naive(&list, &name, &path);
        // What is left without the prefix is read as well, by backends that do not see the prefix.
        let prefix = written.map_or(0, |route| list[route].1.to_string().trim_end_matches('/').len());
        let (whole, rest) = (readings(&path), readings(&path[prefix..]));
        // A path with more readings is always ambiguous.
        prop_assume!(whole.len() <= 64 && rest.len() <= 64);
        let rest = rest.iter().map(|reading| format!("{}{reading}", &path[..prefix]));
        let others = whole.iter().cloned().chain(rest).any(|reading| naive(&list, &name, &reading) != written);
        let expected = match written {
            None => Err(NoRoute::NotFound),
            Some(_) if others => Err(NoRoute::Ambiguous),
            Some(route) => Ok(route),
        };
        prop_assert_eq!(table.find(host, &path).copied(), expected, "{}", path);
        prop_assert_eq!(literal.find(host, &path).ok().copied(), written, "{}", path);
        prop_assert_eq!(table.find_literal(host, &path).copied(), written, "{}", path);
    }
}

/// All readings of a path.
fn readings(path: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::from([path.to_owned()]);
    loop {
        let more: Vec<_> = found.iter().flat_map(|path| steps(path)).filter(|path| !found.contains(path)).collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

fn steps(path: &str) -> [String; 10] {
    [
        decoded(path, "ab.;%?\0"),
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

/// Decodes `letters`. Other encodings are written in capitals, and `é` is encoded.
fn decoded(path: &str, letters: &str) -> String {
    let path = path.replace('é', "%C3%A9");
    let (mut rest, mut text) = (&*path, String::new());
    while !rest.is_empty() {
        let byte = rest.strip_prefix('%').and_then(|digits| u8::from_str_radix(digits.get(..2)?, 16).ok());
        let (read, behind) = rest.split_at(if byte.is_some() { 3 } else { 1 });
        match byte.map(char::from) {
            Some(letter) if letters.contains(letter) => text.push(letter),
            Some(_) => text += &read.to_uppercase(),
            None => text += read,
        }
        rest = behind;
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

/// Without the slash that is left of dots at the end.
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
