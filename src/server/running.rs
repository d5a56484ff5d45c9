//! What a running node leaves in its home, so that the commands of the same home find it.

use std::{
    fs,
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    process,
};

use serde::{Deserialize, Serialize};

/// The name of the file in the home folder.
const FILE: &str = "node.json";

/// A node that runs, or did: nobody takes the file away after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Its process.
    pub pid: u32,
    /// Its name.
    pub node: String,
    /// Where its internal port is reached from this machine.
    pub internal: SocketAddr,
}

impl Running {
    /// This process.
    pub fn this(node: &str, internal: SocketAddr) -> Self {
        let ip = match internal.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        Self { pid: process::id(), node: node.to_owned(), internal: SocketAddr::new(ip, internal.port()) }
    }

    /// The one of a home; `None` where there is none.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or holds something else.
    pub fn of(home: &Path) -> io::Result<Option<Self>> {
        match fs::read(home.join(FILE)) {
            Ok(json) => Ok(Some(serde_json::from_slice(&json)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes it to a home, which is there, for its owner alone; it is there as a whole or not at all.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(self, home: &Path) -> io::Result<Left> {
        let mut file = tempfile::Builder::new().prefix(".node-").suffix(".tmp").tempfile_in(home)?;
        serde_json::to_writer(&mut file, &self)?;
        file.write_all(b"\n")?;
        file.persist(home.join(FILE)).map_err(|error| error.error)?;
        Ok(Left { running: self, home: home.to_owned() })
    }
}

/// The file of this process, which is taken away when this is dropped.
#[derive(Debug)]
pub struct Left {
    running: Running,
    home: PathBuf,
}

impl Drop for Left {
    fn drop(&mut self) {
        // Unless another node has taken its place in the same home.
        if Running::of(&self.home).ok().flatten().as_ref() == Some(&self.running) {
            let _ = fs::remove_file(self.home.join(FILE));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_file_is_there_as_long_as_the_node_is() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(Running::of(home.path()).unwrap(), None);
        let one = Running::this("a", "0.0.0.0:1".parse().unwrap());
        assert_eq!(one.internal.to_string(), "127.0.0.1:1");
        let left = one.clone().write(home.path()).unwrap();
        assert_eq!(Running::of(home.path()).unwrap(), Some(one));
        assert_eq!(fs::metadata(home.path().join(FILE)).unwrap().permissions().mode() & 0o7777, 0o600);

        let other = Running::this("b", "[::]:1".parse().unwrap());
        assert_eq!(other.internal.to_string(), "[::1]:1");
        let next = other.clone().write(home.path()).unwrap();
        drop(left);
        assert_eq!(Running::of(home.path()).unwrap(), Some(other));
        drop(next);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(FILE), "{").unwrap();
        assert!(Running::of(home.path()).is_err());
    }
}
