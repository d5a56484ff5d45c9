//! The descriptors of a generation are closed together with it.

use std::fs;

use crate::{
    eventually, generation, reload_with, route, start_with,
    support::{Backend, Client, Program},
};

fn open(program: &Program) -> usize {
    fs::read_dir(format!("/proc/{}/fd", program.id())).unwrap().count()
}

#[test]
fn many_reloads_leave_no_descriptor_open() {
    let backends = ["0", "1"].map(Backend::answering);
    let file = |round: usize| {
        let listeners = if round.is_multiple_of(2) { ("0", "\"off\"") } else { ("0", "0") };
        let bind = if round % 4 < 2 { "\"127.0.0.1\"" } else { "[\"127.0.0.1\", \"127.0.0.2\"]" };
        let routes = [
            route("a.test", backends[0].address),
            route("changed.test", backends[round % 2].address),
            route(&format!("{round}.test"), backends[1].address),
        ];
        format!(
            "bind = {bind}\nhttp = {}\nhttps = {}\ninternal = \"off\"\nworkers = 2\npool_idle_timeout = \"{}s\"\n{}",
            listeners.0,
            listeners.1,
            60 + round % 3,
            routes.concat()
        )
    };
    let program = start_with(&file(0));
    let mut client = Client::connect(program.http());
    let mut rounds = |rounds: std::ops::Range<usize>| {
        for round in rounds {
            reload_with(&program, &file(round));
            for host in ["a.test", "changed.test", &format!("{round}.test")] {
                assert_eq!(client.get(host, "/").status, 200, "{round} {host}");
            }
        }
    };
    rounds(1..13);
    // Workers close sockets in their own time.
    let mut least = usize::MAX;
    for _ in 0..100 {
        least = least.min(open(&program));
        std::thread::yield_now();
    }
    rounds(13..205);
    eventually("as few descriptors are open as after twelve reloads", || open(&program) <= least);
    assert_eq!(generation(&program), 205);
}
