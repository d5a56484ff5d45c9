//! The TLS acceptor alone, for a protocol that is not HTTP: an echo for clients that name a served host.
//!
//! ```sh
//! cargo run --example sni_only             # or: -- PORT
//!
//! # What you type comes back.
//! openssl s_client -quiet -connect 127.0.0.1:8443 -servername echo.example
//! # Closed without a byte: no name, another name, no TLS.
//! openssl s_client -connect 127.0.0.1:8443 -noservername            # SSL handshake has read 0 bytes
//! openssl s_client -connect 127.0.0.1:8443 -servername other.example  # the same
//! curl http://127.0.0.1:8443/                                       # curl: (52) Empty reply from server
//! ```

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use pmesh_layers::{
    host::HostPattern,
    identity::{Authority, Secret},
    silence,
    sni::{SniAcceptor, SniPolicy},
};
use rustls::ServerConfig;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};
use tower::BoxError;

/// Maximum time for a handshake.
const DEADLINE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let port = std::env::args().nth(1).map_or(Ok(8443), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);

    let served: HostPattern = "echo.example".parse()?;
    let issued = Authority::derive(&Secret::generate()?, "example")?.issue(&served, SystemTime::now())?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(issued.chain, issued.key)?;
    let config = Arc::new(config);

    let acceptor = Arc::new(SniAcceptor::new(move |name: &_| served.matches(name).then(|| Arc::clone(&config))));
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(Arc::clone(&acceptor), stream));
    }
}

async fn serve(acceptor: Arc<SniAcceptor<impl SniPolicy>>, stream: TcpStream) {
    match acceptor.accept(stream, DEADLINE).await {
        Ok((stream, _name)) => {
            let (mut input, mut output) = tokio::io::split(stream);
            // It does not matter here if the client closes early.
            let _ = tokio::io::copy(&mut input, &mut output).await;
            let _ = output.shutdown().await;
        }
        // Closes with a FIN and nothing else: no alert, and no RST even if input is unread.
        Err(rejected) => {
            silence::close(rejected.io).await;
        }
    }
}
