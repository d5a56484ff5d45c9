//! The whole program with few and with many routes.

use std::{
    fmt::Write,
    thread,
    time::{Duration, Instant},
};

use super::support::{
    arguments::Arguments,
    backend::Backend,
    harness::{Client, Start},
    process::Process,
    table::Table,
};

/// Number of hosts, and of prefixes per host.
const SIZES: [(u32, u32); 3] = [(1, 1), (10_000, 1), (10_000, 10)];

/// Requests that are measured, and warm-up requests before them.
const REQUESTS: u32 = 50_000;
const WARM: u32 = 500;

pub fn table(arguments: &Arguments) -> Table {
    let mut table = Table::new(&[
        "the program",
        "routes",
        "until it listens (s)",
        "resident (MiB)",
        "at most (MiB)",
        "bytes per route",
        "request (µs)",
        "CPU (µs)",
    ]);
    let mut with_one_route = None;
    for (hosts, prefixes) in SIZES {
        if arguments.selects(&format!("the program, {hosts} hosts")) {
            table.row(row(hosts, prefixes, &mut with_one_route));
        }
    }
    table
}

fn row(hosts: u32, prefixes: u32, with_one_route: &mut Option<f64>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::start(folder.path(), 0);
    let start = Start::new().workers(1).config(&config(hosts, prefixes, &backend.address));
    let began = Instant::now();
    let program = start.run();
    let listens = began.elapsed();
    let process = Process(program.id());
    let mut client = Client::connect(program.http());
    let mut request = |number: u32| {
        let host = format!("host-{}.example.test", number * 7919 % hosts);
        let response = client.get(&host, &format!("/part-{}/page", number % prefixes));
        assert_eq!(response.status, 200);
    };
    (0..WARM).for_each(&mut request);
    let (began, cpu) = (Instant::now(), process.cpu());
    (WARM..WARM + REQUESTS).for_each(&mut request);
    let (took, cpu) = (began.elapsed(), process.cpu() - cpu);
    // The allocator returns memory that only startup needed after a while, and only while it is in use.
    thread::sleep(Duration::from_secs(2));
    (0..WARM).for_each(&mut request);
    let resident = process.memory();
    let base = *with_one_route.get_or_insert(resident);
    let microseconds = |seconds: f64| format!("{:.1}", seconds * 1e6 / f64::from(REQUESTS));
    let peak = f64::from(u32::try_from(program.peak_memory()).unwrap());
    let routes = hosts * prefixes;
    let per_route = (resident - base) * 1024.0 / f64::from(routes);
    vec![
        format!("{hosts} hosts, {prefixes} prefixes"),
        routes.to_string(),
        format!("{:.2}", listens.as_secs_f64()),
        format!("{:.1}", resident / 1024.0),
        format!("{:.1}", peak / 1024.0),
        if routes == 1 { "–".to_owned() } else { format!("{per_route:.0}") },
        microseconds(took.as_secs_f64()),
        microseconds(cpu),
    ]
}

fn config(hosts: u32, prefixes: u32, backend: &str) -> String {
    let mut text = String::new();
    for host in 0..hosts {
        for prefix in 0..prefixes {
            writeln!(text, "[[routes]]\nhost = \"host-{host}.example.test\"").unwrap();
            writeln!(text, "prefix = \"/part-{prefix}\"\nupstream = [\"{backend}\"]\n").unwrap();
        }
    }
    text
}
