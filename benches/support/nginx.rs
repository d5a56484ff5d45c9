//! nginx as the backend: it responds from memory, at a lower cost than any proxy that is measured.

use std::{fs, net::SocketAddr, path::Path};

use super::tool::{Tool, free_address};

/// The response body of `/small`.
pub const SMALL: &str = "hello from the backend: a body of about a hundred bytes, as small answers of an API have it\n";

/// Size of the response body of `/large`.
pub const LARGE: usize = 1_000_000;

pub struct Nginx {
    pub address: SocketAddr,
    _process: Tool,
}

impl Nginx {
    /// Starts nginx on these cores with one worker. `folder` is for its files, and must be accessible to it.
    pub fn start(core: Option<&str>, folder: &Path) -> Self {
        let address = free_address();
        // Incompressible bytes, from a small generator (Knuth's MMIX).
        let next = |seed: &u64| Some(seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        let bytes: Vec<u8> =
            std::iter::successors(Some(1), next).map(|seed| seed.to_be_bytes()[0]).take(LARGE).collect();
        fs::write(folder.join("large"), bytes).unwrap();
        let config = folder.join("backend.conf");
        fs::write(&config, text(folder, address)).unwrap();
        let command = ["nginx", "-c", config.to_str().unwrap()];
        let process = Tool::start(core, &command, &folder.join("backend.log"), &[address]);
        Self { address, _process: process }
    }
}

fn text(folder: &Path, address: SocketAddr) -> String {
    let body = SMALL.trim_end();
    let served = format!(
        "listen {address} backlog=4096;
        location = /small {{ default_type text/plain; return 200 '{body}\\n'; }}
        location / {{ root {}; }}",
        folder.display()
    );
    around(folder, "backend", &format!("sendfile on;\n    server {{\n        {served}\n    }}"))
}

/// Common to all configurations: one worker process, no access log, keep-alive.
pub fn around(folder: &Path, name: &str, http: &str) -> String {
    let folder = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("    {kind}_temp_path {folder}/{name}-{kind};\n"))
        .concat();
    format!(
        "daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/{name}.pid;
error_log {folder}/{name}.err;
events {{ worker_connections 19000; multi_accept on; }}
http {{
    access_log off;
    keepalive_timeout 5m;
    keepalive_requests 1000000000;
{temporary}    {http}
}}
"
    )
}
