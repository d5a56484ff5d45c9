//! Out of file descriptors: the program waits for better times and serves on.

use crate::support::{Backend, Client, Start};

#[test]
fn more_connections_than_descriptors() {
    let backend = Backend::answering("ok");
    let program = Start::new()
        .workers(1)
        .route("a.test", &backend)
        .flags(&["--silence-deadline", "1h"])
        // Soft and hard, so that the program cannot raise it.
        .through(&["sh", "-c", "ulimit -n 64; exec \"$0\" \"$@\""])
        .run();
    let mut early = Client::connect(program.http());
    assert_eq!(early.get("a.test", "/").status, 200);

    let crowd: Vec<_> = (0..100).map(|_| Client::connect(program.http())).collect();
    program.wait_for_line("cannot accept a connection for now");
    // Who is in is served, over the connection to the backend that is there.
    assert_eq!(early.get("a.test", "/").status, 200);
    drop(crowd);
    for _ in 0..3 {
        assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 200);
    }
    assert_eq!(early.get("a.test", "/").status, 200);
}
