//! How the proxy bears much: more workers, many idle connections, many connections to one backend.
//!
//! ```sh
//! cargo bench --bench scale                                    # 2 minutes
//! cargo bench --bench scale -- --only held --proxies 2         # one of the three: workers, idle, held
//! cargo bench --bench scale -- --rounds 5 --seconds 10 --idle 10000 --each 5000
//! ```
//!
//! Needs nginx, wrk and taskset, as `beside` does, and 20000 descriptors a process.
//!
//! `workers`: h1 of `beside`, with proxy, load and backend on all cores as the kernel likes. Where there are two cores
//! only, load and backend take from the proxy what a second worker would need: then the CPU a request is the figure, and
//! whether it grows. Rounds take turns; figures are medians.
//!
//! `idle`: h1 of `beside`, on a core of its own, without other connections and then with 15000 that have made a request
//! and wait. The clients that hold them are in two processes.
//!
//! `held`: 4 proxies, 9000 clients at each, and each client's request is held by the backend, so that all have a
//! connection to one and the same address: more than one source address has ports for. `held` is what the kernel counts
//! there.
//!
//! | column | what it is |
//! | --- | --- |
//! | CPU | of the proxy, user and system, in µs a request |
//! | cores used | by the proxy, on the average |
//! | memory | of `idle`: resident, by connection; of `held`: PSS of all proxies, by request, with client and backend |
//! | next | ms of a request over a new connection, for which the proxy makes a new one, too: the median, and the slowest |
//! | filled after | seconds from the first client to the last connection |

#![allow(clippy::unwrap_used, reason = "what cannot be measured ends in a panic")]
#![allow(unreachable_pub, reason = "there is nothing outside that could reach it")]
#![allow(dead_code, unused_imports, reason = "other benches use what this does not")]

mod held;
mod idle;
#[path = "../support/mod.rs"]
mod support;
mod workers;

use std::{net::SocketAddr, process::exit};

use self::support::{
    arguments::Arguments, harness::Start, holder::hold_if_told, never::never_if_told, process::raise_descriptor_limit,
    tool::is_there,
};

/// A name that resolves everywhere, so that the load generator can ask for it.
const HOST: &str = "localhost";

fn main() {
    hold_if_told();
    never_if_told();
    let arguments = Arguments::read(&["only", "rounds", "seconds", "idle", "proxies", "each"]);
    raise_descriptor_limit();
    let missing: Vec<_> = ["nginx", "wrk", "taskset"].into_iter().filter(|tool| !is_there(tool)).collect();
    if !missing.is_empty() {
        exit(1);
    }
    for table in [workers::table, idle::table, held::table] {
        let table = table(&arguments);
        if !table.is_empty() {
            println!("{table}");
        }
    }
}

fn start(backend: SocketAddr) -> Start {
    Start::new().flags(&["--route", &format!("{HOST}={backend}")])
}

fn rounds(arguments: &Arguments) -> u32 {
    arguments.number("rounds", 3)
}
