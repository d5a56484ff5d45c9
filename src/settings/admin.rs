//! The `admin` setting: where the admin API listens.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use figment::value::Value;

use crate::config::{Merged, Parse, Problems, Reason, text};

/// The name of the socket in the home folder.
const FILE: &str = "admin.sock";

/// The maximum length of a socket's path in bytes (unix(7)).
const MAX_PATH_LEN: usize = 107;

/// Where a node listens for commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admin {
    /// Nowhere.
    Off,
    /// On this Unix socket.
    Unix(PathBuf),
    /// On this loopback address, which every user of the machine can reach.
    Tcp(SocketAddr),
}

impl fmt::Display for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

impl Admin {
    /// Whether this is the socket in the home folder, which is the default.
    pub fn is_in_home(&self, home: &Path) -> bool {
        matches!(self, Self::Unix(path) if *path == home.join(FILE))
    }

    /// `home` is empty, or begins with `~`, if the home folder is not known.
    pub(super) fn read(merged: &Merged, home: &Path, problems: &mut Problems) -> Self {
        let Some(node) = merged.node("admin") else { return Self::Off };
        match node.read(problems) {
            Some(Written::Elsewhere(admin)) => admin,
            Some(Written::InHome) if !is_known(home) => {
                if !node.is_default() {
                    problems.push(node.problem(
                        "there is no home folder for the socket: set PMESH_HOME or --home, or write unix:PATH",
                    ));
                }
                Self::Off
            }
            Some(Written::InHome) => Self::Unix(home.join(FILE)),
            None => Self::Off,
        }
    }
}

/// Whether `home` is a path, and not a `~` that could not be expanded.
fn is_known(home: &Path) -> bool {
    !home.as_os_str().is_empty() && !home.starts_with("~")
}

enum Written {
    InHome,
    Elsewhere(Admin),
}

impl Parse for Written {
    const EXPECTED: &'static str = "unix, unix:PATH, a loopback address with its port such as 127.0.0.1:9901, or off";

    fn parse(value: &Value) -> Result<Self, Reason> {
        if let Some(port) = value.to_u128().and_then(|port| u16::try_from(port).ok()) {
            return Err(Some(format!("write \"127.0.0.1:{port}\"")));
        }
        let text = text(value)?;
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self::Elsewhere(Admin::Off));
        }
        if text.eq_ignore_ascii_case("unix") {
            return Ok(Self::InHome);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return unix(path).map(|path| Self::Elsewhere(Admin::Unix(path)));
        }
        tcp(text).map(|address| Self::Elsewhere(Admin::Tcp(address)))
    }
}

fn unix(path: &str) -> Result<PathBuf, Reason> {
    let path = PathBuf::parse(&path.into())?;
    let length = path.as_os_str().len();
    if length > MAX_PATH_LEN {
        return Err(Some(format!("the path has {length} bytes, but a socket's path can have at most {MAX_PATH_LEN}")));
    }
    Ok(path)
}

fn tcp(text: &str) -> Result<SocketAddr, Reason> {
    let Ok(address) = text.parse::<SocketAddr>() else {
        let instead = |ip: IpAddr, port: &str| {
            let port: u16 = port.parse().ok()?;
            Some(format!("write {}", SocketAddr::new(ip, port)))
        };
        return Err(match text.rsplit_once(':') {
            Some(("localhost" | "", port)) => instead(Ipv4Addr::LOCALHOST.into(), port),
            None if text.starts_with(['/', '.', '~']) => Some(format!("write unix:{text}")),
            None => instead(Ipv4Addr::LOCALHOST.into(), text),
            Some(_) => None,
        });
    };
    if !address.ip().to_canonical().is_loopback() {
        let loopback = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port());
        return Err(Some(format!(
            "the admin API has no password, so it only listens on loopback: write {loopback}, and reach it from other \
             machines through SSH"
        )));
    }
    if address.port() == 0 {
        Err(Some("commands would not know the port: write a fixed one".to_owned()))
    } else {
        Ok(address)
    }
}
