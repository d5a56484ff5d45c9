//! What many slow clients cost the others: latency and memory.
//!
//! ```sh
//! cargo bench --bench slow_clients                                    # 9 rows of up to two minutes
//! cargo bench --bench slow_clients -- --connections 500 --only body   # fewer clients, and only rows with "body" in the name
//! ```
//!
//! Each row has a proxy of its own, with one worker and all deadlines at 10 s, and 5000 clients from 50 addresses, 500 of which
//! connect per second (`--rate`). Another client sends 50 GET/s: for 20 s before (`--calm`), and then until the proxy has closed
//! all slow connections or 60 s have passed (`--patience`). Each slow client sends its byte at a different time within the second,
//! because 5000 real clients would not send all at once either.
//!
//! The proxy has a core to itself (`taskset`). Everything else shares the other cores, where the other client and its backend
//! have priority: slow clients, and the backend for their requests, run only when these are idle (`chrt`).
//!
//! | column | meaning |
//! | --- | --- |
//! | p99 before, during | ms that the other client waits, from when a request was due |
//! | ratio | p99 during, divided by p99 before |
//! | lost | requests of the other client without a 200 |
//! | CPU (µs per connection) | CPU time of the proxy, divided by the number of connections |
//! | KiB per connection | the highest growth of the resident memory of the proxy, divided by the number of connections |
//! | of the kernel | the same for the buffers of all TCP sockets, including backend and clients; `tcp_mem` limits them |
//! | released after (s) | from the first connection until the proxy had all its descriptors back |
//! | ended after (s) | lifetime of the longest-lived connection, as its client sees it |
//! | ends | how connections ended. A client that does not read sees no FIN, because unread data is in front of it |
//! | bytes received | average per slow client |

#![allow(clippy::unwrap_used, reason = "a failed measurement panics")]
#![allow(unreachable_pub, reason = "this is a program: nothing outside reaches it")]
#![allow(dead_code, unused_imports, reason = "shared with other benches")]

mod client;
mod kinds;
#[path = "../support/mod.rs"]
mod support;

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task::JoinSet, time::sleep_until};

use self::{
    client::{Client, End, Seen},
    kinds::{KINDS, Kind},
    support::{
        arguments::Arguments,
        backend::Backend,
        backend_process::maybe_run_backend,
        cores::{PROXY_CORE, leave_proxy_core, run_only_when_idle},
        load::{Load, Plan, Sample, p99},
        process::{Process, peak_until, raise_descriptor_limit, tcp_memory},
        proxy::{HOST, start},
        statistics::{counted, milliseconds},
        table::Table,
    },
};

const DEADLINES: [&str; 5] =
    ["--silence-deadline", "--keep-alive-timeout", "--head-timeout", "--stall-timeout", "--response-timeout"];

const OTHER: &str = "/other/";

/// Descriptors that the other client may use during the attack.
const ALLOWANCE: usize = 20;

/// Maximum number of clients that connect at the same time.
const AT_A_TIME: usize = 256;

fn main() {
    maybe_run_backend();
    let arguments = Arguments::read(&["connections", "rate", "only", "calm", "patience"]);
    leave_proxy_core();
    raise_descriptor_limit();
    let mut table = Table::new(&[
        "clients",
        "connections",
        "p99 before (ms)",
        "during (ms)",
        "ratio",
        "lost",
        "CPU (µs per connection)",
        "KiB per connection",
        "of the kernel",
        "released after (s)",
        "ended after (s)",
        "ends",
        "bytes received",
    ]);
    let (mut served, mut sent) = (0, 0);
    for kind in KINDS.iter().filter(|kind| arguments.selects(kind.name)) {
        let samples = run(kind, &arguments, &mut table);
        served += samples.iter().filter(|sample| sample.outcome.is_success()).count();
        sent += samples.len();
    }
    println!("{table}");
    println!("control: {served} of {sent} requests of the other client were answered with 200");
    assert!(served > 0, "the other client got no response with 200");
}

