//! The proxies, configured alike: one worker on the core, no access log, idle backend connections kept, and no byte for
//! clients that do not name the host.

use std::{fs, net::SocketAddr, path::Path};

use super::{
    CORE,
    support::{
        harness::{Program, Start},
        nginx,
        tool::{Tool, free_address},
    },
};

/// A name that resolves everywhere, so that load generators can send it as SNI.
pub const HOST: &str = "localhost";

pub const NAMES: [&str; 3] = ["nginx", "haproxy", "pmesh"];

/// A running proxy, stopped on drop.
pub struct Peer {
    process: Run,
    pub http: SocketAddr,
    pub https: SocketAddr,
}

enum Run {
    Tool(Tool),
    Pmesh(Program),
}

impl Peer {
    /// Starts the proxy with this name. `folder` contains `cert.pem` and `key.pem`.
    pub fn start(name: &str, folder: &Path, backend: SocketAddr) -> Self {
        let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let (certificate, key) = (path("cert.pem"), path("key.pem"));
        if name == "pmesh" {
            let program = Start::new()
                .through(&["taskset", "-c", CORE])
                .workers(1)
                .flags(&["--cert", &certificate, "--key", &key, "--route", &format!("{HOST}={backend}")])
                .run();
            let (http, https) = (program.http(), program.https());
            return Self { process: Run::Pmesh(program), http, https };
        }
        let (http, https) = (free_address(), free_address());
        let config = path(&format!("{name}.conf"));
        let command = match name {
            "nginx" => {
                fs::write(&config, nginx_config(folder, http, https, backend)).unwrap();
                ["nginx", "-c", &config]
            }
            "haproxy" => {
                let both = fs::read_to_string(&certificate).unwrap() + &fs::read_to_string(&key).unwrap();
                fs::write(path("both.pem"), both).unwrap();
                fs::write(&config, haproxy_config(folder, http, https, backend)).unwrap();
                ["haproxy", "-f", &config]
            }
            other => panic!("--peers {other}: expected some of {}", NAMES.join(",")),
        };
        let log = folder.join(format!("{name}.log"));
        let tool = Tool::start(Some(CORE), &command, &log, &[http, https]);
        Self { process: Run::Tool(tool), http, https }
    }

    pub fn id(&self) -> u32 {
        match &self.process {
            Run::Tool(tool) => tool.id(),
            Run::Pmesh(program) => program.id(),
        }
    }
}

fn nginx_config(folder: &Path, http: SocketAddr, https: SocketAddr, backend: SocketAddr) -> String {
    let files = folder.display();
    let text = format!(
        "upstream backend {{ server {backend}; keepalive 1024; keepalive_requests 1000000000; }}
    ssl_certificate {files}/cert.pem;
    ssl_certificate_key {files}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:sessions:10m;
    client_max_body_size 0;
    server {{
        listen {http} backlog=4096;
        listen {https} ssl http2 backlog=4096;
        server_name {HOST};
        location / {{
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
    server {{
        listen {http} default_server;
        listen {https} ssl http2 default_server;
        ssl_reject_handshake on;
        return 444;
    }}"
    );
    nginx::around(folder, "nginx", &text)
}

fn haproxy_config(folder: &Path, http: SocketAddr, https: SocketAddr, backend: SocketAddr) -> String {
    format!(
        "global
    maxconn 9000
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 5m
    timeout server 5m
    timeout http-keep-alive 5m
    http-reuse always
frontend clients
    bind {http} backlog 4096
    bind {https} ssl crt {}/both.pem alpn h2,http/1.1 strict-sni backlog 4096
    http-request silent-drop unless {{ req.hdr(host),field(1,:) -i {HOST} }}
    http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
    option forwardfor
    default_backend backends
backend backends
    server one {backend} pool-max-conn -1
",
        folder.display()
    )
}
