//! How faults affect clients: lost requests, POSTs that are processed twice, latency.
//!
//! ```sh
//! cargo bench --bench faults                                  # 10 rows of 30 s
//! cargo bench --bench faults -- --seconds 10 --only hangs     # shorter, and only one row
//! ```
//!
//! The load is 500 GETs and 200 POSTs per second over keep-alive connections. Each request has a path of its own, and is sent
//! on time whether or not earlier ones have been answered. Unless the row says otherwise, the first of two backends is faulty
//! and the second is healthy. Backends record each request once they have read all of it, before they do anything else, so the
//! record survives kill -9.
//!
//! | column | meaning |
//! | --- | --- |
//! | lost | no response within 10 s, half a response, or a 5xx. Refused connections do not count: the proxy had no request |
//! | of which done | lost requests that a backend has read |
//! | duplicated | requests read more than once, by the same backend or another. A GET may be retried, a POST must not |
//! | p99, max | ms from when a request was due until its response, or until it was lost |
//! | answers | statuses other than 200 |

#![allow(clippy::unwrap_used, reason = "a failed measurement panics")]
#![allow(unreachable_pub, reason = "this is a program: nothing outside reaches it")]
#![allow(dead_code, unused_imports, reason = "shared with other benches")]

mod rows;
mod scene;
#[path = "../support/mod.rs"]
mod support;
mod tally;

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use self::{
    rows::{ROWS, Row},
    scene::Scene,
    support::{
        arguments::Arguments,
        backend_process::maybe_run_backend,
        load::{Load, Plan},
        process::raise_descriptor_limit,
        statistics::{counted, milliseconds},
        table::Table,
    },
    tally::Tally,
};

fn main() {
    maybe_run_backend();
    let arguments = Arguments::read(&["seconds", "only", "gets", "posts"]);
    raise_descriptor_limit();
    let mut table = Table::new(&[
        "fault",
        "GET",
        "POST",
        "lost GET",
        "lost POST",
        "of which done",
        "duplicated POST",
        "duplicated GET",
        "p99 (ms)",
        "max (ms)",
        "answers",
        "note",
    ]);
    let (mut served, mut sent, mut unrecorded) = (0, 0, 0);
    for row in ROWS.iter().filter(|row| arguments.selects(row.name)) {
        let (tally, note) = run(row, &arguments);
        table.row(vec![
            row.name.to_owned(),
            tally.gets.to_string(),
            tally.posts.to_string(),
            tally.lost_gets.to_string(),
            tally.lost_posts.to_string(),
            tally.lost_but_done.to_string(),
            tally.duplicated_posts.to_string(),
            tally.duplicated_gets.to_string(),
            milliseconds(tally.latencies.p99()),
            milliseconds(tally.latencies.max()),
            counted(&tally.failures),
            note,
        ]);
        served += tally.served;
        sent += tally.gets + tally.posts;
        unrecorded += tally.unrecorded;
    }
    println!("{table}");
    println!("control: {served} of {sent} requests were answered with 200, {unrecorded} of them without a backend");
    assert!(served > 0 && unrecorded == 0, "there was no response with 200, or one that no backend recorded");
}

/// Measures one row: runs the load, and repeats the fault as often as it fits in.
fn run(row: &Row, arguments: &Arguments) -> (Tally, String) {
    let seconds = arguments.seconds("seconds", 30);
    let mut scene = Scene::new(row);
    let load = |method, path, rate| {
        let (address, fresh, patience) = (scene.address, row.fresh, Duration::from_secs(10));
        Load::start(Plan { address, method, path, rate, fresh, patience })
    };
    let loads =
        [load("GET", "/get/", arguments.number("gets", 500)), load("POST", "/post/", arguments.number("posts", 200))];
    let start = Instant::now();
    let (every, lasts) = row.times(seconds);
    for turn in 1.. {
        let end = every * turn;
        if end > seconds {
            break;
        }
        sleep((end - lasts).saturating_sub(start.elapsed()));
        scene.begin(row.fault);
        sleep(end.saturating_sub(start.elapsed()));
        scene.end(row.fault);
    }
    sleep(seconds.saturating_sub(start.elapsed()));
    loads.iter().for_each(Load::halt);
    let samples = loads.into_iter().flat_map(Load::stop).collect::<Vec<_>>();
    let (recorded, note) = scene.finish();
    (Tally::new(&samples, &recorded), format!("{} {note}", row.note).trim().to_owned())
}
