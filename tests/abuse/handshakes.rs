//! TLS handshakes that stall or fail after a ClientHello for a served host. Each connection is closed with a FIN,
//! whatever the client still sends.

use std::{
    io::{ErrorKind, Read, Write},
    thread,
    time::Duration,
};

use crate::support::{
    Backend, Client, Program, Start,
    tls::{TLS12, TLS13, Tls},
};

/// Short, so that the client reads between two writes.
const GLANCE: Duration = Duration::from_millis(5);

fn start() -> (Program, Backend) {
    let backend = Backend::answering("ok");
    (Start::new().workers(1).route("a.test", &backend).flags(&["--silence-deadline", "1s"]).run(), backend)
}

/// Sends `first`, then `rest` byte by byte, until the program closes the connection. Fails unless that is with a FIN.
fn stall(program: &Program, first: &[u8], rest: impl Iterator<Item = u8>) -> Result<(), String> {
    let mut stream = Client::connect(program.https()).stream;
    stream.set_read_timeout(Some(GLANCE)).unwrap();
    stream.write_all(first).map_err(|error| error.to_string())?;
    let (mut rest, mut buffer) = (rest.fuse(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(format!("{error} instead of a FIN")),
        }
        if let Some(byte) = rest.next() {
            stream.write_all(&[byte]).map_err(|error| format!("{error} before the FIN"))?;
        }
    }
    // Input after the FIN is discarded. If the first byte got a RST, writing the second would fail.
    for byte in [0; 2] {
        stream.write_all(&[byte]).map_err(|error| format!("{error} after the FIN"))?;
    }
    stream.read(&mut buffer).map(drop).map_err(|error| format!("{error} at the end"))
}

#[test]
fn a_stalled_handshake_ends_with_a_fin() {
    let (program, _backend) = start();
    let mut bystander = Tls::trusting(&program).connect(program.https(), "a.test").unwrap();
    assert_eq!(bystander.get("a.test", "/").status, 200);
    // An incomplete record: its head and a few bytes.
    let record = |kind: u8| [&[kind, 3, 3, 0x40, 0][..], &[0; 10]].concat();
    let mut cases = Vec::new();
    for (version, versions) in [("1.2", [&TLS12]), ("1.3", [&TLS13])] {
        let hello = Tls::trusting(&program).versions(&versions).hello("a.test");
        for (name, more, dribbles) in [
            ("nothing", vec![], false),
            ("half a record", record(22), false),
            ("half an encrypted record", record(23), false),
            ("a record byte by byte", record(22), true),
            ("an encrypted record byte by byte", record(23), true),
        ] {
            cases.push((format!("{name}, TLS {version}"), [hello.clone(), more].concat(), dribbles));
        }
    }
    let failures: Vec<_> = thread::scope(|scope| {
        let (program, stalls): (_, Vec<_>) = (&program, cases.into_iter().collect());
        let stalls = stalls.into_iter().map(|(name, first, dribbles)| {
            let rest = std::iter::repeat_n(0, if dribbles { usize::MAX } else { 0 });
            (name, scope.spawn(move || stall(program, &first, rest)))
        });
        let stalls: Vec<_> = stalls.collect();
        assert_eq!(bystander.get("a.test", "/").status, 200);
        let ends = stalls.into_iter().map(|(name, end)| (name, end.join().unwrap()));
        ends.filter_map(|(name, end)| end.err().map(|error| format!("{name}: {error}"))).collect()
    });
    crate::support::assert_none(&failures);
    assert_eq!(bystander.get("a.test", "/").status, 200);
}

#[test]
fn a_handshake_that_fails_ends_with_a_fin() {
    let (program, _backend) = start();
    for versions in [[&TLS12], [&TLS13]] {
        let hello = Tls::trusting(&program).versions(&versions).hello("a.test");
        // Not a TLS record, followed by much more.
        let broken = [hello, vec![0xff; 100_000]].concat();
        assert_eq!(stall(&program, &broken, std::iter::repeat_n(0xff, 1000)), Ok(()));
    }
    assert_eq!(Tls::trusting(&program).get(program.https(), "a.test", "a.test").status, 200);
}
