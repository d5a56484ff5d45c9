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
//! `workers`: case h1 of `beside`, with proxy, load and backend on all cores as the kernel schedules them. With only two cores,
//! load and backend use the CPU time that a second worker would need, so look at whether the CPU time per request grows. Rounds
//! alternate; figures are medians.
//!
//! `idle`: case h1 of `beside`, with the proxy on a core of its own: first without other connections, and then with 15,000 that
//! have made a request and are idle. Two processes hold them.
//!
//! `held`: 4 proxies with 9000 clients each. The backend holds every request, so each needs a connection to the same address:
//! more than one source address has ports for. The column "held to one address" is what the kernel counts there.
//!
//! | column | meaning |
//! | --- | --- |
//! | CPU | of the proxy, user and system, in µs per request |
//! | cores used | by the proxy, on average |
//! | memory | `idle`: resident memory per connection; `held`: PSS of all proxies per request, for both of its connections |
//! | next | ms for a request over a new client connection, which needs a new backend connection: the median, and the slowest |
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
    arguments::Arguments, harness::Start, holder::maybe_run_holder, never::maybe_run_silent_backend,
    process::raise_descriptor_limit, tool::is_installed,
};

/// A name that resolves everywhere, so that the load generator can use it.
const HOST: &str = "localhost";

fn main() {
    maybe_run_holder();
    maybe_run_silent_backend();
    let arguments = Arguments::read(&["only", "rounds", "seconds", "idle", "proxies", "each"]);
    raise_descriptor_limit();
    let missing: Vec<_> = ["nginx", "wrk", "taskset"].into_iter().filter(|tool| !is_installed(tool)).collect();
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
