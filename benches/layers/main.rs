//! What the layers cost by themselves, and how the program bears many routes.
//!
//! ```sh
//! cargo bench --bench layers                          # a minute
//! cargo bench --bench layers -- --only "host name"    # the rows that have "host name" in the name
//! ```
//!
//! Times are the shortest of 40 looks of at least 5 ms each: what else runs on the machine only adds to them. Allocations
//! are counted, by an allocator that forwards to the system's; the program has mimalloc, which is faster.
//!
//! Requests to a route table are for 4096 hosts from all over it, in turn. Each path has a segment behind the prefix of
//! its route. Those that are not found are for hosts that no route has.
//!
//! | column | what it is |
//! | --- | --- |
//! | bytes a route | that the table holds of the heap, with a number as the target; the names of hosts are part of it |
//! | built | how long it takes to read them all from text and to insert them |
//! | until it listens | from the start of the process until it has bound its ports, with all routes in the file of settings |
//! | resident, at most | memory of the process some time after the start and with some requests served, and the most it had |
//! | bytes a route | by how much that is more than with one route, over the routes; with one worker |
//! | a request | one after the other over a kept connection, to all hosts in turn, as the client sees it |
//! | CPU | of the proxy, a request |

#![allow(clippy::unwrap_used, reason = "what cannot be measured ends in a panic")]
#![allow(unreachable_pub, reason = "there is nothing outside that could reach it")]
#![allow(dead_code, unused_imports, reason = "other benches use what this does not")]

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
