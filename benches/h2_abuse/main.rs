//! How HTTP/2 attacks affect the proxy, its backend and its other clients.
//!
//! ```sh
//! cargo bench --bench h2_abuse                        # 24 rows of 20 s
//! cargo bench --bench h2_abuse -- --only reset        # only rows with "reset" in the name
//! ```
//!
//! Each row has a proxy of its own, with one worker. The attack sends it frames over 8 connections (`--connections`) for 10 s
//! (`--seconds`), over HTTP/2 without TLS, so that the attacker's encryption is not part of the cost. Closed connections are
//! reopened. Another client sends 100 GET/s over HTTP/1.1, for 10 s before the attack (`--calm`) and during it.
//!
//! The proxy has a core to itself (`taskset`). Everything else shares the other cores, where the other client and its backend
//! have priority: attackers, and the backend for their requests, run only when these are idle (`chrt`). So the other client
//! waits for the proxy alone, and an attack is as strong as one core can make it. Compare with the first row, which breaks no
//! rule.
//!
//! | column | meaning |
//! | --- | --- |
//! | p99 before, during | ms that the other client waits, from when a request was due |
//! | ratio | p99 during, divided by p99 before |
//! | lost | requests of the other client without a 200 |
//! | memory | the highest growth of the resident memory of the proxy, in MiB |
//! | CPU | of the proxy, in percent of one core |
//! | sent | MiB sent by the attack |
//! | requests | started by the attack; then how many of them the backend has read completely |
//! | opened, ends | connections of the attack and how they ended; "open" at the end of the row |
//! | first end | age in seconds of the first connection that was closed |

#![allow(clippy::unwrap_used, reason = "a failed measurement panics")]
#![allow(unreachable_pub, reason = "this is a program: nothing outside reaches it")]
#![allow(dead_code, unused_imports, reason = "shared with other benches")]

mod attacker;
mod attacks;
mod frames;
#[path = "../support/mod.rs"]
mod support;

use std::{
    thread,
    time::{Duration, Instant},
};

use self::{
    attacker::{Damage, attack},
    attacks::{Attack, attacks},
    support::{
        arguments::Arguments,
        backend::Backend,
        backend_process::maybe_run_backend,
        cores::{PROXY_CORE, leave_proxy_core, run_only_when_idle},
        load::{Load, Plan, Sample, p99},
        process::{Process, peak_until, raise_descriptor_limit},
        proxy::{HOST, start},
        statistics::{counted, milliseconds},
        table::Table,
    },
};

const OTHER: &str = "/other/";

fn main() {
    maybe_run_backend();
    let arguments = Arguments::read(&["seconds", "connections", "only", "calm"]);
    leave_proxy_core();
    raise_descriptor_limit();
    let mut table = Table::new(&[
        "attack",
        "p99 before (ms)",
        "during (ms)",
        "ratio",
        "lost",
        "memory (MiB)",
        "CPU (%)",
        "sent (MiB)",
        "requests",
        "reached the backend",
        "opened",
        "first end (s)",
        "ends",
    ]);
    let (mut served, mut sent) = (0, 0);
    for attack in attacks().iter().filter(|attack| arguments.selects(attack.name)) {
        let samples = run(attack, &arguments, &mut table);
        served += samples.iter().filter(|sample| sample.outcome.is_success()).count();
        sent += samples.len();
    }
    println!("{table}");
    println!("control: {served} of {sent} requests of the other client were answered with 200");
    assert!(served > 0, "the other client got no response with 200");
}

/// Adds the row. Returns the results of the other client.
fn run(kind: &Attack, arguments: &Arguments, table: &mut Table) -> Vec<Sample> {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::start(folder.path(), 0);
    let attacked = Backend::start_last(folder.path(), 1);
    let program = start(std::slice::from_ref(&attacked.address)).through(PROXY_CORE).workers(1);
    let program = program.flags(&["--route", &format!("{HOST}{OTHER}={}", backend.address)]);
    let program = program.flags(&["--http-h2c", "silent"]).run();
    let (process, address, patience) = (Process(program.id()), program.http(), Duration::from_secs(10));
    let other = Load::start(Plan { address, method: "GET", path: OTHER, rate: 100, fresh: 0, patience });
    thread::sleep(arguments.seconds("calm", 10));
    let mut samples = other.take();
    let before = p99(&samples);
    let (memory, cpu, start) = (process.memory(), process.cpu(), Instant::now());
    let attack = {
        let (kind, seconds, connections) =
            (kind.clone(), arguments.seconds("seconds", 10), arguments.number("connections", 8));
        thread::spawn(move || {
            run_only_when_idle();
            attack(&kind, address, connections, seconds)
        })
    };
    let [peak] = peak_until(|| [process.memory()], || attack.is_finished());
    let cpu = (process.cpu() - cpu) / start.elapsed().as_secs_f64();
    let Damage { ends, bytes, requests } = attack.join().unwrap();
    let during = other.stop();
    let reached = attacked.requests().len();
    samples.extend(during.iter().cloned());
    let p99_during = p99(&during);
    let first = ends.iter().filter(|end| !end.is_open()).map(|end| end.at).min();
    table.row(vec![
        kind.name.to_owned(),
        milliseconds(before),
        milliseconds(p99_during),
        format!("{:.1}", p99_during.as_secs_f64() / before.as_secs_f64()),
        during.iter().filter(|sample| !sample.outcome.is_success()).count().to_string(),
        format!("{:.1}", (peak - memory) / 1024.0),
        format!("{:.0}", cpu * 100.0),
        (bytes >> 20).to_string(),
        requests.to_string(),
        reached.to_string(),
        ends.len().to_string(),
        first.map_or_else(|| "–".to_owned(), |time| format!("{:.2}", time.as_secs_f64())),
        counted(ends.iter().map(|end| &end.how)),
    ]);
    samples
}
