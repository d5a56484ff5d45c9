//! Shows a client its own request, as the backend saw it.

use std::{
    fmt::{self, Write},
    net::SocketAddr,
};

use axum::http::HeaderMap;

const PAGE: &str = include_str!("page.html");

/// The headers to show, in this order.
const FIELDS: [&str; 9] = [
    "Host",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Real-IP",
    "Forwarded",
    "CDN-Loop",
    "X-Request-Id",
];

/// A request as it arrived.
#[derive(Debug)]
pub(super) struct Seen {
    fields: Vec<(&'static str, String)>,
    source: SocketAddr,
    backend: Option<SocketAddr>,
    /// The number of this request on its connection, starting at 1.
    request: u64,
}

impl Seen {
    pub(super) fn new(headers: &HeaderMap, source: SocketAddr, backend: Option<SocketAddr>, request: u64) -> Self {
        let values = |name| headers.get_all(name).iter().map(move |value| (name, lossy(value.as_bytes())));
        Self { fields: FIELDS.into_iter().flat_map(values).collect(), source, backend, request }
    }

    /// For curl.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "This is the backend of the pmesh demo.\n\n{}\n{}\n\nYour request, as it arrived here:\n\n",
            self.named(),
            self.connection()
        );
        for (name, value) in self.rows() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {name:18} {value}");
        }
        text
    }

    /// For browsers.
    pub(super) fn html(&self) -> String {
        let mut rows = String::new();
        for (name, value) in self.rows() {
            // Writing to a String cannot fail.
            let _ = writeln!(rows, "<tr><th>{}</th><td>{}</td></tr>", Escaped(name), Escaped(&value));
        }
        let spots = [
            ("{client}", self.field("X-Forwarded-For").to_owned()),
            ("{host}", self.field("Host").to_owned()),
            ("{source}", self.source.to_string()),
            ("{backend}", self.backend()),
            ("{named}", self.named()),
            ("{connection}", self.connection()),
        ];
        // Braces in inserted text are escaped, so no placeholder is filled twice.
        let page = spots.iter().fold(PAGE.to_owned(), |page, (spot, text)| {
            page.replace(&format!("{{{spot}}}"), &Escaped(text).to_string())
        });
        page.replace("{{rows}}", &rows)
    }

    /// For WebSocket clients.
    pub(super) fn greeting(&self) -> String {
        format!("hello from {}; pmesh connected from {}; this echoes what you send\n", self.backend(), self.source)
    }

    fn rows(&self) -> impl Iterator<Item = (&'static str, String)> {
        let own = [("connection from", self.source.to_string()), ("connection to", self.backend())];
        self.fields.iter().cloned().chain(own)
    }

    fn named(&self) -> String {
        let by = match self.field("X-Forwarded-Proto") {
            "https" => "the ClientHello of your TLS handshake",
            _ => "the Host header of your request",
        };
        format!("pmesh sent nothing back until {by} named a host that it serves.")
    }

    fn connection(&self) -> String {
        match self.request {
            1 => format!("Then it opened a new connection to this backend, from {}.", self.source),
            request => {
                format!("Then it reused its connection from {}: this is request {request} on it.", self.source)
            }
        }
    }

    fn backend(&self) -> String {
        self.backend.map_or_else(|| "the backend".to_owned(), |address| address.to_string())
    }

    fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, _)| *field == name).map_or("-", |(_, value)| value)
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Escapes text for the page, including the braces of placeholders.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '<' | '>' | '&' | '"' | '\'' | '{' | '}' => write!(f, "&#{};", u32::from(c)),
            _ => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(fields: &[(&'static str, &'static str)], request: u64) -> Seen {
        let headers = fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Seen::new(&headers, ([127, 2, 0, 1], 40000).into(), Some(([127, 1, 0, 1], 9000).into()), request)
    }

    #[test]
    fn the_text_shows_the_request() {
        let fields = [("host", "demo.localhost:8080"), ("x-forwarded-for", "192.0.2.1"), ("cookie", "secret")];
        let text = seen(&fields, 1).text();
        for line in ["Host               demo.localhost:8080", "connection from    127.2.0.1:40000"] {
            assert!(text.contains(line), "{text}");
        }
        assert!(text.contains("opened a new connection") && !text.contains("secret"), "{text}");
        assert!(seen(&fields, 2).text().contains("this is request 2 on it"));
    }

    #[test]
    fn the_page_is_complete_and_escapes_the_request() {
        let page = seen(&[("host", "<script>{{rows}}"), ("x-forwarded-for", "{{host}}\"'")], 1).html();
        assert!(!page.contains("{{") && !page.contains("<script>&"), "{page}");
        assert!(page.contains("&#60;script&#62;&#123;&#123;rows&#125;&#125;"), "{page}");
    }
}
