//! The validated values of settings.

use std::time::Duration;

use pmesh::settings::{AcceptedCertificates, Admin, H2c, Listener, LogFormat, Port, summary};
use pmesh_layers::forwarded::ProxyHeaders;

use crate::Start;

#[test]
fn values_are_typed() {
    let settings = Start::new()
        .flags(&["--http", "0", "--https", "off", "--http-h2c", "silent", "--log-format", "json", "--workers", "3"])
        .flags(&["--bind", "::1", "--connect-timeout", "1m 30s", "--trusted-proxies", "10.0.0.0/8, 10.0.0.1"])
        .flags(&[
            "--subnet-dialer",
            "127.5.6.7/16",
            "--trusted-proxy-headers",
            "Forwarded",
            "--access-log",
            "--body-min-rate",
            "off",
        ])
        .loaded()
        .settings;
    assert_eq!((settings.http, settings.https, settings.internal), (Port::Number(0), Port::Off, Port::Number(8443)));
    assert_eq!(
        settings.listeners(),
        [(Listener::Http, "[::1]:0".parse().unwrap()), (Listener::Internal, "[::1]:8443".parse().unwrap())]
    );
    assert_eq!(settings.http_h2c, H2c::Silent);
    assert_eq!(settings.log_format, LogFormat::Json);
    assert_eq!(settings.trusted_proxy_headers, ProxyHeaders::Forwarded);
    assert_eq!(settings.connect_timeout, Duration::from_secs(90));
    assert_eq!(settings.pool_max_age, Some(Duration::from_secs(300)));
    assert_eq!(
        settings.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["10.0.0.0/8", "10.0.0.1/32"]
    );
    assert_eq!(settings.subnet_dialer.to_string(), "127.5.0.0/16");
    assert_eq!(settings.workers, 3);
    assert!(settings.access_log);
    assert_eq!(settings.body_min_rate, 0);
}

#[test]
fn bind_accepts_several_addresses() {
    let bind = |start: Start| start.loaded().settings.bind.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(bind(Start::new()), ["0.0.0.0"]);
    assert_eq!(bind(Start::new().flags(&["--bind", "127.0.0.1, ::1"])), ["127.0.0.1", "::1"]);
    assert_eq!(bind(Start::new().variable("PMESH_BIND", "10.0.0.2 10.0.0.1")), ["10.0.0.2", "10.0.0.1"]);
    assert_eq!(bind(Start::new().file("bind = [\"::\"]")), ["::"]);
    let start = Start::new().flags(&["--bind", "127.0.0.1,::1", "--https", "0", "--internal", "off"]);
    let settings = start.loaded().settings;
    let listeners =
        settings.listeners().into_iter().map(|(listener, address)| format!("{} {address}", listener.name()));
    assert_eq!(
        listeners.collect::<Vec<_>>(),
        ["http 127.0.0.1:80", "http [::1]:80", "https 127.0.0.1:0", "https [::1]:0"]
    );
    assert_eq!(
        summary(&settings),
        "http      127.0.0.1:80, [::1]:80\nhttps     127.0.0.1, ::1, a port the kernel picks\ninternal  off\n"
    );
    let advertised = |bind| {
        let settings = Start::new().flags(&["--bind", bind]).loaded().settings;
        settings.advertised().map(|address| address.to_string())
    };
    assert_eq!(advertised("127.0.0.1,10.0.0.1,10.0.0.2"), Some("10.0.0.1:8443".into()));
    assert_eq!(advertised("0.0.0.0,::1"), Some("[::1]:8443".into()));
}

