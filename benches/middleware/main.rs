//! Measures the CPU time per request that each part of a route's middleware adds.
//!
//! ```sh
//! cargo bench --bench middleware                       # 4 minutes
//! cargo bench --bench middleware -- --only compress    # only rows with "compress" in the name
//! cargo bench --bench middleware -- --rounds 9 --seconds 3
//! ```
//!
//! Needs nginx (the backend), wrk and taskset. pmesh has one worker, on core 0. Load generator and backend share core 1. Each
//! row is its own route. In each round, every row gets load over 64 keep-alive connections for 2 s (`--seconds`), and so do the
//! rows without middleware. Figures are medians over the rounds.
//!
//! | column | meaning |
//! | --- | --- |
//! | CPU | µs per request, user and system, of pmesh |
//! | added | the difference to the same request in the same round to a route without middleware |
//! | bad | requests without a 2xx response, over all rounds |

#![allow(clippy::unwrap_used, reason = "a failed measurement panics")]
#![allow(unreachable_pub, reason = "this is a program: nothing outside reaches it")]
#![allow(dead_code, unused_imports, reason = "shared with other benches")]

mod parts;
#[path = "../support/mod.rs"]
mod support;

use std::{collections::BTreeMap, fs, net::SocketAddr, process::exit, time::Duration};

use self::{
    parts::{Part, Request, parts},
    support::{
        arguments::Arguments,
        generator::{Run, wrk_with},
        harness::Start,
        nginx::Nginx,
        process::Process,
        statistics::median,
        table::Table,
        tool::{is_installed, open_folder},
    },
};

/// Core of the proxy.
const CORE: &str = "0";
/// Core of load and backend.
const OTHER_CORE: &str = "1";

const CONNECTIONS: u32 = 64;

fn main() {
    let arguments = Arguments::read(&["seconds", "rounds", "only"]);
    if ["nginx", "wrk", "taskset"].into_iter().filter(|tool| !is_installed(tool)).count() > 0 {
        exit(1);
    }
    let (rounds, time) = (arguments.number("rounds", 5), arguments.seconds("seconds", 2));
    let folder = open_folder();
    let backend = Nginx::start(Some(OTHER_CORE), folder.path());
    let parts = parts(folder.path(), backend.address);
    let config = parts.iter().enumerate().map(|(number, part)| part.route(&host(number), backend.address));
    let plain = Request::ALL.map(|request| Part::none(request).route(&plain_host(request), backend.address));
    let program = Start::new()
        .workers(1)
        .config(&config.chain(plain).collect::<String>())
        .through(&["taskset", "-c", CORE])
        .run();
    let proxy = Proxy { process: Process(program.id()), http: program.http(), time };

    let mut rows = BTreeMap::<usize, (Vec<f64>, Vec<f64>, f64)>::new();
    for _ in 0..rounds {
        let mut base = BTreeMap::new();
        for (number, part) in parts.iter().enumerate().filter(|(_, part)| arguments.selects(part.name)) {
            let base = *base
                .entry(part.request)
                .or_insert_with(|| proxy.measure(&plain_host(part.request), &Part::none(part.request)).0);
            let (cpu, bad) = proxy.measure(&host(number), part);
            let (all, added, all_bad) = rows.entry(number).or_default();
            all.push(cpu);
            added.push(cpu - base);
            *all_bad += bad;
        }
    }
    let mut table = Table::new(&["part", "request", "CPU (µs)", "added (µs)", "least–most", "bad"]);
    for (number, (cpu, added, bad)) in rows {
        let least = added.iter().copied().fold(f64::INFINITY, f64::min);
        let most = added.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let Part { name, request, .. } = &parts[number];
        table.row(vec![
            (*name).to_owned(),
            request.name().to_owned(),
            format!("{:.1}", median(&cpu)),
            format!("{:.1}", median(&added)),
            format!("{least:.1}–{most:.1}"),
            format!("{bad:.0}"),
        ]);
    }
    println!("{table}");
}

fn host(number: usize) -> String {
    format!("part-{number}.test")
}

fn plain_host(request: Request) -> String {
    format!("plain-{}.test", request as u8)
}

struct Proxy {
    process: Process,
    http: SocketAddr,
    time: Duration,
}

impl Proxy {
    /// CPU time per request in µs, and the number of failed requests.
    fn measure(&self, host: &str, part: &Part) -> (f64, f64) {
        self.load(host, part, Duration::from_secs(1));
        let before = self.process.cpu();
        let run = self.load(host, part, self.time);
        assert!(run.requests > 0.0, "not one response");
        ((self.process.cpu() - before) * 1e6 / run.requests, run.bad)
    }

    fn load(&self, host: &str, part: &Part, time: Duration) -> Run {
        let script = part.request.script();
        let script_file = tempfile::NamedTempFile::new().unwrap();
        fs::write(script_file.path(), script).unwrap();
        let host = format!("Host: {host}");
        let mut arguments = vec!["-s", script_file.path().to_str().unwrap(), "-H", &host];
        for header in &part.headers {
            arguments.extend(["-H", header]);
        }
        let url = format!("http://{}{}", self.http, part.path());
        wrk_with(Some(OTHER_CORE), &url, CONNECTIONS, time, &arguments)
    }
}
