//! What the layers cost by themselves, and how the program copes with many routes.
//!
//! ```sh
//! cargo bench --bench layers                          # a minute
//! cargo bench --bench layers -- --only "host name"    # the rows that have "host name" in the name
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
//! | resident, at most | memory of the process a while after startup and some requests, and its maximum |
//! | bytes per route | by how much that is more than with one route, divided by the number of routes; one worker |
//! | request | one after the other over a keep-alive connection, to all hosts in turn, as seen by the client |
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

use self::support::{arguments::Arguments, backend_process::serve_if_told};

fn main() {
    serve_if_told();
    let arguments = Arguments::read(&["only"]);
    for table in [routes::table, names::table, stack::table, program::table] {
        let table = table(&arguments);
        if !table.is_empty() {
            println!("{table}");
        }
    }
}
