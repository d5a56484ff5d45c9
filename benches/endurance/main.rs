//! Whether memory or descriptors leak under hours of mixed load.
//!
//! ```sh
//! cargo bench --bench endurance                    # 30 minutes
//! cargo bench --bench endurance -- --minutes 600   # overnight
//! ```
//!
//! Every second: 200 GETs and 50 small POSTs over keep-alive connections, 50 GETs over connections of their own, 10 over TLS
//! without resumption, 5 HTTP/2 connections with 20 requests each, 5 WebSockets with 10 messages each, 5 uploads of 1 MiB, and
//! 10 clients each that disconnect during the request, disconnect during the response, or reset the connection.
//!
//! | column | meaning |
//! | --- | --- |
//! | errors | failures of clients that did not disconnect, out of so many requests; the last line lists them by kind |
//! | memory | resident memory of the proxy in MiB: before the load, after the first 5 minutes (a sixth of a shorter run), at the end |
//! | slope | KiB per minute after that, by least squares over samples 10 s apart |
//! | descriptors | of the proxy: before the load, the highest sample, and after the load, once idle connections have timed out |

#![allow(clippy::unwrap_used, reason = "a failed measurement panics")]
#![allow(unreachable_pub, reason = "this is a program: nothing outside reaches it")]
#![allow(dead_code, unused_imports, reason = "shared with other benches")]

mod clients;
mod kinds;
mod record;
#[path = "../support/mod.rs"]
mod support;

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use self::{
    clients::Target,
    record::Record,
    support::{
        arguments::Arguments,
        backend::Backend,
        backend_process::maybe_run_backend,
        harness::Program,
        load::{Load, Plan},
        process::{Process, raise_descriptor_limit},
        proxy::start,
        statistics::slope,
        table::Table,
    },
};

const INTERVAL: Duration = Duration::from_secs(10);
/// How long idle connections are kept. The bench waits for their timeout at the end.
const IDLE: &str = "5s";

/// A sample of the process.
struct Reading {
    minutes: f64,
    memory: f64,
    descriptors: usize,
}

fn main() {
    maybe_run_backend();
    let arguments = Arguments::read(&["minutes"]);
    raise_descriptor_limit();
    let time = arguments.seconds("minutes", 30) * 60;
    let folder = tempfile::tempdir().unwrap();
    let backends: Vec<Backend> = (0..2).map(|number| Backend::start(folder.path(), number)).collect();
    let addresses: Vec<String> = backends.iter().map(|backend| backend.address.clone()).collect();
    let program = start(&addresses).flags(&["--pool-idle-timeout", IDLE, "--keep-alive-timeout", IDLE]).run();
    let process = Process(program.id());
    // Its threads open some descriptors of their own.
    sleep(Duration::from_secs(1));
    let (memory, descriptors) = (process.memory(), process.descriptors());

    let (readings, record) = measure(&program, process, time);
    let after = wait_for_descriptors(process, descriptors);

    let warm = f64::min(5.0, time.as_secs_f64() / 360.0);
    let after_warm_up: Vec<&Reading> = readings.iter().filter(|reading| reading.minutes >= warm).collect();
    let points: Vec<(f64, f64)> = after_warm_up.iter().map(|reading| (reading.minutes, reading.memory)).collect();
    let mib = |kib: Option<f64>| kib.map_or_else(|| "–".to_owned(), |kib| format!("{:.1}", kib / 1024.0));
    let mut table = Table::new(&[
        "minutes",
        "requests",
        "errors",
        "memory before (MiB)",
        "warm",
        "at the end",
        "slope (KiB/min)",
        "descriptors before",
        "most",
        "after",
    ]);
    table.row(vec![
        format!("{:.0}", time.as_secs_f64() / 60.0),
        record.done().to_string(),
        record.errors().to_string(),
        mib(Some(memory)),
        mib(points.first().map(|point| point.1)),
        mib(points.last().map(|point| point.1)),
        format!("{:.1}", slope(&points)),
        descriptors.to_string(),
        readings.iter().map(|reading| reading.descriptors).max().unwrap_or_default().to_string(),
        after.to_string(),
    ]);
    println!("{table}");
    println!("control: {record}");
    assert!(record.all_have_done() && points.len() > 2, "a kind of load had no success, or there were too few samples");
}

/// Runs the load and samples the proxy meanwhile.
fn measure(program: &Program, process: Process, time: Duration) -> (Vec<Reading>, Record) {
    let record = Record::default();
    let plan = |method, path, rate, fresh| {
        let patience = Duration::from_secs(10);
        Plan { address: program.http(), method, path, rate, fresh, patience }
    };
    let loads = [
        ("GET", Load::start(plan("GET", "/kept/", 200, 0))),
        ("POST", Load::start(plan("POST", "/kept/", 50, 0))),
        ("GET on a new connection", Load::start(plan("GET", "/new/", 50, 1))),
    ];
    let clients = kinds::start(Target::of(program), record.clone());
    let (start, mut readings) = (Instant::now(), Vec::new());
    for turn in 1.. {
        if INTERVAL * turn > time {
            break;
        }
        sleep((INTERVAL * turn).saturating_sub(start.elapsed()));
        let reading = Reading {
            minutes: start.elapsed().as_secs_f64() / 60.0,
            memory: process.memory(),
            descriptors: process.descriptors(),
        };
        eprintln!("{:.1} min, {} KiB, {} descriptors", reading.minutes, reading.memory, reading.descriptors);
        readings.push(reading);
        // Collected meanwhile, so that they do not pile up.
        for (name, load) in &loads {
            record.add_samples(name, &load.take());
        }
    }
    loads.iter().for_each(|(_, load)| load.halt());
    clients.stop();
    for (name, load) in loads {
        record.add_samples(name, &load.stop());
    }
    (readings, record)
}

/// The number of open descriptors, once it is at most `before`, or after a minute.
fn wait_for_descriptors(process: Process, before: usize) -> usize {
    let start = Instant::now();
    while process.descriptors() > before && start.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(100));
    }
    process.descriptors()
}