/// Adds the row. Returns the results of the other client.
fn run(kind: &Kind, arguments: &Arguments, table: &mut Table) -> Vec<Sample> {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::start(folder.path(), 0);
    let slow_backend = Backend::start_last(folder.path(), 1);
    let deadlines = DEADLINES.iter().flat_map(|&flag| [flag, "10s"]).collect::<Vec<_>>();
    let program = start(std::slice::from_ref(&slow_backend.address)).through(PROXY_CORE).workers(1);
    let program = program.flags(&["--route", &format!("{HOST}{OTHER}={}", backend.address)]).flags(&deadlines);
    // Backend connections are closed when idle, so the number of descriptors reflects clients only.
    let program = program.flags(&["--pool-idle-timeout", "500ms"]).run();
    let (process, address) = (Process(program.id()), if kind.tls { program.https() } else { program.http() });
    let count = arguments.number("connections", 5000) / kind.share;
    let patience = Duration::from_secs(10);
    let other = Load::start(Plan { address: program.http(), method: "GET", path: OTHER, rate: 50, fresh: 0, patience });
    thread::sleep(arguments.seconds("calm", 20));
    let mut samples = other.take();
    let before = p99(&samples);
    let limit = arguments.seconds("patience", 60);
    let interval = Duration::from_secs(1) * kind.share / arguments.number("rate", 500);
    let (memory_before, kernel_before, descriptors) = (process.memory(), tcp_memory(), process.descriptors());
    let processor_before = process.cpu();
    let attack = thread::spawn({
        let kind = kind.clone();
        move || {
            run_only_when_idle();
            attack(&kind, address, count, interval, limit)
        }
    });
    let (begin, mut released) = (Instant::now(), None);
    let [memory, kernel] = peak_until(
        || [process.memory() - memory_before, tcp_memory() - kernel_before],
        || {
            if begin.elapsed() > interval * count && process.descriptors() < descriptors + ALLOWANCE {
                released.get_or_insert(begin.elapsed());
            }
            attack.is_finished() && (released.is_some() || begin.elapsed() > limit)
        },
    );
    let seen = attack.join().unwrap();
    let processor = process.cpu() - processor_before;
    let during = other.stop();
    samples.extend(during.iter().cloned());
    let p99_during = p99(&during);
    let ended = || seen.iter().filter(|seen| !matches!(seen.end, End::Open | End::NoConnection));
    let last = ended().map(|seen| seen.after.as_secs_f64()).fold(0.0, f64::max);
    let bytes: u32 = seen.iter().map(|seen| seen.bytes).sum();
    table.row(vec![
        kind.name.to_owned(),
        count.to_string(),
        milliseconds(before),
        milliseconds(p99_during),
        format!("{:.1}", p99_during.as_secs_f64() / before.as_secs_f64()),
        during.iter().filter(|sample| !sample.outcome.is_success()).count().to_string(),
        format!("{:.0}", processor * 1e6 / f64::from(count)),
        format!("{:.1}", memory / f64::from(count)),
        format!("{:.1}", kernel / f64::from(count)),
        released.map_or_else(|| "not in time".to_owned(), |time| format!("{:.1}", time.as_secs_f64())),
        if ended().next().is_some() { format!("{last:.1}") } else { "–".to_owned() },
        counted(seen.iter().map(|seen| seen.end)),
        format!("{:.0}", f64::from(bytes) / f64::from(count)),
    ]);
    samples
}

/// Starts one client after another, `interval` apart, and waits until all have ended.
fn attack(kind: &Kind, address: SocketAddr, count: u32, interval: Duration, patience: Duration) -> Vec<Seen> {
    let connecting = Semaphore::new(AT_A_TIME);
    // Leaked on purpose: needed until the program exits.
    let (connecting, kind): (&Semaphore, &Kind) = (Box::leak(Box::new(connecting)), Box::leak(Box::new(kind.clone())));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (start, mut clients) = (tokio::time::Instant::now(), JoinSet::new());
        for number in 0..count {
            sleep_until(start + interval * number).await;
            let client = Client { number, phase: Duration::from_secs(1) * number / count };
            clients.spawn(client::run(kind, address, client, connecting, patience));
        }
        clients.join_all().await
    })
}
