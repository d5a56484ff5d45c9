//! Compares pmesh with nginx and HAProxy on this machine: CPU time per request, latency, memory.
//!
//! ```sh
//! cargo bench --bench beside                                     # 11 cases, 3 rounds: 9 minutes
//! cargo bench --bench beside -- --only h1                        # only cases with "h1" in the name
//! cargo bench --bench beside -- --peers nginx,pmesh --rounds 5 --seconds 10
//! ```
//!
//! Needs nginx (also as the backend), wrk, h2load and taskset, and haproxy to measure it. Each proxy has one worker, on
//! core 0. The load generator and the backend share core 1. In each round, every proxy is restarted and runs all cases, each
//! with a second of warm-up and 4 s of measurement (`--seconds`). Certificates are ECDSA P-256. Figures are medians over the
//! rounds.
//!
//! | case | load |
//! | --- | --- |
//! | h1, tls | responses of 100 bytes over 64 keep-alive connections, without and with TLS |
//! | h2 | the same over 16 HTTP/2 connections with TLS, 16 requests at a time on each |
//! | churn | the same without TLS, a new connection for each request |
//! | handshake | the same with TLS, 500 connections per second, without resumption |
//! | resumed | the same with TLS, as fast as possible; wrk resumes its sessions if the proxy allows it |
//! | 1m, 1mtls | responses of 1 MB over 16 connections |
//! | c1000 | h1 with 1000 connections |
//! | idle, idletls | 4000 connections that have made one request each and are idle; the proxy has no other load |
//!
//! | column | meaning |
//! | --- | --- |
//! | CPU | µs per request, user and system, of all processes of the proxy; then the lowest and the highest round |
//! | requests/s | unless the proxy is saturated, this only shows how fast core 1 can send and respond |
//! | p99 | ms, if the load generator reports it |
//! | memory | KiB by which the memory of all processes of the proxy (PSS) grew per connection |
//! | bad | requests without a 2xx response, over all rounds |
//!
//! Compare the CPU figures: they do not depend on the speed of the load generator.

#![allow(clippy::unwrap_used, reason = "a failed measurement panics")]
#![allow(unreachable_pub, reason = "this is a program: nothing outside reaches it")]
#![allow(dead_code, unused_imports, reason = "shared with other benches")]

mod cases;
mod peers;
#[path = "../support/mod.rs"]
mod support;

use std::{collections::BTreeMap, path::Path, process::exit, sync::Arc, thread::sleep, time::Duration};

use rustls::RootCertStore;

use self::{
    cases::{CASES, Case},
    peers::{HOST, NAMES, Peer},
    support::{
        arguments::Arguments,
        harness::{files::certificate, tls::Tls},
        nginx::Nginx,
        process::{Process, raise_descriptor_limit},
        statistics::median,
        table::Table,
        tool::{is_installed, open_folder},
    },
};

/// Core of the proxy.
const CORE: &str = "0";
/// Core of load and backend.
const OTHER_CORE: &str = "1";

/// The results of one case for one proxy, a value per round.
#[derive(Default)]
struct Figures {
    cpu: Vec<f64>,
    per_second: Vec<f64>,
    p99: Vec<f64>,
    memory: Vec<f64>,
    bad: f64,
}

fn main() {
    let arguments = Arguments::read(&["seconds", "rounds", "only", "peers"]);
    raise_descriptor_limit();
    let selected = arguments.text("peers").map_or(NAMES.to_vec(), |peers| peers.split(',').collect());
    let missing: Vec<_> =
        ["nginx", "wrk", "h2load", "taskset"].into_iter().filter(|tool| !is_installed(tool)).collect();
    if !missing.is_empty() {
        exit(1);
    }
    let peers: Vec<_> = selected.into_iter().filter(|peer| *peer == "pmesh" || is_installed(peer)).collect();
    let folder = open_folder();
    let mut roots = RootCertStore::empty();
    roots.add(certificate(folder.path(), HOST)).unwrap();
    let client = Tls { roots: Arc::new(roots), ..Tls::stranger() };
    let backend = Nginx::start(Some(OTHER_CORE), folder.path());
    let time = arguments.seconds("seconds", 4);

    let mut figures = BTreeMap::<_, Figures>::new();
    for _ in 0..arguments.number("rounds", 3) {
        for (place, peer) in peers.iter().enumerate() {
            let start = || Peer::start(peer, folder.path(), backend.address);
            let mut proxy = start();
            for (number, (name, case)) in CASES.iter().enumerate().filter(|(_, (name, _))| arguments.selects(name)) {
                let figures = figures.entry((number, place)).or_default();
                if case.is_idle() {
                    // The old proxy has to exit first: some keep the core busy until then.
                    drop(proxy);
                    proxy = start();
                    sleep(Duration::from_millis(500));
                    figures.memory.push(case.memory(&proxy, &client));
                } else {
                    measure(*case, &proxy, time, figures);
                }
                eprintln!("{name}, {peer}: CPU {:?} µs, memory {:?} KiB", figures.cpu.last(), figures.memory.last());
            }
        }
    }
    println!("{}", table(&peers, &figures));
}

fn measure(case: Case, proxy: &Peer, time: Duration, figures: &mut Figures) {
    case.run(proxy, Duration::from_secs(1));
    let process = Process(proxy.id());
    let before = process.tree_cpu();
    let run = case.run(proxy, time);
    assert!(run.requests > 0.0, "not one response");
    figures.cpu.push((process.tree_cpu() - before) * 1e6 / run.requests);
    figures.per_second.extend(run.per_second);
    figures.p99.extend(run.p99);
    figures.bad += run.bad;
}

fn table(peers: &[&str], figures: &BTreeMap<(usize, usize), Figures>) -> Table {
    let mut table =
        Table::new(&["case", "proxy", "CPU (µs)", "least–most", "requests/s", "p99 (ms)", "memory (KiB)", "bad"]);
    for ((case, peer), figures) in figures {
        let cell = |numbers: &[f64], digits: usize| {
            if numbers.is_empty() { "–".to_owned() } else { format!("{:.digits$}", median(numbers)) }
        };
        let least = figures.cpu.iter().copied().reduce(f64::min);
        let most = figures.cpu.iter().copied().reduce(f64::max);
        table.row(vec![
            CASES[*case].0.to_owned(),
            peers[*peer].to_owned(),
            cell(&figures.cpu, 1),
            least.zip(most).map_or_else(|| "–".to_owned(), |(least, most)| format!("{least:.1}–{most:.1}")),
            cell(&figures.per_second, 0),
            cell(&figures.p99, 2),
            cell(&figures.memory, 2),
            format!("{:.0}", figures.bad),
        ]);
    }
    table
}
