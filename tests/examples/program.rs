//! Runs the examples.

use std::{
    env,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A running example. Dropping this kills it.
pub(crate) struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Program {
    /// Starts `examples/NAME.rs` on a port that the kernel picks.
    pub(crate) fn start(name: &str) -> Self {
        Self::spawn(&mut command(name))
    }

    /// Starts a command from [`command`] on a port that the kernel picks.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.arg("0").stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut program = Self { child, output, address: ([127, 0, 0, 1], 0).into() };
        let line = program.next_line().unwrap();
        program.address = line.strip_prefix("listening on ").unwrap().parse().unwrap();
        program
    }

    /// The next line that it prints, or `None` once it has exited.
    pub(crate) fn next_line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.strip_suffix('\n').map(str::to_owned)
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends it a SIGINT, as `Ctrl+C` does.
    pub(crate) fn interrupt(&self) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        kill(pid, Signal::SIGINT).unwrap();
    }

    /// Sends `bytes` and returns everything that comes back until the connection is closed. Panics on a RST.
    pub(crate) async fn answer_to(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

/// The command that runs `examples/NAME.rs`.
pub(crate) fn command(name: &str) -> Command {
    // Tests are in target/PROFILE/deps, examples in target/PROFILE/examples.
    let test = env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        path.exists(),
        "no {}: `cargo test --test` builds no examples, `cargo build --examples` does",
        path.display()
    );
    Command::new(path)
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
