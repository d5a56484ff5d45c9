//! Arbitrary bytes as the authority of a request: no panic, and one canonical form.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pmesh_layers::host::{HostName, HostPattern, HostSet, ServedHosts};

fuzz_target!(|authority: &[u8]| {
    if let Ok(text) = std::str::from_utf8(authority) {
        pattern(text);
    }
    let Ok(name) = HostName::from_authority(authority) else { return };
    let text = name.as_str();
    // Parsing the canonical form changes nothing, and neither does upper case, a trailing dot or a port.
    for again in [text.to_owned(), text.to_ascii_uppercase(), format!("{text}:1"), format!("{text}:65535")] {
        assert_eq!(HostName::from_authority(again.as_bytes()).as_ref(), Ok(&name), "{again}");
    }
    if !text.starts_with('[') {
        assert_eq!(HostName::from_authority(format!("{text}.").as_bytes()).as_ref(), Ok(&name));
        assert!(text.len() <= 253 && text.split('.').all(|label| (1..=63).contains(&label.len())), "{text}");
    }
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b':' | b'[' | b']');
    assert!(text.bytes().all(is_allowed), "{text}");
    // Apart from case, the input starts with the name.
    if !text.starts_with('[') {
        assert!(authority[..text.len()].eq_ignore_ascii_case(text.as_bytes()), "{text}");
    }
});

/// A pattern serves every name that it matches, and no other.
fn pattern(text: &str) {
    let Ok(pattern) = text.parse::<HostPattern>() else { return };
    let hosts = HostSet::new([pattern.clone()]);
    match &pattern {
        HostPattern::Exact(name) => assert!(hosts.served(name.as_str()).is_some(), "{name}"),
        HostPattern::Below(parent) => {
            assert!(hosts.served(parent.as_str()).is_none(), "{parent}");
            assert!(hosts.served(&format!("x.{parent}")).is_some(), "{parent}");
            assert!(hosts.served(&format!("x{parent}")).is_none(), "{parent}");
        }
    }
}
