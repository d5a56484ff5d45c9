//! The servers of the registry.

use std::{fmt, str::FromStr};

use percent_encoding::percent_decode_str;

use super::endpoint::{HostPort, InvalidEndpoint};
use crate::config::Secret;

/// The port of NATS.
const PORT: u16 = 4222;

/// The servers of the registry, and who asks them. [`Display`](fmt::Display) leaves out the password.
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
    /// Whether TLS is required, from `tls://`, and where they are; at least one.
    pub servers: Vec<(bool, HostPort)>,
    /// Who asks them; `None`: anybody.
    pub login: Option<Login>,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// A user with a password.
    User(String, Secret),
    /// Whoever has the token: a user without a password.
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
                // As the one before.
                None if index > 0 => tls,
                _ => return Err(InvalidRegistry::Scheme),
            };
            // From the right: a password may hold an @ that should have been escaped, and must not end up in an error.
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

/// Undoes the escapes of a URL, `%40` for an `@` (RFC 3986, 2.1).
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

/// Text that names no servers. Its message never shows a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRegistry {
    /// Neither `nats://` nor `tls://`.
    #[error("it starts with neither nats:// nor tls://")]
    Scheme,
    /// A host or a port is none.
    #[error(transparent)]
    Address(#[from] InvalidEndpoint),
    /// Two servers with other users.
    #[error("all servers are asked by the same user; name it at the first")]
    Logins,
    /// A percent sign without two digits.
    #[error("a percent sign in the user or the password is written %25")]
    Escape,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_and_shown_without_the_password() {
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
    fn what_is_wrong_is_told_without_the_password() {
        for (text, expected) in [
            ("", "it starts with neither nats:// nor tls://"),
            ("u:hunter2@a:1", "it starts with neither nats:// nor tls://"),
            ("http://u:hunter2@a", "it starts with neither nats:// nor tls://"),
            ("nats://u:hunter2@", "the host is empty"),
            ("nats://u:hunter2@a:0", "the port is not a number from 1 to 65535"),
            ("nats://u:hunter2@a/x", "'/' is not allowed in a host name"),
            ("nats://u:hunter2@a,nats://u:other@b", "all servers are asked by the same user; name it at the first"),
            ("nats://u:hunter2%+1@a", "a percent sign in the user or the password is written %25"),
            ("nats://u:hunter2%@a", "a percent sign in the user or the password is written %25"),
        ] {
            let error = text.parse::<RegistryServers>().expect_err(text);
            assert_eq!(error.to_string(), expected, "{text}");
        }
    }
}