#[test]
fn admin_accepts_sockets_and_loopback_addresses() {
    let admin = |start: Start| {
        let admin = start.loaded().settings.admin;
        start.without_folder(&admin.to_string())
    };
    assert_eq!(admin(Start::new()), "unix:[DIR]/.pmesh/admin.sock");
    assert_eq!(admin(Start::new().flags(&["--home", "/h", "--admin", "Unix"])), "unix:/h/admin.sock");
    assert_eq!(admin(Start::new().variable("PMESH_ADMIN", "unix:~/a.sock")), "unix:[DIR]/a.sock");
    assert_eq!(admin(Start::new().file("admin = \"unix:a.sock\"")), "unix:[DIR]/a.sock");
    assert_eq!(admin(Start::new().flags(&["--admin", "OFF"])), "off");
    for address in ["127.0.0.1:9901", "127.1.0.1:1", "[::1]:9901"] {
        assert_eq!(
            Start::new().flags(&["--admin", address]).loaded().settings.admin,
            Admin::Tcp(address.parse().unwrap())
        );
    }
}

#[test]
fn settings_of_nodes_are_parsed() {
    let file = "bind = \"10.0.0.1\"\nnode = \"A\"\n[mesh_peers]\na = \"10.0.0.1:8443\"\nC = \"c.example:1\"\nb = \"[::1]:2\"\n";
    let settings = Start::new().file(file).loaded().settings;
    assert_eq!(settings.node.as_str(), "a");
    let peers: Vec<_> = settings.mesh.peers.iter().map(|(name, address)| format!("{name} {address}")).collect();
    assert_eq!(peers, ["b [::1]:2", "c c.example:1"]);
    assert_eq!(settings.advertised().map(|address| address.to_string()), Some("10.0.0.1:8443".into()));
    let advertised =
        |flags: &[&str]| Start::new().flags(flags).loaded().settings.advertised().map(|own| own.to_string());
    assert_eq!(advertised(&[]), None);
    assert_eq!(advertised(&["--mesh-advertise", "a:1"]), Some("a:1".into()));
    assert_eq!(advertised(&["--internal", "off", "--bind", "::1"]), None);
}

#[test]
fn routes_in_a_file_can_set_everything() {
    let file = r#"
response_timeout = "20s"

[[routes]]
host = ["Example.com", "*.example.com"]
prefix = "/api"
upstream = ["127.0.0.1:9001", "http://backend"]
strip_prefix = true
allow_ambiguous_paths = true
host_header = "backend:8080"
response_timeout = "5m"

[[routes]]
host = "tls.example.com"
upstream = ["https://backend", "h2://10.0.0.1:8443", "unix:///run/a.sock", "h2c://backend"]
tls.ca = "ca.pem"
tls.server_name = "Inside.example.com"
tls.cert = "certs/c.pem"
tls.key = "certs/c.key"

[[routes]]
host = "ip.example.com"
upstream = ["https://backend"]
tls.server_name = "::1"
tls.skip_verify = true

[[routes]]
host = "example.com"
upstream = ["[::1]:9001"]
"#;
    let start = Start::new().file(file);
    let routes = start.loaded().settings.routes;
    assert_eq!(routes[0].to_string(), "example.com/api, *.example.com/api -> 127.0.0.1:9001, backend:80");
    assert!(routes[0].strip_prefix && routes[0].allow_ambiguous_paths);
    assert_eq!(routes[0].host_header.as_ref().map(|host| host.as_bytes()), Some(&b"backend:8080"[..]));
    assert_eq!(routes[0].response_timeout, Duration::from_secs(300));
    let tls = "https://backend:443, h2://10.0.0.1:8443, unix:/run/a.sock, h2c://backend:80";
    assert_eq!(routes[1].to_string(), format!("tls.example.com/ -> {tls}"));
    let ca = routes[1].tls.ca().expect("a file");
    assert_eq!(start.without_folder(&ca.path.display().to_string()), "[DIR]/ca.pem");
    assert_eq!(start.without_folder(&ca.origin.to_string()), "[DIR]/config.toml:16: routes[1].tls.ca");
    assert_eq!(routes[1].tls.server_name, Some("inside.example.com".try_into().expect("a name")));
    let client = routes[1].tls.client.as_ref().expect("a certificate");
    let [cert, key] = [&client.cert, &client.key].map(|file| start.without_folder(&file.path.display().to_string()));
    assert_eq!([cert, key], ["[DIR]/certs/c.pem", "[DIR]/certs/c.key"]);
    assert!(matches!(routes[2].tls.accepted, AcceptedCertificates::Any(_)));
    assert_eq!(routes[2].tls.server_name, Some("::1".try_into().expect("an address")));
    assert_eq!(routes[3].to_string(), "example.com/ -> [::1]:9001");
    assert_eq!((routes[3].strip_prefix, &routes[3].host_header), (false, &None));
    assert!(!routes[3].allow_ambiguous_paths);
    assert_eq!((routes[3].tls.ca(), &routes[3].tls.server_name), (None, &None));
    assert_eq!(routes[3].response_timeout, Duration::from_secs(20));
}

