//! Requests that a limit of their route has rejected.

use nix::sys::signal::Signal;

use crate::{
    printed,
    support::{Client, Start},
};

#[test]
fn rejected_requests_are_counted() {
    let config = "[[routes]]\nhost = \"a.test\"\nrespond = 204\nrate_limit = { requests = 1, per = \"1h\" }\n";
    let mut program = Start::new().config(config).run();
    assert!(!printed(&program, &["status"]).contains("limited"));
    for _ in 0..4 {
        Client::connect(program.http()).get("a.test", "/");
    }
    let status = printed(&program, &["status"]);
    assert!(status.lines().any(|line| line.starts_with("limited ") && line.ends_with(" rate_limit 3")), "{status}");
    program.signal(Signal::SIGTERM);
    program.wait();
    let line = program.wait_for_line("stopped");
    assert!(line.contains("limited=\"rate_limit 3\""), "{line}");
}
