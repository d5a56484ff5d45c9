//! `cors`.

use std::time::Duration;

use figment::value::Value;
use http::{HeaderName, HeaderValue, Method, uri::Authority};

use crate::{
    config::{CORS_KEYS, Node, Parse, Problems, Reason, text},
    settings::route::{
        Scope,
        matchers::{HeaderKey, MethodName},
    },
};

/// Which pages of other origins may read the responses of a route (CORS, in the Fetch standard).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// The origins of these pages, as browsers send them.
    pub origins: Allowed<HeaderValue>,
    /// The methods, besides GET, HEAD and POST, which browsers always allow.
    pub methods: Allowed<Method>,
    /// The headers of requests, besides the few that browsers always allow.
    pub headers: Allowed<HeaderName>,
    /// The headers of responses, besides the few that browsers always show.
    pub expose_headers: Allowed<HeaderName>,
    /// Whether requests may have cookies and other credentials. If so, nothing above is [`Allowed::All`].
    pub credentials: bool,
    /// How long browsers may remember the response to a preflight request.
    pub max_age: Option<Duration>,
}

/// All values, or only some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed<T> {
    /// Written as `"*"`.
    All,
    /// Only these.
    Only(Vec<T>),
}

impl Cors {
    /// Reads it. Returns `None` if it is invalid, and reports that.
    pub(super) fn read(scope: &Scope<'_>, problems: &mut Problems) -> Option<Option<Self>> {
        let expected = "a table such as { origins = [\"https://example.com\"] }";
        let Some(cors) = scope.read_table("cors", expected, problems)? else { return Some(None) };
        let origins = match cors.field("origins") {
            None => {
                let advice = "no origins: write origins = [\"https://example.com\"], or origins = \"*\" for all";
                cors.own().lacks(advice, CORS_KEYS, problems);
                None
            }
            Some(node) if node.is_empty_list() => {
                problems.push(node.problem("no origin: name at least one; to switch this off, write cors = false"));
                None
            }
            origins => allowed(origins, |Origin(origin)| origin, problems),
        };
        let methods = allowed(cors.field("methods"), |MethodName(method)| method, problems);
        let headers = allowed(cors.field("headers"), |HeaderKey(name)| name, problems);
        let expose_headers = allowed(cors.field("expose_headers"), |HeaderKey(name)| name, problems);
        let credentials = cors.switch("credentials").map_or(Some(false), |node| node.read(problems));
        let max_age = cors.field("max_age").map_or(Some(None), |node| {
            let MaxAge(max_age) = node.read(problems)?;
            Some(Some(max_age))
        });
        let read = Self {
            origins: origins?,
            methods: methods?,
            headers: headers?,
            expose_headers: expose_headers?,
            credentials: credentials?,
            max_age: max_age?,
        };
        (!read.credentials || without_stars(&cors, problems)).then_some(Some(read))
    }
}

/// Reads one value or a list, or `"*"`. Returns `None` if it is invalid, and reports that.
fn allowed<P: Parse, T>(node: Option<Node<'_>>, value: impl Fn(P) -> T, problems: &mut Problems) -> Option<Allowed<T>> {
    let elements = node.map(|node| node.one_or_more()).unwrap_or_default();
    if let Some(star) = elements.iter().find(|element| is_star(element)) {
        if elements.len() > 1 {
            problems.push(star.problem("\"*\" allows all, so the others have no effect: remove them, or \"*\""));
            return None;
        }
        return Some(Allowed::All);
    }
    let values: Vec<_> = elements.iter().filter_map(|element| element.read(problems).map(&value)).collect();
    (values.len() == elements.len()).then_some(Allowed::Only(values))
}

fn is_star(node: &Node<'_>) -> bool {
    node.value.as_str() == Some("*")
}

/// Whether no key is `"*"`, which cannot be combined with credentials. Reports each key that is.
fn without_stars(cors: &Scope<'_>, problems: &mut Problems) -> bool {
    let mut has_none = true;
    for (key, instead) in [
        ("origins", "name each origin"),
        ("methods", "name each method"),
        ("headers", "name each header"),
        ("expose_headers", "name each header"),
    ] {
        let Some(node) = cors.field(key).filter(|node| node.one_or_more().iter().any(is_star)) else { continue };
        has_none = false;
        let credentials = cors.field("credentials").map(|node| format!(" ({})", node.origin())).unwrap_or_default();
        problems.push(node.problem(format!(
            "with credentials = true{credentials}, browsers do not treat \"*\" as all (Fetch standard): {instead}"
        )));
    }
    has_none
}

/// An origin as browsers send it.
struct Origin(HeaderValue);

impl Parse for Origin {
    const EXPECTED: &'static str = "an origin such as \"https://example.com\", or \"*\"";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        if text == "null" {
            return Err(Some("any page can send this origin, from a sandboxed frame".into()));
        }
        if text.contains('*') {
            return Err(Some("name each origin in full, or write \"*\" for all".into()));
        }
        if !text.is_ascii() {
            return Err(Some("write the name in ASCII, as browsers send it: it begins with xn--".into()));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            let https = format!("https://{text}");
            return Err(Self::parse(&https.as_str().into()).ok().map(|_| format!("write {https:?}")));
        };
        if let Some((host, _)) = rest.split_once(['/', '?', '#']) {
            return Err(Some(format!("an origin ends after host and port: write \"{scheme}://{host}\"")));
        }
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        let authority: Authority = rest.parse().map_err(|_| None)?;
        if !is_scheme || authority.host().is_empty() || rest.contains('@') || rest.ends_with(':') {
            return Err(None);
        }
        let origin = text.to_ascii_lowercase();
        let default = match scheme.to_ascii_lowercase().as_str() {
            "http" => ":80",
            "https" => ":443",
            _ => "none",
        };
        if let Some(without) = origin.strip_suffix(default) {
            return Err(Some(format!("browsers leave out the default port: write {without:?}")));
        }
        HeaderValue::from_str(&origin).map(Self).map_err(|_| None)
    }
}

struct MaxAge(Duration);

impl Parse for MaxAge {
    const EXPECTED: &'static str = "a duration such as 1h, or 0s to let browsers remember nothing";

    fn parse(value: &Value) -> Result<Self, Reason> {
        const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

        if let Some(number) = value.to_u128() {
            return Err(Some(format!("add a unit, as in \"{number}s\"")));
        }
        let duration = humantime::parse_duration(text(value)?.trim()).map_err(|_| None)?;
        if duration > YEAR { Err(None) } else { Ok(Self(duration)) }
    }
}
