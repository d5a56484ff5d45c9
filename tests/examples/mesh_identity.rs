use std::process::{Command, Output};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::program::{Program, command};

fn with_secret(digit: &str) -> Command {
    let mut command = command("mesh_identity");
    command.env("PMESH_SECRET", digit.repeat(64));
    command
}

fn ask(digit: &str, program: &Program) -> Output {
    with_secret(digit).arg(program.address.to_string()).output().unwrap()
}

#[tokio::test]
async fn a_client_with_the_secret_gets_an_answer_and_others_get_nothing() {
    let program = Program::spawn(&mut with_secret("1"));
    let answer = ask("1", &program);
    assert_eq!(String::from_utf8(answer.stdout).unwrap(), "hello paris, here is berlin\n");

    let refused = ask("2", &program);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && refused.stdout.is_empty());
    assert!(told.contains("closed the connection without a byte"), "{told}");

    for bytes in
        ["GET / HTTP/1.1\r\nHost: berlin\r\n\r\n", "\x16\x03\x01\0\x01\x01", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let (mut stream, mut heard) = (program.connect().await, Vec::new());
        stream.write_all(bytes.as_bytes()).await.unwrap();
        // The second case is only the start of a handshake, so the server would wait for more.
        stream.shutdown().await.unwrap();
        stream.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"", "{bytes:?}");
    }
}

#[test]
fn the_example_is_short() {
    let lines = include_str!("../../examples/mesh_identity.rs").lines().map(str::trim);
    let code = lines.filter(|line| !line.is_empty() && !line.starts_with("//") && !line.starts_with("use "));
    assert!(code.count() < 40);
}