#[test]
fn the_summary_lists_listeners_and_routes() {
    let start = Start::new().flags(&["--https", "0", "--internal", "off", "--bind", "127.0.0.1"]);
    let listeners = "http      127.0.0.1:80\nhttps     127.0.0.1, a port the kernel picks\ninternal  off\n";
    assert_eq!(summary(&start.loaded().settings), listeners);

    let routes: Vec<_> = (1..=23).map(|n| format!("h{n}=b:{n}")).collect();
    let listed: String = (1..=20).map(|n| format!("h{n}/ -> b:{n}\n")).collect();
    let start = start.variable("PMESH_ROUTE", &routes.join(" "));
    assert_eq!(summary(&start.loaded().settings), format!("{listeners}{listed}and 3 more\n"));
}

#[test]
fn the_summary_names_the_node_if_it_knows_others() {
    let line = |flags: &[&str]| {
        let start = Start::new().flags(&["--node", "a", "--mesh-peer", "b=10.0.0.2:8443"]).flags(flags);
        let summary = summary(&start.loaded().settings);
        summary.lines().find_map(|line| line.strip_prefix("node      ")).expect("a line").to_owned()
    };
    assert_eq!(line(&[]), "a");
    assert_eq!(line(&["--mesh-advertise", "10.0.0.1:8443"]), "a, at 10.0.0.1:8443");
    assert_eq!(
        line(&["--internal", "off"]),
        "a, without an internal port: it can send requests to other nodes, but gets none from them"
    );
}

#[test]
fn a_list_of_addresses_can_be_a_single_one() {
    let settings =
        Start::new().file("source_addresses = \"10.0.0.1\"\ntrusted_proxies = \"10.0.0.0/8\"").loaded().settings;
    assert_eq!(settings.source_addresses, ["10.0.0.1".parse::<std::net::IpAddr>().expect("an address")]);
    assert_eq!(settings.trusted_proxies, ["10.0.0.0/8".parse().expect("a network")]);
}

#[test]
fn pool_max_age_can_be_off() {
    for off in ["off", "OFF", "0", "0s", "0m"] {
        let settings = Start::new().variable("PMESH_POOL_MAX_AGE", off).loaded().settings;
        assert_eq!(settings.pool_max_age, None, "{off}");
    }
    assert_eq!(Start::new().file("pool_max_age = 0").loaded().settings.pool_max_age, None);
    let error = Start::new().file("pool_max_age = \"often\"").error();
    assert!(error.contains("expected a duration up to a year, such as 5m or 1h, or off"), "{error}");
}

#[test]
fn off_is_case_insensitive() {
    let start = Start::new().variable("PMESH_HTTPS", "OFF").variable("PMESH_MAX_BODY", "Off");
    let settings = start.variable("PMESH_HTTP_H2C", "OFF").loaded().settings;
    assert_eq!((settings.https, settings.max_body, settings.http_h2c), (Port::Off, None, H2c::Off));
}
