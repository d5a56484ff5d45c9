//! Startup errors: the whole of standard error, exit code 2, and no port bound.

use std::{
    fs::{self, Permissions},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use crate::support::{Start, files};

/// Starts the program, which must fail. Returns the error, without the log line that names the file. `[HOME]`, `[PORT]` and
/// `[NEXT]` (the port after it) replace the parts that vary.
///
/// The port for `http` is taken, so a program that gets that far fails with another error.
fn startup_error(prepare: impl FnOnce(Start) -> Start) -> String {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let start = Start::new().http(port);
    // Otherwise the program would create a secret, and say so.
    secret(start.home(), "secret", &"7".repeat(64), 0o600);
    let start = prepare(start);
    let output = start.output();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    let text = match text.split_once('\n') {
        Some((first, rest)) if first.contains(" INFO config ") => rest,
        _ => &text,
    };
    text.replace(start.home().to_str().unwrap(), "[HOME]")
        .replace(&port.to_string(), "[PORT]")
        .replace(&(port + 1).to_string(), "[NEXT]")
}

fn secret(folder: &Path, name: &str, text: &str, mode: u32) {
    fs::write(folder.join(name), text).unwrap();
    fs::set_permissions(folder.join(name), Permissions::from_mode(mode)).unwrap();
}

/// Flags, with `[HOME]` for the home.
fn flags<'a>(flags: &'a [&'a str]) -> impl FnOnce(Start) -> Start + 'a {
    move |start| {
        let home = start.home().to_str().unwrap().to_owned();
        flags.iter().fold(start, |start, flag| start.flags(&[&flag.replace("[HOME]", &home)]))
    }
}

#[test]
fn a_port_in_use_is_an_error() {
    assert_eq!(
        startup_error(|start| start),
        "pmesh: cannot listen on 127.0.0.1:[PORT] (http): the port is in use
  find the program with `ss -ltnp 'sport = :[PORT]'`; choose another port with --http [NEXT], or turn this \
         listener off with --http off
  caused by: Address already in use (os error 98)
"
    );
}

#[test]
fn an_address_of_another_machine_is_an_error() {
    assert_eq!(
        // Reserved for documentation (RFC 5737), so no machine has it.
        startup_error(|start| start.bind("192.0.2.1")),
        "pmesh: cannot listen on 192.0.2.1:[PORT] (http): this machine does not have the address
  set another with --bind or PMESH_BIND; 0.0.0.0 means every IPv4 address
  caused by: Cannot assign requested address (os error 99)
"
    );
}

#[test]
fn too_few_open_files_are_an_error() {
    for limit in [14, 20] {
        let script = format!("ulimit -n {limit}; exec \"$0\" \"$@\"").leak();
        assert_eq!(
            startup_error(|start| start.through(&["sh", "-c", script])),
            format!(
                "pmesh: cannot start with a limit of {limit} open files: pmesh itself needs 31, each client two \
                 more
  raise the limit of open files with `ulimit -n` in a shell, LimitNOFILE= in systemd or --ulimit nofile= in Docker
"
            )
        );
    }
    // Descriptors that are already open at startup count.
    let script = "ulimit -n 31; exec 20<&0 21<&0 22<&0; exec \"$0\" \"$@\"";
    let error = startup_error(|start| start.http(0).through(&["bash", "-c", script]));
    assert!(
        error.ends_with(
            "Too many open files (os error 24)\npmesh: raise the limit of open files with `ulimit -n` in a \
                            shell, LimitNOFILE= in systemd or --ulimit nofile= in Docker\n"
        ),
        "{error}"
    );
}

#[test]
fn an_unknown_flag_is_an_error() {
    assert_eq!(
        startup_error(flags(&["--rout=a.test=127.0.0.1:1"])),
        "error: unexpected argument '--rout' found

  tip: a similar argument exists: '--route'

Usage: pmesh --home <DIR> --workers <N> --bind <IP[,IP…]> --http <PORT> --https <PORT> --internal <PORT> \
         --route <HOST[/PREFIX]=UPSTREAM[,UPSTREAM…]>

For more information, try '--help'.
"
    );
}

#[test]
fn invalid_settings_are_errors() {
    for (name, given, expected) in [
        ("no equals sign", "a.test", "expected HOST[/PREFIX]=UPSTREAM[,UPSTREAM…], found \"a.test\""),
        ("no upstream", "a.test=", "no upstream for \"a.test\": name at least one address"),
        (
            "no port",
            "a.test=backend",
            "expected an upstream such as 127.0.0.1:9001, https://name or unix:/run/app.sock, found \"backend\": the port is \
             missing: write backend:8080 for port 8080, or http://backend for port 80; groups below [upstreams] are planned, but not \
             available in this version",
        ),
        (
            "an impossible port",
            "a.test=127.0.0.1:65536",
            "expected an upstream such as 127.0.0.1:9001, https://name or unix:/run/app.sock, found \"127.0.0.1:65536\": the port is \
             not a number from 1 to 65535",
        ),
    ] {
        assert_eq!(startup_error(flags(&["--route", given])), format!("pmesh: --route: {expected}\n"), "{name}");
    }
    assert_eq!(
        startup_error(flags(&["--subnet-dialer", "10.0.0.0/8"])),
        "pmesh: --subnet-dialer: expected an IPv4 network inside 127.0.0.0/8, such as 127.2.0.0/16, found \
         \"10.0.0.0/8\": the network must lie inside 127.0.0.0/8\n"
    );
    assert_eq!(
        startup_error(flags(&["--source-addresses", "127.0.0.1"])),
        "pmesh: --source-addresses: expected a non-loopback IP address of this machine, found \"127.0.0.1\": \
         loopback addresses only reach loopback upstreams, and `subnet_dialer` sets the source addresses for these\n"
    );
}

#[test]
fn the_log_names_the_file_that_was_read_and_unknown_variables() {
    let start = Start::new().variable("PMESH_HTPP", "1");
    let home = start.home().display().to_string();
    let program = start.run();
    program.wait_for_line(&format!(" INFO config    {home}/config.toml"));
    program.wait_for_line(" WARN PMESH_HTPP: unknown variable, ignored; did you mean `PMESH_HTTP`?");
}

#[test]
fn mistakes_in_the_file_are_errors() {
    assert_eq!(
        startup_error(flags(&["--config", "[HOME]/none.toml"])),
        "pmesh: --config: cannot read [HOME]/none.toml: No such file or directory (os error 2)\n"
    );
    assert_eq!(
        startup_error(|start| start.config("htpp = 1\ntrusted_proxies = [\"10.0.0.0/40\"]\naccess_log = \"many\"\n")),
        "pmesh: 3 problems with the settings:
  [HOME]/config.toml:1: htpp: unknown key; did you mean `http`?
  [HOME]/config.toml:2: trusted_proxies[0]: expected an IP address or a network such as 10.0.0.0/8, found \
         \"10.0.0.0/40\"
  [HOME]/config.toml:3: access_log: expected true or false, found \"many\"
"
    );
    assert_eq!(
        startup_error(|start| start.config("[[routes]]\nhost = \"a.test\"\n")),
        "pmesh: [HOME]/config.toml:1: routes[0]: no answer for \"a.test\": write where requests go, as in upstream = \"127.0.0.1:3000\"\n"
    );
}

#[test]
fn an_unusable_secret_is_an_error() {
    let secret = |text: &'static str, mode: u32| {
        move |start: Start| {
            secret(start.home(), "s", text, mode);
            flags(&["--secret-file", "[HOME]/s"])(start)
        }
    };
    assert_eq!(
        startup_error(flags(&["--secret-file", "[HOME]/s"])),
        "pmesh: the secret file [HOME]/s does not exist; copy it from another node, or create one with `openssl rand -hex 32`\n"
    );
    assert_eq!(
        startup_error(flags(&["--secret-file", "[HOME]"])),
        "pmesh: [HOME] is a folder; the secret must be a file\n"
    );
    assert_eq!(
        startup_error(secret("0123456789abcdef", 0o600)),
        "pmesh: the secret file [HOME]/s does not hold a valid secret
  caused by: a secret is 64 hexadecimal digits, but this has only 16; create one with `openssl rand -hex 32`
"
    );
    assert_eq!(
        startup_error(secret("0123456789abcdef", 0o640)),
        "pmesh: other users can read or write the secret file [HOME]/s (mode 0640); run `chmod 600 \
         [HOME]/s`\n"
    );
    // The value may be secret, so it is not shown.
    let error = startup_error(|start| start.variable("PMESH_SECRET", "short-but-secret"));
    assert_eq!(
        error,
        "pmesh: PMESH_SECRET does not hold a valid secret
  caused by: a secret is 64 hexadecimal digits, but this contains other characters; create one with `openssl rand -hex 32`
"
    );
}

#[test]
fn unusable_certificates_are_errors() {
    const PAIR: &[&str] = &["--cert", "[HOME]/cert.pem", "--key", "[HOME]/key.pem"];
    let pair = |change: fn(&Path)| {
        move |start: Start| {
            files::certificate(start.home(), "a.test");
            change(start.home());
            flags(PAIR)(start.flags(&["--route", "a.test=127.0.0.1:1"]))
        }
    };
    assert_eq!(
        startup_error(flags(&["--cert", "[HOME]/cert.pem"])),
        "pmesh: --cert: a certificate and its key go together; set --key or PMESH_KEY too\n"
    );
    assert_eq!(
        startup_error(flags(PAIR)),
        "pmesh: --cert: cannot read [HOME]/cert.pem\n  caused by: No such file or directory (os error 2)\n"
    );
    assert_eq!(
        startup_error(pair(|home| fs::remove_file(home.join("key.pem")).unwrap())),
        "pmesh: --key: cannot read [HOME]/key.pem\n  caused by: No such file or directory (os error 2)\n"
    );
    assert_eq!(
        startup_error(pair(|home| files::stray_key(&home.join("key.pem")))),
        "pmesh: --key: the key in [HOME]/key.pem does not match the first certificate in [HOME]/cert.pem, which must \
         be the server's own\n"
    );
    assert_eq!(
        startup_error(pair(|home| files::stray_key(&home.join("cert.pem")))),
        "pmesh: --cert: [HOME]/cert.pem holds no certificate; one starts with `-----BEGIN CERTIFICATE-----`\n"
    );
    assert_eq!(
        startup_error(pair(|home| fs::write(home.join("key.pem"), "").unwrap())),
        "pmesh: --key: [HOME]/key.pem holds no private key; one starts with `-----BEGIN PRIVATE KEY-----`; if it is \
         encrypted, decrypt it first\n"
    );
}
