//! How the proxy scales: more workers, many idle connections, many connections to one backend.
//!
//! ```sh
//! cargo bench --bench scale                                    # 2 minutes
//! cargo bench --bench scale -- --only held --proxies 2         # one of the three: workers, idle, held
//! cargo bench --bench scale -- --rounds 5 --seconds 10 --idle 10000 --each 5000
//! ```
//!
//! Needs nginx, wrk and taskset, as `beside` does, and 20,000 descriptors per process.
//!
//! `workers`: h1 of `beside`, with proxy, load and backend on all cores as the kernel schedules them. With only two cores, load
//! and backend use what a second worker would need. Then look at whether the CPU time per request grows. Rounds alternate;
//! figures are medians.
//!
//! `idle`: h1 of `beside`, on a core of its own, without other connections and then with 15,000 that have made a request and are
//! idle. The clients that hold them are in two processes.
//!
//! `held`: 4 proxies with 9000 clients each. The backend holds every request, so that all have a connection to the same address,
//! more than one source address has ports for. `held` is the number that the kernel counts there.
//!
//! | column | meaning |
//! | --- | --- |
//! | CPU | of the proxy, user and system, in µs per request |
//! | cores used | by the proxy, on average |
//! | memory | of `idle`: resident, per connection; of `held`: PSS of all proxies per request, with client and backend |
//! | next | ms of a request over a new connection, for which the proxy opens another one: the median, and the slowest |
//! | filled after | seconds from the first client to the last connection |

#![allow(clippy::unwrap_used, reason = "a failed measurement panics")]
#![allow(unreachable_pub, reason = "this is a program: nothing outside reaches it")]
#![allow(dead_code, unused_imports, reason = "shared with other benches")]

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

/// A name that resolves everywhere, so that the load generator can use it.
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
