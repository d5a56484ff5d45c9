//! The rows: a route with one part of middleware, and a request for it.

use std::{fs, net::SocketAddr, path::Path};

use super::support::harness::jwt;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Request {
    /// A response of 100 bytes.
    Small,
    /// A text of 20 KB.
    Text,
    /// The same as `Small`, with a request body of 1 KiB.
    Post,
}

impl Request {
    pub const ALL: [Self; 3] = [Self::Small, Self::Text, Self::Post];

    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "GET, 100 bytes",
            Self::Text => "GET, 20 KB of JSON",
            Self::Post => "POST of 1 KiB",
        }
    }

    /// A script for wrk.
    pub fn script(self) -> &'static str {
        match self {
            Self::Small | Self::Text => "",
            Self::Post => "wrk.method = \"POST\"\nwrk.body = string.rep(\"x\", 1024)\n",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Small | Self::Post => "/small",
            Self::Text => "/text.json",
        }
    }
}

/// A route, and the request to measure it with.
pub struct Part {
    pub name: &'static str,
    /// Keys of the route, in TOML.
    pub keys: String,
    pub request: Request,
    /// Headers of the request.
    pub headers: Vec<String>,
    /// What comes before the path of the request.
    pub below: &'static str,
}

impl Part {
    /// No middleware.
    pub fn none(request: Request) -> Self {
        Self { name: "none", keys: String::new(), request, headers: Vec::new(), below: "" }
    }

    fn new(name: &'static str, request: Request, keys: impl Into<String>, headers: &[&str]) -> Self {
        let headers = headers.iter().map(|&header| header.to_owned()).collect();
        Self { name, keys: keys.into(), request, headers, below: "" }
    }

    fn below(self, below: &'static str) -> Self {
        Self { below, ..self }
    }

    pub fn path(&self) -> String {
        format!("{}{}", self.below, self.request.path())
    }

    /// The route in the configuration file.
    pub fn route(&self, host: &str, backend: SocketAddr) -> String {
        let Self { keys, .. } = self;
        format!("[[routes]]\nhost = \"{host}\"\nupstream = \"{backend}\"\n{keys}\n")
    }
}

/// The password is `secret`. It is verified only once.
const USERS: &str = "{ alice = \"$argon2id$v=19$m=19456,t=2,p=1$L+b9HU8lZzk8+JB2f/+8kQ$\
     xgijVk01gxIovIa5kZs6cYXlw59D0bQDsg8x+vkz+Os\" }";
const AUTHORIZATION: &str = "Authorization: Basic YWxpY2U6c2VjcmV0";

/// All rows. The files that they need are written to `folder`.
pub fn parts(folder: &Path, backend: SocketAddr) -> Vec<Part> {
    let object = "{\"id\": 17, \"name\": \"a user with a name\", \"tags\": [\"one\", \"two\"], \"active\": true},\n";
    fs::write(folder.join("text.json"), object.repeat(20_000 / object.len())).unwrap();
    let down = folder.join("down.html").display().to_string();
    fs::write(&down, "down").unwrap();
    let missing = folder.join("missing.html");
    let small = |name, keys: &str, headers: &[&str]| Part::new(name, Request::Small, keys, headers);
    let text = |name, coding: &str| {
        let accept = format!("Accept-Encoding: {coding}");
        Part::new(name, Request::Text, "compress = true", &[&accept])
    };
    let keys = folder.join("keys.json").display().to_string();
    fs::write(&keys, jwt::jwks()).unwrap();
    let token = |algorithm| format!("Authorization: Bearer {}", jwt::good(algorithm));
    let jwt = format!("jwt = {{ keys = \"{keys}\", audience = \"api\", claim_headers = {{ x-user = \"sub\" }} }}");
    let forward_auth = format!("forward_auth = {{ url = \"http://{backend}/small\", copy_headers = \"remote-user\" }}");
    vec![
        small("request_headers", "request_headers = { x-team = \"a\", x-user = false }", &[]),
        small("response_headers", "response_headers = { x-frame-options = \"DENY\", server = false }", &[]),
        small("error_pages", &format!("error_pages = {{ 502 = \"{down}\" }}"), &[]),
        small("allow", "allow = [\"private\", \"203.0.113.0/24\"]", &[]),
        small("maintenance", &format!("maintenance = \"{}\"", missing.display()), &[]),
        small("cors", "cors = { origins = \"https://example.com\" }", &["Origin: https://example.com"]),
        small("rate_limit", "rate_limit = { requests = 1000000, per = \"1s\" }", &[]),
        small("max_in_flight", "max_in_flight = 1000", &[]),
        small("basic_auth", &format!("basic_auth = {{ users = {USERS} }}"), &[AUTHORIZATION]),
        small("forward_auth", &forward_auth, &[]),
        small("jwt, RS256", &jwt, &[&token("RS256")]),
        small("jwt, ES256", &jwt, &[&token("ES256")]),
        small("rewrite", "rewrite = { regex = \"^/below/(.*)$\", to = \"/$1\" }", &[]).below("/below"),
        small("mirror", &format!("mirror = \"{backend}\""), &[]),
        Part::new("buffer", Request::Post, "buffer = \"64KiB\"", &[]),
        Part::new("mirror, with a body", Request::Post, format!("mirror = \"{backend}\""), &[]),
        small("strip_prefix", "prefix = \"/below\"\nstrip_prefix = true", &[]).below("/below"),
        small("compress, body too short", "compress = true", &["Accept-Encoding: gzip"]),
        text("compress, zstd", "zstd"),
        text("compress, br", "br"),
        text("compress, gzip", "gzip"),
    ]
}
