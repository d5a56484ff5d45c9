//! More connections to one address of a backend than one source address has ports for.

use std::{
    fs,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use super::{
    HOST, start,
    support::{
        arguments::Arguments,
        harness::{Client, Program},
        holder::{HeldRequest, Holder},
        never::{ANSWERED, Never},
        process::Process,
        statistics::Sorted,
        table::Table,
    },
};

/// Requests through each proxy that measure how long a new connection takes.
const SAMPLES: u32 = 50;

pub fn table(arguments: &Arguments) -> Table {
    let mut table = Table::new(&[
        "proxies",
        "held to one address",
        "ports of one source",
        "memory (KiB a request)",
        "next before (ms)",
        "slowest",
        "next when filled (ms)",
        "slowest",
        "filled after (s)",
    ]);
    if !arguments.selects("held") {
        return table;
    }
    let count = u8::try_from(arguments.number("proxies", 4)).unwrap();
    let each = arguments.number("each", 9000);
    let all = usize::try_from(u32::from(count) * each).unwrap();
    let backend = Never::start(count);
    let max = (each + 500).to_string();
    let flags = ["--max-connections", &max, "--response-timeout", "1h", "--stall-timeout", "1h"];
    let programs: Vec<_> = (0..count).map(|_| start(backend.address).workers(1).flags(&flags).run()).collect();
    let before = next(&programs);
    let memory = memory_of(&programs);

    let began = Instant::now();
    let request = HeldRequest { host: HOST, path: "/never", answered: false };
    let holders =
        programs.iter().zip(0..).map(|(program, number)| Holder::start(number, program.http(), each, request));
    let mut holders: Vec<_> = holders.collect();
    holders.iter_mut().for_each(Holder::wait);
    while held(backend.address) < all && began.elapsed() < Duration::from_secs(120) {
        thread::sleep(Duration::from_millis(100));
    }
    let filled = began.elapsed();
    // The kernel's list can show a connection twice while it changes.
    thread::sleep(Duration::from_millis(500));
    let held = held(backend.address);
    let grown = memory_of(&programs) - memory;
    let after = next(&programs);
    let cells = |times: &Sorted| [times.p50(), times.max()].map(|time| format!("{:.2}", time.as_secs_f64() * 1000.0));
    let [before, before_max] = cells(&before);
    let [after, after_max] = cells(&after);
    table.row(vec![
        count.to_string(),
        held.to_string(),
        ports().to_string(),
        format!("{:.2}", grown / f64::from(u32::try_from(held).unwrap())),
        before,
        before_max,
        after,
        after_max,
        format!("{:.1}", filled.as_secs_f64()),
    ]);
    table
}

/// How long a request takes over a new client connection. The proxy opens a new backend connection for it: none is idle,
/// because the backend closes each connection after its response.
fn next(programs: &[Program]) -> Sorted {
    let sample = |program: &Program| {
        let start = Instant::now();
        let status = Client::connect(program.http()).get(HOST, ANSWERED).status;
        assert_eq!(status, 200);
        start.elapsed()
    };
    Sorted::new(programs.iter().flat_map(|program| (0..SAMPLES).map(move |_| sample(program))))
}

fn memory_of(programs: &[Program]) -> f64 {
    programs.iter().map(|program| Process(program.id()).tree_memory()).sum()
}

/// Number of established connections to the address, according to the kernel.
fn held(address: SocketAddr) -> usize {
    let SocketAddr::V4(address) = address else { return 0 };
    // Addresses in the file are numbers in native byte order.
    let pattern = format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port());
    let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
    let fields = sockets.lines().map(|line| line.split_whitespace().skip(1).take(3).collect::<Vec<_>>());
    fields.filter(|fields| fields[..] == [&pattern, fields[1], "01"]).count()
}

/// The number of ephemeral ports, and so of connections between two addresses.
fn ports() -> u32 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let ends: Vec<u32> = range.split_whitespace().map(|end| end.parse().unwrap()).collect();
    ends[1] - ends[0] + 1
}
