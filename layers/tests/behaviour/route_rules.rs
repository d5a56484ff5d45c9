//! The route table, compared with a list of rules that are tried one by one.

use std::{cmp::Reverse, net::IpAddr};

use http::{Method, Request, Uri};
use pmesh_layers::{
    conn::ConnInfo,
    host::{HostName, HostPattern},
    route::{Conditions, ExactPath, Methods, NoRoute, PathPrefix, PathRegex, RoutePath, RouteTable, Rule},
};
use proptest::prelude::*;

use crate::support::readings::{folded, odd_path, readings};

/// An expression, and functions that match the same paths as the expression does, and as it does after `(?i)`. The latter
/// matters only if the expression has letters in upper case. The others are tried with the path in lower case.
type Meaning = (&'static str, fn(&str) -> bool, fn(&str) -> bool);

const REGEXES: [Meaning; 9] = [
    ("^/a", |path| path.starts_with("/a"), |_| false),
    ("b$", |path| path.ends_with('b'), |_| false),
    ("^/[ab]/b$", |path| path == "/a/b" || path == "/b/b", |_| false),
    ("%[0-9A-F]", |path| has_encoding(path, "0123456789ABCDEF"), |path| has_encoding(path, "0123456789ABCDEFabcdef")),
    (r"\.", |path| path.contains('.'), |_| false),
    ("[^ -~]", |path| path.bytes().any(|byte| !(b' '..=b'~').contains(&byte)), |_| false),
    ("^/A", |path| path.starts_with("/A"), |path| path.starts_with("/a") || path.starts_with("/A")),
    ("(?i)^/b", |path| path.starts_with("/b") || path.starts_with("/B"), |_| false),
    ("^/[^a-z]+$", |path| path.len() > 1 && path.bytes().all(|byte| !byte.is_ascii_lowercase()), |_| false),
];

fn has_encoding(path: &str, first_digits: &str) -> bool {
    path.split('%').skip(1).any(|text| text.starts_with(|first| first_digits.contains(first)))
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Path {
    Exact(String),
    Prefix(String),
    Regex(String, usize),
}

impl Path {
    /// The prefix without a trailing slash; empty for an exact path.
    fn prefix(&self) -> &str {
        match self {
            Self::Exact(_) => "",
            Self::Prefix(prefix) | Self::Regex(prefix, _) => prefix.trim_end_matches('/'),
        }
    }

    fn matches(&self, path: &str) -> bool {
        let below = path.strip_prefix(self.prefix()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        match self {
            Self::Exact(exact) => exact == path,
            Self::Prefix(_) => below,
            Self::Regex(_, index) => below && REGEXES[*index].1(path),
        }
    }

    fn matches_in_any_case(&self, path: &str) -> bool {
        let (prefix, lower) = (folded(self.prefix()), folded(path));
        let below = lower.strip_prefix(&prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        match self {
            Self::Exact(exact) => folded(exact) == lower,
            Self::Prefix(_) => below,
            Self::Regex(_, index) => {
                let (_, as_written, in_any_case) = REGEXES[*index];
                below && (as_written(path) || as_written(&lower) || in_any_case(path))
            }
        }
    }

    fn to_route(&self) -> RoutePath {
        match self {
            Self::Exact(path) => path.parse::<ExactPath>().unwrap().into(),
            Self::Prefix(prefix) => prefix.parse::<PathPrefix>().unwrap().into(),
            Self::Regex(prefix, index) => {
                (prefix.parse::<PathPrefix>().unwrap(), REGEXES[*index].0.parse::<PathRegex>().unwrap()).into()
            }
        }
    }
}

/// Properties of a request, or the properties that a rule requires. `None` in a rule matches anything.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Traits {
    header: Option<&'static str>,
    query: Option<&'static str>,
    client: Option<&'static str>,
    upgrade: bool,
}

impl Traits {
    fn is_empty(&self) -> bool {
        *self == Self { header: None, query: None, client: None, upgrade: false }
    }

    fn meet(&self, wanted: &Self) -> bool {
        let matches = |has: Option<&str>, wants: Option<&str>| {
            wants.is_none() || (has.is_some() && wants == Some("*")) || has == wants
        };
        matches(self.header, wanted.header)
            && matches(self.query, wanted.query)
            && matches(self.client, wanted.client)
            && (self.upgrade || !wanted.upgrade)
    }
}

#[derive(Debug, Clone)]
struct Written {
    host: &'static str,
    path: Path,
    methods: Vec<Method>,
    wanted: Traits,
    literal: bool,
}

impl Written {
    fn to_rule(&self) -> Rule {
        let mut conditions = Conditions::new().methods(self.methods.iter().cloned());
        if let Some(pattern) = self.wanted.header {
            conditions = conditions.header("x-a".parse().unwrap(), pattern);
        }
        if let Some(pattern) = self.wanted.query {
            conditions = conditions.query("q", pattern);
        }
        if let Some(client) = self.wanted.client {
            conditions = conditions.clients([client.parse::<IpAddr>().unwrap().into()]);
        }
        if self.wanted.upgrade {
            conditions = conditions.upgrade("chat");
        }
        let rule = Rule::new(self.path.to_route()).when(conditions);
        if self.literal { rule.literal() } else { rule }
    }

    fn matches_host(&self, host: &HostName) -> bool {
        self.host.parse::<HostPattern>().unwrap().matches(host)
    }

    fn specificity(&self) -> (bool, usize, bool, usize, bool) {
        let (is_exact, is_regex) = (matches!(self.path, Path::Exact(_)), matches!(self.path, Path::Regex(..)));
        (!self.host.starts_with('*'), self.host.len(), is_exact, self.path.prefix().len(), is_regex)
    }

    fn allows(&self, method: &Method) -> bool {
        let as_get = if method == Method::HEAD { &Method::GET } else { method };
        self.methods.is_empty() || self.methods.contains(method) || self.methods.contains(as_get)
    }

    /// Rules with conditions go first.
    fn rank(&self) -> u8 {
        match (self.wanted.is_empty(), self.methods.is_empty()) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        }
    }
}

/// The index of the first rule with the most specific matching host pattern and path.
fn most_specific(rules: &[Written], host: &HostName, path: &str) -> Option<usize> {
    let matches = |rule: &Written| rule.matches_host(host) && rule.path.matches(path);
    let key = |(index, rule): &(usize, &Written)| (rule.specificity(), Reverse(*index));
    rules.iter().enumerate().filter(|(_, rule)| matches(rule)).max_by_key(key).map(|(index, _)| index)
}

/// The first rule for each of the most specific paths if case is ignored.
fn most_specific_in_any_case<'a>(rules: &'a [Written], host: &HostName, path: &str) -> Vec<&'a Written> {
    let matching =
        rules.iter().filter(|rule| rule.matches_host(host) && rule.path.matches_in_any_case(path)).collect::<Vec<_>>();
    let most = matching.iter().map(|rule| rule.specificity()).max();
    let mut found: Vec<&Written> = Vec::new();
    for rule in matching.into_iter().filter(|rule| Some(rule.specificity()) == most) {
        let is_later_regex =
            |other: &&Written| matches!(rule.path, Path::Regex(..)) && other.path.prefix() == rule.path.prefix();
        if !found.iter().any(is_later_regex) {
            found.push(rule);
        }
    }
    found
}

