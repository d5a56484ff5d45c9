//! The cost of single layers, and of many routes in the program.
//!
//! ```sh
//! cargo bench --bench layers                          # a minute
//! cargo bench --bench layers -- --only "host name"    # only rows with "host name" in the name
//! ```
//!
//! Times are the minimum of 40 samples of at least 5 ms each, because other load on the machine can only add to them.
//! Allocations are counted by an allocator that forwards to the system's. The program uses mimalloc, which is faster.
//!
//! Requests to a route table are for 4096 hosts from all over the table, in turn. Each path has a segment after the prefix of its
//! route. Requests that are not found are for hosts without a route.
//!
//! | column | meaning |
//! | --- | --- |
//! | bytes per route | heap of the table, with a number as the target, host names included |
//! | built | time to parse and insert all routes |
//! | until it listens | from the start of the process until its ports are bound, with all routes in the configuration file |
//! | resident, at most | memory of the process some time after startup and the requests, and its maximum |
//! | bytes per route | the growth of that compared with one route, divided by the number of routes; one worker |
//! | request | time per request as the client sees it, one after the other over a keep-alive connection, to all hosts in turn |
//! | CPU | of the proxy, per request |

#![allow(clippy::unwrap_used, reason = "a failed measurement panics")]
#![allow(unreachable_pub, reason = "this is a program: nothing outside reaches it")]
#![allow(dead_code, unused_imports, reason = "shared with other benches")]

mod cost;
mod names;
mod program;
mod routes;
mod stack;
#[path = "../support/mod.rs"]
mod support;

use self::support::{arguments::Arguments, backend_process::maybe_run_backend};

fn main() {
    maybe_run_backend();
    let arguments = Arguments::read(&["only"]);
    for table in [routes::table, names::table, stack::table, program::table] {
        let table = table(&arguments);
        if !table.is_empty() {
            println!("{table}");
        }
    }
}
