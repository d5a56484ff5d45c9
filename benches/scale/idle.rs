//! The cost of a request while many other connections are idle.

use std::time::Duration;

use super::{
    HOST, rounds, start,
    support::{
        arguments::Arguments,
        generator::wrk,
        harness::Program,
        holder::{HeldRequest, Holder},
        nginx::Nginx,
        process::Process,
        statistics::median,
        table::Table,
        tool::open_folder,
    },
};

/// The clients are spread over these processes.
const PROCESSES: u8 = 2;

pub fn table(arguments: &Arguments) -> Table {
    let mut table =
        Table::new(&["idle connections", "CPU (µs)", "requests/s", "p99 (ms)", "memory (KiB per connection)"]);
    if !arguments.selects("idle") {
        return table;
    }
    let folder = open_folder();
    let backend = Nginx::start(Some("1"), folder.path());
    let count = arguments.number("idle", 15_000) / u32::from(PROCESSES);
    let max = (count * u32::from(PROCESSES) + 1000).to_string();
    let flags = ["--max-connections", &max, "--keep-alive-timeout", "1h"];
    let program = start(backend.address).through(&["taskset", "-c", "0"]).workers(1).flags(&flags).run();
    let process = Process(program.id());
    add(&mut table, "0", &program, arguments, None);
    let memory = process.memory();
    let request = HeldRequest { host: HOST, path: "/small", answered: true };
    let mut holders: Vec<_> =
        (0..PROCESSES).map(|number| Holder::start(number, program.http(), count, request)).collect();
    holders.iter_mut().for_each(Holder::wait);
    let held = count * u32::from(PROCESSES);
    assert!(process.descriptors() >= usize::try_from(held).unwrap(), "the proxy has closed some connections");
    let each = (process.memory() - memory) / f64::from(held);
    add(&mut table, &held.to_string(), &program, arguments, Some(each));
    assert!(process.descriptors() >= usize::try_from(held).unwrap(), "the proxy has closed some connections");
    table
}

fn add(table: &mut Table, idle: &str, program: &Program, arguments: &Arguments, memory: Option<f64>) {
    let (url, process) = (format!("http://{HOST}:{}/small", program.http().port()), Process(program.id()));
    let (mut cpu, mut per_second, mut p99) = (Vec::new(), Vec::new(), Vec::new());
    wrk(Some("1"), &url, 64, Duration::from_secs(1), &[]);
    for _ in 0..rounds(arguments) {
        let before = process.cpu();
        let run = wrk(Some("1"), &url, 64, arguments.seconds("seconds", 5), &[]);
        assert!(run.bad == 0.0, "{} bad responses", run.bad);
        cpu.push((process.cpu() - before) * 1e6 / run.requests);
        per_second.extend(run.per_second);
        p99.extend(run.p99);
    }
    table.row(vec![
        idle.to_owned(),
        format!("{:.1}", median(&cpu)),
        format!("{:.0}", median(&per_second)),
        format!("{:.2}", median(&p99)),
        memory.map_or_else(|| "–".to_owned(), |memory| format!("{memory:.2}")),
    ]);
}
