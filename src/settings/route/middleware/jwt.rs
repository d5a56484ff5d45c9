//! `jwt`.

use std::{fmt, path::PathBuf, time::Duration};

use figment::value::Value;
use http::{HeaderName, Uri, header};
use pmesh_layers::jwt::{Algorithm, TokenSource};

use super::headers::Message;
use crate::{
    config::{JWT_KEYS, Node, Parse, Problems, Reason, duration, text},
    settings::{
        Origin,
        route::{AcceptedCertificates, PemFile, Scope, UpstreamTls, matchers::HeaderKey},
    },
};

/// The JSON Web Tokens that let requests in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwt {
    /// Where the keys are.
    pub keys: JwtKeys,
    /// Where the keys were configured.
    pub origin: Origin,
    /// The accepted audiences; empty accepts all.
    pub audience: Vec<String>,
    /// The accepted issuers; empty accepts all.
    pub issuer: Vec<String>,
    /// The required claims, each with its accepted values.
    pub require: Vec<(String, Vec<String>)>,
    /// The headers of requests to the upstream, each with its claim.
    pub claim_headers: Vec<(HeaderName, String)>,
    /// The places of the token in a request; at least one.
    pub from: Vec<TokenSource>,
    /// Whether the upstream gets the token.
    pub forward_token: bool,
    /// The allowed algorithms; empty allows all that fit the keys.
    pub algorithms: Vec<Algorithm>,
    /// How much clocks may differ.
    pub leeway: Duration,
    /// Whether tokens must have an expiry.
    pub require_exp: bool,
}

/// Where the keys for tokens are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwtKeys {
    /// In a file, as a JSON Web Key Set or in PEM.
    File(PathBuf),
    /// In a file with a shared secret.
    Secret(PathBuf),
    /// At a URL, as a JSON Web Key Set.
    Url {
        /// The URL.
        url: Uri,
        /// How often to fetch them.
        refresh: Duration,
        /// The authority for its certificate, if it is not one of the system's.
        ca: Option<PemFile>,
    },
}

/// The URL, or the path of the file.
impl fmt::Display for JwtKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) | Self::Secret(path) => path.display().fmt(f),
            Self::Url { url, .. } => url.fmt(f),
        }
    }
}

impl Jwt {
    /// How to verify the server of the keys, if they are at a URL with https.
    pub fn tls(&self) -> Option<UpstreamTls> {
        let JwtKeys::Url { url, ca, .. } = &self.keys else { return None };
        let accepted = ca.clone().map_or(AcceptedCertificates::System, AcceptedCertificates::Ca);
        (url.scheme_str() == Some("https")).then(|| UpstreamTls { accepted, ..UpstreamTls::default() })
    }

    /// Reads it. Returns `None` if it is invalid, and reports that.
    pub(super) fn read(scope: &Scope<'_>, problems: &mut Problems) -> Option<Option<Self>> {
        let expected =
            "a table such as { keys = \"https://login.example.com/.well-known/jwks.json\", audience = \"api\" }";
        let Some(table) = scope.read_table("jwt", expected, problems)? else { return Some(None) };
        let keys = keys(&table, problems);
        let list = |key: &str, problems: &mut Problems| all(table.field(key), |Name(name)| name, problems);
        let audience = list("audience", problems);
        let issuer = list("issuer", problems);
        let algorithms = all(table.field("algorithms"), |AlgorithmName(algorithm)| algorithm, problems);
        let require = require(&table, problems);
        let claim_headers = claim_headers(&table, problems);
        let from = from(scope, &table, problems);
        let switch =
            |key: &str, problems: &mut Problems| table.switch(key).map_or(Some(true), |node| node.read(problems));
        let forward_token = switch("forward_token", problems);
        let require_exp = switch("require_exp", problems);
        let leeway = match table.field("leeway") {
            Some(node) => node.read(problems).map(|Leeway(leeway)| leeway),
            None => Some(Duration::from_secs(60)),
        };
        let (keys, origin) = keys?;
        Some(Some(Self {
            keys,
            origin,
            audience: audience?,
            issuer: issuer?,
            require: require?,
            claim_headers: claim_headers?,
            from: from?,
            forward_token: forward_token?,
            algorithms: algorithms?,
            leeway: leeway?,
            require_exp: require_exp?,
        }))
    }
}

