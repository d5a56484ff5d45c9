//! The canonical form of a host, for arbitrary bytes.

use pmesh_layers::host::HostName;
use proptest::prelude::*;

/// Text that is likely to be a host, and text that is likely to invalidate it.
fn near_host() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        6 => "[a-zA-Z0-9_-]{1,4}",
        3 => Just(".".to_owned()),
        1 => "[a-z]{62,65}",
        1 => ":[0-9]{0,6}",
        1 => Just("[::1]".to_owned()),
        1 => "[@/,*% \t\\[\\]:?#é]",
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_a_canonical_host_or_none(
        bytes in prop_oneof![near_host(), prop::collection::vec(any::<u8>(), 0..300)],
    ) {
        if let Ok(name) = HostName::from_authority(&bytes) {
            let text = name.as_str();
            let alphabet = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
            let address = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            prop_assert!(
                address.map_or_else(|| text.bytes().all(alphabet), |ip| ip.parse::<std::net::Ipv6Addr>().is_ok()),
                "{text}"
            );
            prop_assert!(!text.is_empty() && text.len() <= 253 && !text.starts_with('.') && !text.ends_with('.'));
            // Parsing it again changes nothing, and the other parser agrees.
            prop_assert_eq!(HostName::from_authority(text.as_bytes()), Ok(name.clone()));
            prop_assert_eq!(text.parse(), Ok(name));
        }
    }

    #[test]
    fn case_dot_and_port_make_no_difference(
        labels in prop::collection::vec("[a-z0-9_-]{1,63}", 1..4),
        upper in any::<bool>(),
        dot in any::<bool>(),
        port in prop::option::of(1..=u16::MAX),
    ) {
        let name = labels.join(".");
        let mut written = if upper { name.to_uppercase() } else { name.clone() };
        written.extend(dot.then_some('.'));
        written.extend(port.map(|port| format!(":{port}")));
        let read = HostName::from_authority(written.as_bytes()).unwrap();
        prop_assert_eq!(read.as_str(), name);
    }
}
