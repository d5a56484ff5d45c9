//! Runs every command that `pmesh demo` prints, and checks that it shows what the text says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use tempfile::TempDir;

#[test]
fn every_printed_command_does_what_the_text_says() {
    for tool in ["bash", "curl"] {
        if Command::new(tool).arg("--version").output().is_err() {
            println!("skipped: {tool} is not installed");
            return;
        }
    }
    let demo = Demo::start();
    let commands: Vec<_> = demo.text.lines().filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(commands.len(), 6, "{}", demo.text);
    let outputs: Vec<_> = commands.iter().map(|command| demo.paste(command)).collect();

    let [over_http, websocket, without_name, over_https, version, without_sni] = &outputs[..] else { unreachable!() };
    assert_in("X-Forwarded-For    127.0.0.1\n", &over_http.stdout);
    assert_in("X-Forwarded-Proto  http\n", &over_http.stdout);
    assert_in("X-Real-IP          127.0.0.1\n", &over_http.stdout);
    assert_in("CDN-Loop           pmesh-", &over_http.stdout);
    assert_in("connection from    127.2.", &over_http.stdout);
    assert_in("101 Switching Protocols", &websocket.stdout);
    assert_in("hello from 127.1.0.1:", &websocket.stdout);
    assert_eq!((without_name.status.code(), text(&without_name.stdout)), (Some(52), String::new()));
    assert_in("curl: (52) Empty reply from server", &without_name.stderr);
    assert_in("X-Forwarded-Proto  https\n", &over_https.stdout);
    if speaks_http2() {
        assert_eq!(text(&version.stdout), "2\n");
    } else {
        println!("skipped: this curl was built without HTTP/2");
    }
    assert_eq!((without_sni.status.code(), text(&without_sni.stdout)), (Some(35), String::new()));
    assert_in("curl: (35)", &without_sni.stderr);
}

#[test]
fn a_browser_gets_a_page() {
    let demo = Demo::start();
    let page = demo.exchange(
        b"GET / HTTP/1.1\r\nHost: demo.localhost\r\nAccept: text/html,*/*;q=0.8\r\nConnection: close\r\n\r\n",
    );
    assert_in("content-type: text/html", &page);
    assert_in("<td>demo.localhost</td>", &page);
    assert_in("</html>", &page);
}

#[test]
fn the_demo_can_be_reloaded() {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("demo.toml");
    fs::write(&file, "access_log = false\n").unwrap();
    let demo = Demo::start_with(&["--http", "0", "--https", "0", "--config", file.to_str().unwrap()]);
    let ask =
        |host: &str| demo.exchange(format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes());
    assert_eq!(text(&ask("own.localhost")), "");
    fs::write(&file, "[[routes]]\nhost = \"own.localhost\"\nupstream = [\"127.0.0.1:1\"]\n").unwrap();
    let reload = Command::new(env!("CARGO_BIN_EXE_pmesh"))
        .args(["reload", "--home"])
        .arg(demo.folder.path().join("home"))
        .env_clear()
        .env("HOME", demo.folder.path())
        .output()
        .unwrap();
    assert!(reload.status.success(), "{}", text(&reload.stderr));
    assert_in("own.localhost/", &reload.stdout);
    assert_in(" 502 ", &ask("own.localhost"));
    assert_in(" 200 ", &ask("demo.localhost"));
}

#[test]
fn the_websocket_echoes_until_it_is_closed() {
    let request = b"GET /ws HTTP/1.1\r\nHost: demo.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // Both are masked with zeros, which leave the text readable.
    let message = b"\x81\x84\0\0\0\0ping";
    let close = b"\x88\x80\0\0\0\0";
    let answer = Demo::start().exchange(&[&request[..], message, close].concat());
    assert_in("hello from 127.1.0.1:", &answer);
    assert!(answer.ends_with(b"\x81\x04ping\x88\x00"), "{answer:?}");
}

#[test]
fn setting_one_port_turns_the_other_off() {
    let demo = Demo::start_with(&["--http", "0"]);
    for line in [
        "http      127.0.0.1:",
        "https     off\n",
        "internal  off\n",
        "# Add --https 8443 for more examples, with TLS.",
    ] {
        assert_in(line, demo.text.as_bytes());
    }
    assert_eq!(demo.text.lines().filter(|line| line.starts_with("curl ")).count(), 3);
}

#[test]
fn a_signal_stops_proxy_and_backend() {
    let mut demo = Demo::start();
    // The demo handles signals before it serves, so a response shows that it can be stopped.
    assert_in("200 OK", &demo.exchange(b"GET /health HTTP/1.1\r\nHost: demo.localhost\r\nConnection: close\r\n\r\n"));
    // `kill` is a builtin of the shell; not every system has it as a program.
    let interrupt = format!("kill -INT {}", demo.process.id());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().unwrap().success());
    assert!(demo.process.wait().unwrap().success());
}

/// A running demo and its output.
struct Demo {
    process: Child,
    text: String,
    folder: TempDir,
    _stdout: BufReader<ChildStdout>,
}

impl Demo {
    fn start() -> Self {
        Self::start_with(&["--http", "0", "--https", "0"])
    }

    fn start_with(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        fs::create_dir(&home).unwrap();
        // The demo ignores this file. With it, it would fail on this address, which no machine has (RFC 5737).
        fs::write(home.join("config.toml"), "bind = \"192.0.2.1\"\ninternal = 8443\n").unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_pmesh"))
            .arg("demo")
            .args(flags)
            .args(["--log", "warn", "--home"])
            .arg(home)
            .env_clear()
            .env("HOME", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut text = String::new();
        while !text.ends_with("Ctrl-C stops the proxy and the backend.\n") {
            assert_ne!(stdout.read_line(&mut text).unwrap(), 0, "the output ended after {text:?}");
        }
        Self { process, text, folder, _stdout: stdout }
    }

    /// Runs a command as a person would, but without the settings of this user's curl.
    fn paste(&self, line: &str) -> Output {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut bash = Command::new("bash");
        bash.args(["-c", line]).env_clear().env("PATH", path).env("HOME", self.folder.path());
        bash.stdin(Stdio::null()).output().unwrap()
    }

    /// Sends `bytes` to the http port and reads until the connection is closed.
    fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.word_after("http      ")).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }

    /// The address after `label` in the text.
    fn word_after(&self, label: &str) -> SocketAddr {
        let line = self.text.lines().find_map(|line| line.trim_start().strip_prefix(label)).unwrap();
        line.split([' ', ',']).next().unwrap().parse().unwrap()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn speaks_http2() -> bool {
    text(&Command::new("curl").arg("--version").output().unwrap().stdout).contains("HTTP2")
}

fn assert_in(part: &str, whole: &[u8]) {
    let whole = text(whole);
    assert!(whole.contains(part), "{part:?} is not in {whole:?}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
