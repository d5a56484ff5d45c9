//! Asks Linux which socket accepts connections to an address (sock_diag(7)), in microseconds, however many there are.

use std::{
    net::{IpAddr, SocketAddr},
    os::fd::AsRawFd,
};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

/// A socket that listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listening {
    /// The user who made it.
    pub(super) uid: u32,
    /// Its inode.
    pub(super) inode: u32,
}

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const REQUEST_LENGTH: u32 = 72;
/// Where the user and the inode are in a response, after its header, four bytes, the addresses and three counters.
const UID: usize = 80;
const INODE: usize = 84;

/// The socket that accepts connections to an IPv4 address. `None` if there is none, or if this is not known.
pub(super) fn listening(address: SocketAddr) -> Option<Listening> {
    let IpAddr::V4(ip) = address.ip() else { return None };
    let (kind, flags) = (SockType::Raw, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK);
    let diag = socket(AddressFamily::Netlink, kind, flags, SockProtocol::NetlinkSockDiag).ok()?;
    send(diag.as_raw_fd(), &request(ip.octets(), address.port()), MsgFlags::empty()).ok()?;
    let mut response = [0; 256];
    // The kernel has answered before `send` returns.
    let length = recv(diag.as_raw_fd(), &mut response, MsgFlags::empty()).ok()?;
    parse(response.get(..length)?)
}

/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
fn request(ip: [u8; 4], port: u16) -> Vec<u8> {
    const IS_REQUEST: u16 = 1;
    const IPV4: u8 = 2;
    const TCP: u8 = 6;
    const LISTEN: u32 = 1 << 10;
    const ANY_COOKIE: u32 = u32::MAX;

    let mut request = Vec::new();
    request.extend(REQUEST_LENGTH.to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(IS_REQUEST.to_ne_bytes());
    // Sequence number, port of the sender.
    request.extend([0; 8]);
    request.extend([IPV4, TCP, 0, 0]);
    request.extend(LISTEN.to_ne_bytes());
    request.extend(port.to_be_bytes());
    // The port of the other side.
    request.extend([0; 2]);
    request.extend(ip);
    // The rest of an IPv6 address, the address of the other side, the interface.
    request.extend([0; 12 + 16 + 4]);
    request.extend(ANY_COOKIE.to_ne_bytes());
    request.extend(ANY_COOKIE.to_ne_bytes());
    request
}

/// `struct nlmsghdr` and `struct inet_diag_msg`.
fn parse(response: &[u8]) -> Option<Listening> {
    let number = |at: usize| Some(u32::from_ne_bytes(*response.get(at..)?.first_chunk()?));
    let kind = u16::from_ne_bytes(*response.get(4..)?.first_chunk()?);
    (kind == SOCK_DIAG_BY_FAMILY).then_some(Listening { uid: number(UID)?, inode: number(INODE)? })
}

#[cfg(test)]
mod tests {
    use std::{fs, net::TcpListener, os::fd::AsFd};

    use nix::unistd::Uid;

    use super::*;

    #[test]
    fn the_socket_of_a_listener_is_found() {
        assert_eq!(request([127, 0, 0, 1], 80).len(), usize::try_from(REQUEST_LENGTH).unwrap());
        for all in ["127.9.8.7:0", "0.0.0.0:0", "[::]:0"] {
            let listener = TcpListener::bind(all).unwrap();
            let address = SocketAddr::from(([127, 9, 8, 7], listener.local_addr().unwrap().port()));
            let link = fs::read_link(format!("/proc/self/fd/{}", listener.as_fd().as_raw_fd())).unwrap();
            let found = listening(address).unwrap();
            assert_eq!(link.to_str().unwrap(), format!("socket:[{}]", found.inode), "{all}");
            assert_eq!(found.uid, Uid::effective().as_raw());
            drop(listener);
            assert_eq!(listening(address), None);
        }
    }

    #[test]
    fn other_responses_are_ignored() {
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&[0; 100]), None);
        let mut short = vec![0; UID];
        short[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        assert_eq!(parse(&short), None);
    }
}