fn expected(rules: &[Written], host: &str, path: &str, method: &Method, has: &Traits) -> Result<usize, NoRoute> {
    let host = host.parse().unwrap();
    let at = most_specific(rules, &host, path).ok_or(NoRoute::NotFound)?;
    let same = |rule: &Written| rule.host == rules[at].host && rule.path == rules[at].path;
    let mut candidates: Vec<_> =
        (0..rules.len()).filter(|index| same(&rules[*index]) && has.meet(&rules[*index].wanted)).collect();
    candidates.sort_by_key(|index| rules[*index].rank());
    let Some(chosen) = candidates.iter().copied().find(|index| rules[*index].allows(method)) else {
        let allowed: Methods = candidates.iter().flat_map(|index| rules[*index].methods.iter().cloned()).collect();
        return Err(if allowed.is_empty() { NoRoute::NotFound } else { NoRoute::MethodNotAllowed(Box::new(allowed)) });
    };
    let (prefix, rest) = path.split_at(rules[at].path.prefix().len());
    let rest = readings(rest).into_iter().map(|reading| format!("{prefix}{reading}"));
    let leads_here = |path: String| {
        most_specific(rules, &host, &path).is_some_and(|at| same(&rules[at]))
            && most_specific_in_any_case(rules, &host, &path).into_iter().any(same)
    };
    if rules[chosen].literal || readings(path).into_iter().chain(rest).all(leads_here) {
        Ok(chosen)
    } else {
        Err(NoRoute::Ambiguous)
    }
}

