//! The servers of the registry.

use std::{fmt, str::FromStr};

use percent_encoding::percent_decode_str;

use super::endpoint::{HostPort, InvalidEndpoint};
use crate::config::Secret;

/// The default port of NATS.
const PORT: u16 = 4222;

/// The servers of the registry, and the login for them. [`Display`](fmt::Display) leaves out the password.
///
/// ```
/// use pmesh::settings::RegistryServers;
///
/// let servers: RegistryServers = "nats://pmesh:hunter2@10.0.0.1,10.0.0.2:4223".parse()?;
/// assert_eq!(servers.to_string(), "nats://pmesh:***@10.0.0.1:4222,nats://10.0.0.2:4223");
/// # Ok::<(), pmesh::settings::InvalidRegistry>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryServers {
    /// Whether TLS is required (`tls://`), and the address. There is at least one server.
    pub servers: Vec<(bool, HostPort)>,
    /// The login for all servers; `None`: anonymous.
    pub login: Option<Login>,
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// A user with a password.
    User(String, Secret),
    /// A token, written as a user without a password.
    Token(Secret),
}

impl FromStr for RegistryServers {
    type Err = InvalidRegistry;

    fn from_str(text: &str) -> Result<Self, InvalidRegistry> {
        let mut servers = Vec::new();
        let mut login = None;
        let mut tls = false;
        for (index, server) in text.split(',').map(str::trim).enumerate() {
            let (scheme, rest) = server.split_once("://").map_or((None, server), |(scheme, rest)| (Some(scheme), rest));
            tls = match scheme {
                Some("nats") => false,
                Some("tls") => true,
                // Like the server before it.
                None if index > 0 => tls,
                _ => return Err(InvalidRegistry::Scheme),
            };
            // From the right: a password may contain an @ that should have been escaped, and must not appear in an
            // error.
            let (user, address) = rest.rsplit_once('@').map_or((None, rest), |(user, address)| (Some(user), address));
            if let Some(user) = user {
                let own = Login::parse(user)?;
                if login.get_or_insert_with(|| own.clone()) != &own {
                    return Err(InvalidRegistry::Logins);
                }
            }
            let address = address.strip_suffix('/').unwrap_or(address);
            servers.push((tls, HostPort::with_default_port(address, PORT)?));
        }
        Ok(Self { servers, login })
    }
}

impl Login {
    fn parse(text: &str) -> Result<Self, InvalidRegistry> {
        Ok(match text.split_once(':') {
            Some((user, password)) => Self::User(decode(user)?, decode(password)?.into()),
            None => Self::Token(decode(text)?.into()),
        })
    }
}

/// Decodes percent-encoding, such as `%40` for `@` (RFC 3986, 2.1).
fn decode(text: &str) -> Result<String, InvalidRegistry> {
    let is_escape = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !text.split('%').skip(1).all(is_escape) {
        return Err(InvalidRegistry::Escape);
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| InvalidRegistry::Escape)?;
    Ok(decoded.into_owned())
}

impl fmt::Display for RegistryServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (tls, address)) in self.servers.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let scheme = if *tls { "tls" } else { "nats" };
            write!(f, "{comma}{scheme}://")?;
            match &self.login {
                Some(Login::User(user, _)) if index == 0 => write!(f, "{user}:***@")?,
                Some(Login::Token(_)) if index == 0 => f.write_str("***@")?,
                _ => {}
            }
            address.fmt(f)?;
        }
        Ok(())
    }
}

/// Why text is not a list of servers. The message never shows a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRegistry {
    /// There is neither `nats://` nor `tls://`.
    #[error("it must start with nats:// or tls://")]
    Scheme,
    /// A host or a port is invalid.
    #[error(transparent)]
    Address(#[from] InvalidEndpoint),
    /// Two servers have different logins.
    #[error("all servers share one login; write it once, for the first server")]
    Logins,
    /// A percent sign is not followed by two hexadecimal digits, or the result is not UTF-8.
    #[error("a percent sign in the user or the password must be written as %25")]
    Escape,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_parsed_and_shown_without_the_password() {
        for (text, expected) in [
            ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
            ("tls://nats.example/", "tls://nats.example:4222"),
            ("nats://a, nats://b:1", "nats://a:4222,nats://b:1"),
            ("tls://[::1],b", "tls://[::1]:4222,tls://b:4222"),
            ("nats://u:hunter2@a", "nats://u:***@a:4222"),
            ("nats://u:hunter2@a,nats://u:hunter2@b", "nats://u:***@a:4222,nats://b:4222"),
            ("nats://hunter2@a", "nats://***@a:4222"),
        ] {
            let servers: RegistryServers = text.parse().expect(text);
            assert_eq!(servers.to_string(), expected);
            assert!(!format!("{servers:?}").contains("hunter2"), "{servers:?}");
        }
        let escaped: RegistryServers = "nats://u%40x:p%3A%2f%25@a".parse().expect("valid");
        assert_eq!(escaped.login, Some(Login::User("u@x".into(), Secret::from("p:/%".to_owned()))));
    }

    #[test]
    fn errors_do_not_show_the_password() {
        for (text, expected) in [
            ("", "it must start with nats:// or tls://"),
            ("u:hunter2@a:1", "it must start with nats:// or tls://"),
            ("http://u:hunter2@a", "it must start with nats:// or tls://"),
            ("nats://u:hunter2@", "the host is empty"),
            ("nats://u:hunter2@a:0", "the port is not a number from 1 to 65535"),
            ("nats://u:hunter2@a/x", "'/' is not allowed in a host name"),
            ("nats://u:hunter2@a,nats://u:other@b", "all servers share one login; write it once, for the first server"),
            ("nats://u:hunter2%+1@a", "a percent sign in the user or the password must be written as %25"),
            ("nats://u:hunter2%@a", "a percent sign in the user or the password must be written as %25"),
        ] {
            let error = text.parse::<RegistryServers>().expect_err(text);
            assert_eq!(error.to_string(), expected, "{text}");
        }
    }
}
