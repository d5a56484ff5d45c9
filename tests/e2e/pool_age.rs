//! Upstream connections that are too old for another request.

use crate::support::{Backend, Client, Program, Start};

const REQUESTS: usize = 3;

fn start(backend: &Backend, age: &str) -> Program {
    Start::new().workers(1).route("a.test", backend).flags(&["--pool-max-age", age]).run()
}

#[test]
fn a_connection_beyond_the_maximum_age_gets_no_request() {
    // The test takes less than an hour, so the second connection never expires.
    for (age, connections) in [("1ns", REQUESTS), ("1h", 1), ("off", 1)] {
        let backend = Backend::answering("hello");
        let program = start(&backend, age);
        let mut client = Client::connect(program.http());
        for _ in 0..REQUESTS {
            assert_eq!(client.get("a.test", "/").text(), "hello");
        }
        assert_eq!(backend.connections().len(), connections, "{age}");
    }
}

#[test]
fn a_response_may_outlast_the_maximum_age() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.target.len()));
            connection.send(request.target);
        }
    });
    let program = start(&backend, "1ns");
    let path = format!("/{}", "x".repeat(4000));
    assert_eq!(Client::connect(program.http()).get("a.test", &path).text(), path);
    backend.wait_for_end();
}