fn path() -> impl Strategy<Value = Path> {
    let text = || prop::sample::select(&["/", "/a", "/a/b", "/b", "/%7B", "/A", "/A/b"][..]).prop_map(str::to_owned);
    let exact =
        prop::sample::select(&["/", "/a", "/a/", "/a/b", "/b", "/%7B", "/A", "/B/"][..]).prop_map(str::to_owned);
    prop_oneof![
        exact.prop_map(Path::Exact),
        text().prop_map(Path::Prefix),
        (text(), 0..REGEXES.len()).prop_map(|(prefix, index)| Path::Regex(prefix, index)),
    ]
}

fn maybe(texts: &'static [&'static str]) -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![2 => Just(None), 1 => prop::sample::select(texts).prop_map(Some)]
}

const CLIENTS: &[&str] = &["10.0.0.1", "2001:db8::1"];

fn rule() -> impl Strategy<Value = Written> {
    let methods = prop::sample::subsequence(vec![Method::GET, Method::POST, Method::PUT], 0..3);
    let wanted = (maybe(&["1", "*"]), maybe(&["1", "*"]), maybe(CLIENTS), prop::bool::weighted(0.2));
    let wanted = wanted.prop_map(|(header, query, client, upgrade)| Traits { header, query, client, upgrade });
    let none = Traits { header: None, query: None, client: None, upgrade: false };
    let wanted = prop_oneof![2 => Just(none), 1 => wanted];
    (prop::sample::select(&["a.b", "a.b", "*.b"][..]), path(), methods, wanted, prop::bool::weighted(0.1))
        .prop_map(|(host, path, methods, wanted, literal)| Written { host, path, methods, wanted, literal })
}

fn request_path() -> impl Strategy<Value = String> {
    let plain = prop::collection::vec(prop::sample::select(&["a", "b", "a.b", "%7B", "{", "A", "B"][..]), 0..4);
    prop_oneof![2 => plain.prop_map(|segments| format!("/{}", segments.join("/"))), 1 => odd_path()]
}

proptest! {
    #[test]
    fn the_table_and_the_list_agree(
        rules in prop::collection::vec(rule(), 1..10),
        path in request_path(),
        method in prop::sample::select(&[Method::GET, Method::HEAD, Method::POST, Method::DELETE][..]),
        has in (maybe(&["1", "2"]), maybe(&["1", "2"]), maybe(CLIENTS), any::<bool>()),
    ) {
        let (mut table, mut list) = (RouteTable::new(), Vec::<Written>::new());
        for rule in rules {
            let inserted = table.insert(rule.host.parse().unwrap(), rule.to_rule(), list.len());
            let alike = |other: &Written| {
                let key = (other.host, &other.path, &other.methods, &other.wanted);
                key == (rule.host, &rule.path, &rule.methods, &rule.wanted)
            };
            prop_assert_eq!(inserted.is_err(), list.iter().any(alike));
            if inserted.is_ok() {
                list.push(rule);
            }
        }
        let has = Traits { header: has.0, query: has.1, client: has.2, upgrade: has.3 };
        let uri = format!("{path}{}", has.query.map(|value| format!("?q={value}")).unwrap_or_default()).parse::<Uri>();
        // Some are not valid request targets, or `Uri` parses a different path.
        prop_assume!(uri.as_ref().is_ok_and(|uri| uri.path() == path));
        let mut request = Request::builder().method(&method).uri(uri.unwrap());
        if let Some(value) = has.header {
            request = request.header("x-a", value);
        }
        if let Some(client) = has.client {
            request = request.extension(ConnInfo::plain((client.parse::<IpAddr>().unwrap(), 1).into()));
        }
        if has.upgrade {
            request = request.header("connection", "upgrade").header("upgrade", "chat");
        }
        // A path with more readings is always ambiguous, with or without its prefix.
        prop_assume!(path.match_indices('/').all(|(slash, _)| readings(&path[slash..]).len() <= 64));
        let found = table.find_for("a.b", &request.body(()).unwrap()).copied();
        prop_assert_eq!(found, expected(&list, "a.b", &path, &method, &has), "{} {}", method, path);
    }
}
