//! Clients and backends that do not read cost a bounded amount of memory.

use std::{io::Write, sync::mpsc};

use crate::support::{Backend, Client, PATIENCE, Program, Start, client::get, h2, tls::Tls};

/// Size of the unread body.
const LARGE: usize = 100 * 1024 * 1024;
/// Two sockets' kernel buffers, up to 6 MiB on each side. The program itself holds little compared to that.
const MAX_SENT: usize = 32 * 1024 * 1024;
/// Maximum growth in KiB of a debug build with a few connections.
const MAX_HELD: u64 = 48 * 1024;

/// A backend that sends a large response, and reports how much of it the program read.
fn large() -> (Backend, mpsc::Receiver<usize>) {
    let (report, taken) = mpsc::channel();
    let backend = Backend::start(move |connection| {
        connection.head().unwrap();
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n"));
        let piece = [b'x'; 16 * 1024];
        let taken = (0..LARGE / piece.len()).take_while(|_| connection.write_all(&piece).is_ok()).count();
        let _ = report.send(taken * piece.len());
    });
    (backend, taken)
}

#[track_caller]
fn assert_bounded(name: &str, program: &Program, before: u64, taken: &mpsc::Receiver<usize>) {
    let taken = taken.recv_timeout(PATIENCE).expect("the response should have been given up");
    let grown = program.peak_memory().saturating_sub(before);
    println!("{name}: {} KiB taken from the backend, {grown} KiB of memory", taken / 1024);
    assert!(taken < MAX_SENT, "{name}: {taken}");
    assert!(grown < MAX_HELD, "{name}: {grown} KiB");
}

#[test]
fn a_client_that_reads_nothing_costs_bounded_memory() {
    let (backend, taken) = large();
    let program = Start::new().workers(1).route("a.test", &backend).flags(&["--stall-timeout", "500ms"]).run();
    let before = program.peak_memory();

    let mut client = Client::connect(program.http());
    client.send(get("a.test", "/"));
    assert_bounded("HTTP/1.1", &program, before, &taken);

    let mut client = Tls::trusting(&program).connect(program.https(), "a.test").unwrap();
    client.send(get("a.test", "/"));
    assert_bounded("HTTP/1.1 over TLS", &program, before, &taken);

    let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    // The maximum window, 2^31 - 1 (RFC 9113, 6.9.1).
    let window = ((1_u32 << 31) - 1 - 65535).to_be_bytes();
    let request = h2::headers(1, &h2::get("a.test", "/"), true);
    let windows = [h2::frame(8, 0, 0, &window), h2::frame(8, 0, 1, &window)].concat();
    client.send([h2::opening(), request, windows].concat());
    assert_bounded("HTTP/2", &program, before, &taken);
}

#[test]
fn a_backend_that_reads_nothing_costs_bounded_memory() {
    let (done, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let backend = Backend::start(move |connection| {
        connection.head();
        let _ = wait.lock().unwrap().recv();
    });
    let program = Start::new().workers(1).route("a.test", &backend).flags(&["--response-timeout", "500ms"]).run();
    let before = program.peak_memory();
    let mut client = Client::connect(program.http());
    client.send(format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {LARGE}\r\n\r\n"));
    let piece = [b'x'; 16 * 1024];
    let mut sender = client.stream.try_clone().unwrap();
    // Ends with the connection. After its response, the program keeps reading for a while, at most 16 MiB.
    let sending =
        std::thread::spawn(move || (0..LARGE / piece.len()).take_while(|_| sender.write_all(&piece).is_ok()).count());
    assert_eq!(client.response().status, 504);
    let sent = sending.join().unwrap() * piece.len();
    let grown = program.peak_memory().saturating_sub(before);
    println!("{} KiB sent, {grown} KiB of memory", sent / 1024);
    assert!(sent < MAX_SENT + 16 * 1024 * 1024, "{sent}");
    assert!(grown < MAX_HELD, "{grown} KiB");
    drop(done);
}