fn keys(table: &Scope<'_>, problems: &mut Problems) -> Option<(JwtKeys, Origin)> {
    let (keys, secret) = (table.field("keys"), table.field("secret_file"));
    let is_url = keys.as_ref().is_some_and(|keys| keys.value.as_str().is_some_and(|text| text.contains("://")));
    for key in ["refresh", "ca"] {
        if let Some(node) = table.field(key).filter(|_| !is_url) {
            problems.push(node.problem(format!("`{key}` is for keys at a URL, but these are in a file: remove it")));
            return None;
        }
    }
    match (keys, secret) {
        (Some(keys), Some(secret)) => {
            let message = format!(
                "tokens are verified either with `keys` ({}) or with a secret: remove one of them",
                keys.origin()
            );
            problems.push(secret.problem(message));
            None
        }
        (None, None) => {
            let advice = "no keys: write keys = \"https://login.example.com/.well-known/jwks.json\", the URL that the issuer \
                          names as jwks_uri, or a file";
            table.own().lacks(advice, JWT_KEYS, problems);
            None
        }
        (None, Some(secret)) => Some((JwtKeys::Secret(secret.read(problems)?), (&secret).into())),
        (Some(keys), None) if is_url => {
            let refresh = table.field("refresh").map_or(Some(Duration::from_secs(300)), |node| node.read(problems));
            let ca = match table.field("ca") {
                Some(node) => node.read(problems).map(|path| Some(PemFile { path, origin: (&node).into() })),
                None => Some(None),
            };
            let KeysUrl(url) = keys.read(problems)?;
            if let Some(node) = table.field("ca").filter(|_| url.scheme_str() == Some("http")) {
                problems.push(node.problem("`ca` needs a URL with https"));
                return None;
            }
            Some((JwtKeys::Url { url, refresh: refresh?, ca: ca? }, (&keys).into()))
        }
        (Some(keys), None) => Some((JwtKeys::File(keys.read(problems)?), (&keys).into())),
    }
}

fn require(table: &Scope<'_>, problems: &mut Problems) -> Option<Vec<(String, Vec<String>)>> {
    let expected = "a table such as { role = \"admin\" }";
    let Some(table) = table.read_table("require", expected, problems)? else { return Some(Vec::new()) };
    let entry =
        |(claim, node): (String, Node<'_>)| Some((claim, all(Some(node), |ClaimValue(value)| value, problems)?));
    let fields = table.fields();
    let count = fields.len();
    let read: Vec<_> = fields.into_iter().filter_map(entry).collect();
    (read.len() == count).then_some(read)
}

fn claim_headers(table: &Scope<'_>, problems: &mut Problems) -> Option<Vec<(HeaderName, String)>> {
    let expected = "a table such as { x-user = \"sub\", x-email = \"email\" }";
    let Some(table) = table.read_table("claim_headers", expected, problems)? else { return Some(Vec::new()) };
    table.report_repeated_headers(problems);
    let entries = table.nearest_entries(false);
    let entries: Vec<_> = entries.iter().filter(|(_, node)| !node.is_false()).collect();
    let read: Vec<_> = entries.iter().filter_map(|(key, node)| claim_header(key, node, problems)).collect();
    (read.len() == entries.len()).then_some(read)
}

fn claim_header(key: &str, node: &Node<'_>, problems: &mut Problems) -> Option<(HeaderName, String)> {
    let HeaderKey(name) = node.read_key(key, problems)?;
    if let Some(reason) = reserved(&name) {
        problems.push(node.problem(format!("{name} cannot hold a claim: {reason}")));
        return None;
    }
    let Name(claim) = node.read(problems)?;
    Some((name, claim))
}

/// Why a header cannot hold a claim.
fn reserved(name: &HeaderName) -> Option<&'static str> {
    match name.as_str() {
        "x-forwarded-for" | "x-forwarded-proto" | "x-forwarded-host" | "x-forwarded-port" | "x-forwarded-prefix"
        | "x-real-ip" | "x-request-id" | "forwarded" | "via" => Some("pmesh sets it itself"),
        "authorization" | "cookie" => Some("clients send their own; choose another name, such as x-user"),
        "host" => Some("it belongs to the request"),
        _ => Message::Request.reserved(name),
    }
}

fn from(scope: &Scope<'_>, table: &Scope<'_>, problems: &mut Problems) -> Option<Vec<TokenSource>> {
    let Some(node) = table.field("from") else {
        if let Some(basic) = scope.field("basic_auth") {
            let message = format!(
                "a request cannot have a password (basic_auth, {}) and a token in Authorization: remove one of them, or write \
                 from = \"cookie:NAME\" or \"header:NAME\"",
                basic.origin()
            );
            problems.push(table.own().problem(message));
            return None;
        }
        return Some(vec![TokenSource::Authorization]);
    };
    let read = all(Some(node.clone()), |Place(place)| place, problems)?;
    if let Some(basic) = scope.field("basic_auth").filter(|_| read.contains(&TokenSource::Authorization)) {
        let message =
            format!("Authorization already has the password of basic_auth ({}): remove one of them", basic.origin());
        problems.push(node.problem(message));
        return None;
    }
    Some(read)
}

