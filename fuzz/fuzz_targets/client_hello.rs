//! Arbitrary bytes as a ClientHello: no panic, and no byte in return unless they name a served host.
//!
//! The first byte of the input decides how the rest is split.

#![no_main]

use std::{
    cell::Cell,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use libfuzzer_sys::fuzz_target;
use pmesh_layers::{
    host::HostName,
    identity::{Authority, Secret},
    sni::SniAcceptor,
};
use rustls::{ServerConfig, crypto::aws_lc_rs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The name in the seeds.
const SERVED: &str = "a.test";

fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_first() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(offer(usize::from(*cut).max(1), bytes));
});

async fn offer(piece: usize, bytes: &[u8]) {
    let approved = Cell::new(false);
    let policy = |name: &HostName| {
        assert_eq!(HostName::from_authority(name.as_str().as_bytes()).as_ref(), Ok(name));
        approved.set(name.as_str() == SERVED);
        approved.get().then(config)
    };
    let (mut client, server) = tokio::io::duplex(64 * 1024);
    let acceptor = SniAcceptor::new(policy);
    let accept = acceptor.accept(server, Duration::from_secs(10));
    let send = async {
        for piece in bytes.chunks(piece) {
            // Fails once the acceptor has rejected the client.
            if client.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let _ = client.shutdown().await;
    };
    let (accepted, ()) = tokio::join!(accept, send);
    drop(accepted);
    let mut written = Vec::new();
    let _ = client.read_to_end(&mut written).await;
    assert!(approved.get() || written.is_empty(), "{} bytes were written", written.len());
}

fn config() -> Arc<ServerConfig> {
    static CONFIG: OnceLock<Arc<ServerConfig>> = OnceLock::new();
    let make = || {
        let authority = Authority::derive(&Secret::generate().unwrap(), "example").unwrap();
        let issued = authority.issue(&SERVED.parse().unwrap(), SystemTime::now()).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        Arc::new(builder.with_single_cert(issued.chain, issued.key).unwrap())
    };
    Arc::clone(CONFIG.get_or_init(make))
}
