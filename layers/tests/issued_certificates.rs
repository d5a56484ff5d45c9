//! Issued certificates, checked by the software that has to accept them: rustls, webpki and OpenSSL.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{Read, Write},
    ops::DerefMut,
    path::Path,
    process::{Command, Output},
    sync::Arc,
    time::{Duration, SystemTime},
};

use pmesh_layers::identity::{Authority, Issued, LIFETIME};
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, RootCertStore, ServerConfig, ServerConnection,
    crypto::aws_lc_rs,
    pki_types::{ServerName, UnixTime},
};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// The name on the certificate, a host that it is valid for, and a host that it is not valid for.
const CASES: [(&str, &str, &str); 5] = [
    ("app.example.com", "app.example.com", "other.example.com"),
    ("localhost", "localhost", "a.localhost"),
    ("*.example.com", "app.example.com", "example.com"),
    ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
    ("[2001:db8::1]", "2001:db8::1", "2001:db8::2"),
];

fn authority() -> Authority {
    Authority::derive(&"5e".repeat(32).parse().unwrap(), "example").unwrap()
}

fn issue(authority: &Authority, name: &str) -> Issued {
    authority.issue(&name.parse().unwrap(), SystemTime::now()).unwrap()
}

#[test]
fn webpki_accepts_certificates_while_they_are_valid() {
    let authority = authority();
    let anchors = [anchor_from_trusted_cert(authority.certificate_der()).unwrap()];
    for (name, served, unserved) in CASES {
        let issued = issue(&authority, name);
        let certificate = EndEntityCert::try_from(&issued.chain[0]).unwrap();
        let verify = |at: SystemTime| {
            let since_1970 = at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
            certificate
                .verify_for_usage(
                    webpki::ALL_VERIFICATION_ALGS,
                    &anchors,
                    &[],
                    UnixTime::since_unix_epoch(since_1970),
                    KeyUsage::server_auth(),
                    None,
                    None,
                )
                .map(drop)
        };
        let second = Duration::from_secs(1);
        assert_eq!(verify(issued.not_before), Ok(()), "{name}");
        assert_eq!(verify(issued.not_after), Ok(()), "{name}");
        assert!(verify(issued.not_before - second).is_err(), "{name}");
        assert!(verify(issued.not_after + second).is_err(), "{name}");
        assert!(issued.not_after <= SystemTime::now() + LIFETIME);

        let valid_for = |name| certificate.verify_is_valid_for_subject_name(&ServerName::try_from(name).unwrap());
        assert!(valid_for(served).is_ok(), "{name}");
        assert!(valid_for(unserved).is_err(), "{name}");
    }
}

#[test]
fn handshakes_succeed_with_clients_that_trust_the_authority() {
    let authority = authority();
    for (name, served, unserved) in CASES {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let issued = issue(&authority, name);
            let provider = Arc::new(aws_lc_rs::default_provider());
            let server = ServerConfig::builder_with_provider(provider.clone())
                .with_protocol_versions(&[version])
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(issued.chain, issued.key)
                .unwrap();
            let mut roots = RootCertStore::empty();
            roots.add(authority.certificate_der().clone()).unwrap();
            let client = ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&[version])
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            let (server, client) = (Arc::new(server), Arc::new(client));
            assert_eq!(handshake(&server, &client, served), Ok(()), "{name}");
            assert!(handshake(&server, &client, unserved).is_err(), "{name}");
        }
    }
}

#[test]
fn openssl_accepts_certificates() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: there is no openssl on PATH");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let authority = authority();
    std::fs::write(folder.path().join("ca.pem"), authority.certificate_pem()).unwrap();
    for (name, served, unserved) in CASES {
        std::fs::write(folder.path().join("leaf.der"), &issue(&authority, name).chain[0]).unwrap();
        openssl(folder.path(), &["x509", "-inform", "DER", "-in", "leaf.der", "-out", "leaf.pem"]);
        let check = if served.parse::<std::net::IpAddr>().is_ok() { "-verify_ip" } else { "-verify_hostname" };
        let verify = |host| {
            let arguments =
                ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem", check, host, "leaf.pem"];
            openssl(folder.path(), &arguments)
        };
        let accepted = verify(served);
        assert!(accepted.status.success(), "{name}: {accepted:?}");
        assert!(!verify(unserved).status.success(), "{name}");
    }
}

fn openssl(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("openssl").args(arguments).current_dir(folder).output().unwrap()
}

/// A handshake and a byte each way, through memory.
fn handshake(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>, name: &'static str) -> Result<(), rustls::Error> {
    let mut server = ServerConnection::new(server.clone())?;
    let mut client = ClientConnection::new(client.clone(), ServerName::try_from(name).unwrap())?;
    client.writer().write_all(b"?").unwrap();
    server.writer().write_all(b"!").unwrap();
    while client.wants_write() || server.wants_write() {
        carry(&mut client, &mut server)?;
        carry(&mut server, &mut client)?;
    }
    let mut byte = [0];
    server.reader().read_exact(&mut byte).unwrap();
    client.reader().read_exact(&mut byte).unwrap();
    Ok(())
}

fn carry<A, B>(
    from: &mut impl DerefMut<Target = ConnectionCommon<A>>,
    to: &mut impl DerefMut<Target = ConnectionCommon<B>>,
) -> Result<(), rustls::Error> {
    let mut pipe = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut pipe).unwrap();
    }
    let mut rest = &pipe[..];
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}