/// Reads a value or a list of them; empty if it is not set. Returns `None` if it is invalid, and reports that.
fn all<P: Parse, T>(node: Option<Node<'_>>, value: impl Fn(P) -> T, problems: &mut Problems) -> Option<Vec<T>> {
    let Some(node) = node else { return Some(Vec::new()) };
    if node.is_empty_list() {
        problems.push(node.problem("an empty list: name at least one, or remove it"));
        return None;
    }
    let elements = node.one_or_more();
    let values: Vec<_> = elements.iter().filter_map(|element| element.read(problems).map(&value)).collect();
    (values.len() == elements.len()).then_some(values)
}

/// Text that is not empty.
struct Name(String);

impl Parse for Name {
    const EXPECTED: &'static str = "a name";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        if text.is_empty() { Err(None) } else { Ok(Self(text.to_owned())) }
    }
}

/// The value of a claim, as text.
struct ClaimValue(String);

impl Parse for ClaimValue {
    const EXPECTED: &'static str = "the value of a claim, such as \"admin\" or true";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match value.to_bool() {
            Some(true) => Ok(Self("true".to_owned())),
            Some(false) => Err(None),
            None => text(value).map(|text| Self(text.to_owned())),
        }
    }
}

struct KeysUrl(Uri);

impl Parse for KeysUrl {
    const EXPECTED: &'static str = "a URL such as https://login.example.com/.well-known/jwks.json";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        let url: Uri = text.parse().map_err(|_| None)?;
        let is_http = matches!(url.scheme_str(), Some("https" | "http"));
        let (true, Some(authority)) = (is_http, url.authority()) else { return Err(None) };
        if authority.as_str().contains('@') {
            return Err(Some("a user and a password are not supported".into()));
        }
        if url.path().ends_with("/.well-known/openid-configuration") {
            return Err(Some("write the URL in jwks_uri of this document".into()));
        }
        if authority.host().is_empty() || url.port_u16() == Some(0) { Err(None) } else { Ok(Self(url)) }
    }
}

struct AlgorithmName(Algorithm);

impl Parse for AlgorithmName {
    const EXPECTED: &'static str =
        "an algorithm: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA, HS256, HS384 or HS512";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        let is_none = text.eq_ignore_ascii_case("none");
        let reason = is_none.then(|| "anybody can make such tokens; to let everybody in, write jwt = false".to_owned());
        text.parse().map(Self).map_err(|_| {
            let spelled = Algorithm::ALL.iter().find(|known| known.to_string().eq_ignore_ascii_case(text));
            reason.or_else(|| spelled.map(|known| format!("write \"{known}\"")))
        })
    }
}

struct Place(TokenSource);

impl Parse for Place {
    const EXPECTED: &'static str = "\"authorization\", \"header:NAME\" or \"cookie:NAME\"";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        if let Some(name) = text.strip_prefix("cookie:") {
            let is_token = !name.is_empty() && name.parse::<HeaderName>().is_ok();
            return if is_token {
                Ok(Self(TokenSource::Cookie(name.to_owned())))
            } else {
                Err(Some(format!("{name:?} is not the name of a cookie")))
            };
        }
        if let Some(name) = text.strip_prefix("header:") {
            return match name.parse::<HeaderName>() {
                Ok(header::AUTHORIZATION) => Ok(Self(TokenSource::Authorization)),
                Ok(header::COOKIE) => Err(Some("write \"cookie:NAME\"".into())),
                Ok(name) if Message::Request.reserved(&name).is_some() => {
                    Err(Some(format!("{name} cannot hold a token")))
                }
                Ok(name) => Ok(Self(TokenSource::Header(name))),
                Err(_) => Err(Some(format!("{name:?} is not the name of a header"))),
            };
        }
        match text.to_ascii_lowercase().as_str() {
            "authorization" => Ok(Self(TokenSource::Authorization)),
            "bearer" | "header" => Err(Some("write \"authorization\"".into())),
            _ if text.starts_with("query:") || text.starts_with("param:") => {
                Err(Some("a token in a URL ends up in logs, so it is not supported".into()))
            }
            _ => Err(None),
        }
    }
}

struct Leeway(Duration);

impl Parse for Leeway {
    const EXPECTED: &'static str = "a duration up to 10m, such as 30s, or 0s";

    fn parse(value: &Value) -> Result<Self, Reason> {
        const MAX: Duration = Duration::from_secs(600);

        match value.as_str().map(str::trim) {
            Some("0" | "0s") => Ok(Self(Duration::ZERO)),
            _ => duration(value, None).and_then(|leeway| if leeway > MAX { Err(None) } else { Ok(Self(leeway)) }),
        }
    }
}
