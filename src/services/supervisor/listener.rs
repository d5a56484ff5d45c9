//! Which program listens at the address of an instance, according to Linux.
//!
//! A program that listens on all addresses answers at every address, so a connection to the address of an instance can be
//! accepted by another program.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::Path,
};

use crate::processes::table::{ProcessEntry, processes};

/// Which program accepts connections to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listener {
    /// One that listens at exactly this address, as far as is known.
    There,
    /// The program of this session, on all addresses.
    Everywhere,
    /// Another program, on all addresses.
    Another,
    /// A program of this other user.
    Stranger(u32),
}

/// Whether a program may listen on this port of all addresses. Takes microseconds, where [`listener`] takes milliseconds.
pub(super) fn is_port_taken(port: u16) -> bool {
    // No instance has such an address. If another test has just bound it, the answer is wrong, but safe.
    let [first, second] = rand::random::<[u8; 2]>();
    let bound = TcpListener::bind((Ipv4Addr::new(127, 255, first, second.clamp(1, 254)), port));
    // Not everyone may bind a port below 1024.
    bound.is_err_and(|error| matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied))
}

/// Whether a process of this session has the socket with this inode.
pub(super) fn is_of_session(inode: u32, session: u32) -> bool {
    let name = [format!("socket:[{inode}]")];
    let session = i32::try_from(session).unwrap_or(-1);
    processes().values().any(|process| process.session == session && has_socket(process.pid, &name))
}

/// Finds out which program accepts connections to `address`. `session` is the process id of the one that should.
pub(super) fn listener(address: SocketAddr, session: u32) -> Listener {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    let sockets: Vec<_> = tables.iter().flat_map(|table| table.lines()).filter_map(listening).collect();
    let inodes: Vec<_> =
        sockets.iter().filter(|(ip, port, _)| *port == address.port() && ip.is_unspecified()).collect();
    if inodes.is_empty() || sockets.iter().any(|(ip, port, _)| *port == address.port() && *ip == address.ip()) {
        return Listener::There;
    }
    let names: Vec<_> = inodes.iter().map(|(.., inode)| format!("socket:[{inode}]")).collect();
    let session = i32::try_from(session).unwrap_or(-1);
    let processes = processes();
    let has_one = |process: &ProcessEntry| has_socket(process.pid, &names);
    if processes.values().any(|process| process.session == session && has_one(process)) {
        Listener::Everywhere
    } else {
        Listener::Another
    }
}

fn has_socket(pid: i32, names: &[String]) -> bool {
    let descriptors = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fd"));
    let mut links = descriptors.into_iter().flatten().flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    links.any(|link| link.to_str().is_some_and(|link| names.iter().any(|name| name == link)))
}

/// The address, port and inode of a socket that listens, from a line of `/proc/net/tcp` or `/proc/net/tcp6`.
fn listening(line: &str) -> Option<(IpAddr, u16, u64)> {
    const LISTEN: &str = "0A";
    let fields: Vec<_> = line.split_ascii_whitespace().collect();
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let (ip, port) = fields.get(1)?.split_once(':')?;
    Some((ip_address(ip)?, u16::from_str_radix(port, 16).ok()?, fields.get(9)?.parse().ok()?))
}

/// Parses an address that Linux writes as words of four bytes in the order of the processor.
fn ip_address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let bytes = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            let address = Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?);
            Some(IpAddr::V6(address).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::process;

    use nix::unistd::getsid;

    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_recognized() {
        let session = u32::try_from(getsid(None).unwrap().as_raw()).unwrap();
        let own = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(listener(own.local_addr().unwrap(), session), Listener::There);
        assert!(!is_port_taken(own.local_addr().unwrap().port()));
        for all in ["0.0.0.0:0", "[::]:0"] {
            let all = TcpListener::bind(all).unwrap();
            let address = SocketAddr::from((Ipv4Addr::new(127, 9, 9, 9), all.local_addr().unwrap().port()));
            assert!(is_port_taken(address.port()));
            assert_eq!(listener(address, session), Listener::Everywhere);
            assert_eq!(listener(address, process::id() + 100_000_000), Listener::Another);
        }
    }

    #[test]
    fn lines_of_the_kernel_are_parsed() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
        assert_eq!(listening(head), None);
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 4242 1 0 100";
        if cfg!(target_endian = "little") {
            assert_eq!(listening(line), Some(("127.0.0.1".parse().unwrap(), 8080, 4242)));
            assert_eq!(ip_address("0000000000000000FFFF00000100007F"), Some("127.0.0.1".parse().unwrap()));
        }
        assert_eq!(listening(&line.replace(" 0A ", " 01 ")), None);
    }
}
