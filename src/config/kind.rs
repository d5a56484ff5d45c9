//! Kinds of values, and their conversion from text.

use figment::value::{Dict, Value};

use super::path;

/// The kind of value that a setting has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A port, 0 to let the kernel pick one, or "off".
    Port,
    /// An IPv4 network inside 127.0.0.0/8.
    Subnet,
    /// A number.
    Count,
    /// A number in this range.
    Within(u32, u32),
    /// One of these numbers.
    Numbers(&'static [u16]),
    /// A number of bytes.
    Size,
    /// A number of bytes, or off.
    SizeLimit,
    /// true or false.
    Switch,
    /// A duration with a unit.
    Duration,
    /// A duration with a unit, or off.
    TimeLimit,
    /// A duration with a unit, which can be 0.
    MaxAge,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// An HTTP method.
    Method,
    /// A filter for the log.
    Filter,
    /// Text, with its placeholder in the help.
    Text(&'static str),
    /// IP addresses.
    Addresses,
    /// IP addresses and networks.
    Networks,
    /// The path of a file.
    File,
    /// The path of a file, or a URL.
    FileOrUrl,
    /// The path of a file, or one of these words.
    FileOr(&'static [&'static str]),
    /// A number of processors, which can be a fraction.
    Processors,
    /// The path of a folder.
    Directory,
    /// Where a local server listens: unix, unix:PATH, an address with a port, or off.
    Socket,
    /// Routes.
    Routes,
    /// Named listeners, each in a table.
    Listeners,
    /// Settings for all routes.
    Defaults,
    /// Hosts and paths to redirect.
    Redirects,
    /// Other nodes and their addresses.
    Peers,
    /// Local programs, each in a table.
    Services,
    /// Pairs of a certificate and its key.
    Certificates,
    /// Other files, or patterns for their names.
    Include,
    /// A secret; never merged with the other values and never shown.
    Secret,
}

impl Kind {
    /// The placeholder for the value in the help.
    pub fn value_name(self) -> &'static str {
        match self {
            Self::Port => "PORT",
            Self::Subnet => "CIDR",
            Self::Count | Self::Within(..) | Self::Numbers(_) | Self::Processors => "N",
            Self::Size | Self::SizeLimit => "SIZE",
            Self::Switch => "BOOL",
            Self::Duration | Self::TimeLimit | Self::MaxAge => "DURATION",
            Self::Method => "METHOD",
            Self::Choice(_) => "WORD",
            Self::Filter => "FILTER",
            Self::Text(name) => name,
            Self::Addresses => "IP[,IP…]",
            Self::Networks => "CIDR[,CIDR…]",
            Self::File | Self::FileOr(_) => "FILE",
            Self::FileOrUrl => "FILE|URL",
            Self::Directory => "DIR",
            Self::Socket => "unix|unix:PATH|IP:PORT",
            Self::Routes => "HOST[/PREFIX]=UPSTREAM[,UPSTREAM…]",
            Self::Peers => "NAME=HOST:PORT",
            Self::Listeners | Self::Services | Self::Certificates | Self::Defaults | Self::Redirects => "TABLES",
            Self::Include => "FILES",
            Self::Secret => "SECRET",
        }
    }

    /// Converts the text of a flag or a variable to the value that a file would have.
    ///
    /// Invalid text stays text: it is reported when the settings are read.
    pub(super) fn value(self, text: &str, home: Option<&str>) -> Value {
        match self {
            Self::Port | Self::Count | Self::Within(..) | Self::Numbers(_) | Self::Size | Self::SizeLimit => {
                text.parse::<u64>().map_or_else(|_| text.into(), Value::from)
            }
            Self::Switch => Value::from(text).to_bool_lossy().map_or_else(|| text.into(), Value::from),
            Self::File | Self::Directory => path::expand(text, home).into(),
            Self::Socket => path::map_socket(text, |path| path::expand(path, home)).into(),
            // In a file, peers are a table. Here they are a list, so that duplicate names can be reported.
            Self::Addresses | Self::Networks | Self::Peers => words(text).map(Value::from).collect::<Vec<_>>().into(),
            Self::Routes => text.split_whitespace().map(route).collect::<Vec<_>>().into(),
            Self::Subnet
            | Self::Duration
            | Self::TimeLimit
            | Self::MaxAge
            | Self::Method
            | Self::Choice(_)
            | Self::Filter
            | Self::Text(_)
            // Only in files.
            | Self::FileOrUrl
            | Self::FileOr(_)
            | Self::Processors
            | Self::Listeners
            | Self::Services
            | Self::Certificates
            | Self::Defaults
            | Self::Redirects
            | Self::Include
            | Self::Secret => text.into(),
        }
    }
}

/// Splits a list in a string at commas and spaces.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty())
}

/// Converts `HOST[/PREFIX]=UPSTREAM[,UPSTREAM…]` to a table.
fn route(text: &str) -> Value {
    // From the right: a prefix can contain an equals sign, an upstream cannot.
    let Some((from, to)) = text.rsplit_once('=') else { return text.into() };
    let mut table = Dict::new();
    let host = match from.split_once('/') {
        // A URL. Keep its scheme, which is reported when the host is parsed.
        Some((scheme, rest)) if scheme.ends_with(':') && rest.starts_with('/') => from,
        Some((host, prefix)) => {
            table.insert("prefix".into(), format!("/{prefix}").into());
            host
        }
        None => from,
    };
    table.insert("host".into(), host.into());
    table.insert("upstream".into(), words(to).map(Value::from).collect::<Vec<_>>().into());
    table.into()
}

#[cfg(test)]
mod tests {
    use figment::util::map;

    use super::*;

    #[test]
    fn numbers_stay_text_for_settings_that_are_text() {
        assert_eq!(Kind::Filter.value("0123", None), Value::from("0123"));
        assert_eq!(Kind::Directory.value("0123", None), Value::from("0123"));
        assert_eq!(Kind::Port.value("0123", None), Value::from(123u64));
        assert_eq!(Kind::Port.value("off", None), Value::from("off"));
    }

    #[test]
    fn lists_are_separated_by_commas_or_spaces() {
        let expected = Value::from(vec!["10.0.0.1", "10.0.0.2", "::1"]);
        assert_eq!(Kind::Addresses.value(" 10.0.0.1,10.0.0.2, ::1 ", None), expected);
    }

    #[test]
    fn a_route_becomes_a_table() {
        let expected: Value = map! {
            "host" => Value::from("*.example.com"),
            "prefix" => Value::from("/a=b"),
            "upstream" => Value::from(vec!["10.0.0.1:80", "http://b"]),
        }
        .into();
        let routes = Kind::Routes.value("*.example.com/a=b=10.0.0.1:80,http://b example.com", None);
        assert_eq!(routes, Value::from(vec![expected, "example.com".into()]));
    }
}
