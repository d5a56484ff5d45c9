//! Logs to a full disk, or to a pipe that nobody reads.

use std::net::TcpListener;

use nix::sys::signal::Signal;

use crate::support::{Backend, Client, Start};

#[test]
fn requests_are_served_if_the_log_has_no_reader() {
    let backend = Backend::answering("ok");
    // The reader leaves once the program has started.
    let through = ["bash", "-c", "exec \"$0\" \"$@\" 2> >(head -n 6 >&2)"];
    let mut program = Start::new().route("a.test", &backend).flags(&["--access-log"]).through(&through).run();
    program.wait_for_line("a.test/ -> ");
    let mut client = Client::connect(program.http());
    for _ in 0..100 {
        assert_eq!(client.get("a.test", "/").status, 200);
    }
    program.signal(Signal::SIGTERM);
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn the_exit_code_is_right_even_if_standard_error_is_full() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for outlet in ["2>/dev/full", "2>&-", "2> >(true)"] {
        let command: &'static str = format!("exec \"$0\" \"$@\" {outlet}").leak();
        let output = Start::new().http(port).through(&["bash", "-c", command]).output();
        assert_eq!(output.status.code(), Some(2), "{outlet}");
    }
}
