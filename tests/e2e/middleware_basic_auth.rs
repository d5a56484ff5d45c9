//! `basic_auth` for clients with HTTP/1.1 and HTTP/2, with and without TLS.

use std::{
    io::Write,
    process::{Command, Stdio},
    thread,
};

use super::answers::{Got, WAYS, Way, fetch, start, upstream};
use crate::support::{Backend, Program, program::PROGRAM};

const HOST: &str = "example.com";
/// For the password "password".
const ARGON2ID: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
/// For the password "secret".
const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

/// In base64: alice:password, alice:secret, bob:secret, carol:password.
const ALICE: &str = "Basic YWxpY2U6cGFzc3dvcmQ=";
const ALICE_WRONG: &str = "Basic YWxpY2U6c2VjcmV0";
const BOB: &str = "Basic Ym9iOnNlY3JldA==";
const CAROL: &str = "Basic Y2Fyb2w6cGFzc3dvcmQ=";

fn get(program: &Program, way: Way, path: &str, headers: &[(&str, &str)]) -> Got {
    fetch(program, way, "GET", &format!("{HOST}{path}"), headers).unwrap()
}

fn get_as(program: &Program, way: Way, path: &str, credentials: &str) -> Got {
    get(program, way, path, &[("authorization", credentials)])
}

#[test]
fn only_users_with_their_password_get_in() {
    let backend = Backend::answering("hello");
    let config = format!(
        "access_log = true\n[[routes]]\nhost = \"{HOST}\"\n{upstream}response_headers = {{ x-frame-options = \"DENY\" }}\n\
         basic_auth = {{ realm = \"staging\", users = {{ alice = \"{ARGON2ID}\", bob = \"{BCRYPT}\" }} }}\n\
         [[routes.routes]]\nprefix = \"/open\"\nbasic_auth = false\n\
         [[routes.routes]]\nprefix = \"/bob\"\nbasic_auth = {{ users = {{ alice = false }} }}\n\
         [[routes.routes]]\nprefix = \"/fixed\"\nrespond = 204\n\
         [[routes.routes]]\nprefix = \"/moved\"\nredirect = \"/\"\n\
         [[routes.routes]]\nprefix = \"/denied\"\ndeny = \"127.0.0.1\"\n",
        upstream = upstream(&backend)
    );
    let program = start(&config);
    for way in WAYS {
        for (path, credentials, status) in [
            ("/", ALICE, 200),
            ("/", BOB, 200),
            ("/", ALICE_WRONG, 401),
            ("/", CAROL, 401),
            ("/", "Bearer YWxpY2U6cGFzc3dvcmQ=", 401),
            ("/", "Basic YWxpY2U6cGFzc3dvcmQ!", 401),
            ("/", "", 401),
            ("/bob", ALICE, 401),
            ("/bob", BOB, 200),
            ("/fixed", "", 401),
            ("/fixed", BOB, 204),
            ("/moved", "", 401),
            ("/moved", BOB, 308),
            ("/denied", "", 403),
            ("/denied", BOB, 403),
            // An ambiguous path does not get around the password.
            ("//open/../", "", 400),
        ] {
            // The second time, the verdict is known.
            for _ in 0..2 {
                let got = get_as(&program, way, path, credentials);
                assert_eq!(got.status, status, "{way:?} {path} {credentials}");
                let challenge = got.header("www-authenticate");
                if status == 401 {
                    assert_eq!(challenge, ["Basic realm=\"staging\", charset=\"UTF-8\""], "{way:?} {path}");
                    assert_eq!(got.body, "401 Unauthorized\n");
                } else {
                    assert!(challenge.is_empty(), "{way:?} {path} {challenge:?}");
                }
                assert_eq!(got.header("x-frame-options").len(), usize::from(status != 400), "{way:?} {path}");
            }
        }
        assert_eq!(get(&program, way, "/", &[]).status, 401);
        assert_eq!(get(&program, way, "/", &[("authorization", ALICE), ("authorization", ALICE)]).status, 401);
        assert_eq!(get(&program, way, "/open", &[]).status, 200);
    }
    assert_eq!(backend.requests().len(), (2 * 3 + 1) * WAYS.len());
    let line = program.wait_for_line("status=401");
    assert!(line.contains("path=\"/\""), "{line}");
    let log = program.log().join("\n");
    for secret in ["argon2id", "$2y$", "YWxpY2U6", "password"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[test]
fn the_backend_learns_the_user_and_not_the_password() {
    let (backend, open) = (Backend::answering("hello"), Backend::answering("hello"));
    let config = format!(
        "trusted_proxies = [\"127.0.0.1\"]\n[[routes]]\nhost = \"{HOST}\"\n{}\
         basic_auth = {{ users = {{ alice = \"{ARGON2ID}\" }} }}\n\
         [[routes.routes]]\nprefix = \"/open\"\nbasic_auth = false\n{}",
        upstream(&backend),
        upstream(&open)
    );
    let program = start(&config);
    let claims = [
        ("authorization", ALICE),
        ("remote-user", "root"),
        ("remote_user", "root"),
        ("remote-user", "admin"),
        ("x-forwarded-user", "root"),
        ("x_forwarded_user", "root"),
        ("x-forwarded-proto", "https"),
    ];
    for way in WAYS {
        assert_eq!(get(&program, way, "/", &claims).status, 200, "{way:?}");
        assert_eq!(get(&program, way, "/open", &claims).status, 200, "{way:?}");
    }
    let (requests, open) = (backend.requests(), open.requests());
    assert_eq!((requests.len(), open.len()), (WAYS.len(), WAYS.len()));
    for request in requests {
        assert_eq!(request.all("remote-user"), ["alice"]);
        for name in ["authorization", "remote_user", "x-forwarded-user", "x_forwarded_user"] {
            assert!(request.all(name).is_empty(), "{name}");
        }
    }
    // Without basic_auth, the password is for the backend.
    assert!(open.iter().all(|request| request.all("authorization") == [ALICE]));
}

#[test]
fn a_client_that_tries_too_many_passwords_at_once_gets_429() {
    let backend = Backend::answering("hello");
    // About half a second for each password.
    let slow = BCRYPT.replace("$04$", "$13$");
    let config = format!(
        "trusted_proxies = [\"127.0.0.1\"]\n[[routes]]\nhost = \"{HOST}\"\n{upstream}\
         basic_auth = {{ users = {{ alice = \"{slow}\" }} }}\n\
         [[routes.routes]]\nprefix = \"/fast\"\nbasic_auth = {{ users = {{ alice = \"{ARGON2ID}\" }} }}\n",
        upstream = upstream(&backend)
    );
    let program = start(&config);
    assert_eq!(get_as(&program, Way::Http, "/fast", ALICE).status, 200);
    thread::scope(|scope| {
        let attempts: Vec<_> = (b'a'..=b'z')
            .map(|letter| {
                let program = &program;
                scope.spawn(move || {
                    // alice:, and three more characters.
                    let credentials = format!("Basic YWxpY2U6{}AAA", char::from(letter));
                    let got = get_as(program, Way::Http, "/", &credentials);
                    assert_eq!(got.header("retry-after").len(), usize::from(got.status == 429), "{}", got.status);
                    got.status
                })
            })
            .collect();
        let statuses: Vec<_> = attempts.into_iter().map(|attempt| attempt.join().unwrap()).collect();
        // Meanwhile, a known password gets in.
        assert_eq!(get_as(&program, Way::Http, "/fast", ALICE).status, 200);
        let count = |status| statuses.iter().filter(|other| **other == status).count();
        assert_eq!(count(401) + count(429), 26, "{statuses:?}");
        assert!(count(429) > 0 && count(401) >= 8, "{statuses:?}");
    });
}

/// Runs `pmesh hash-password` with this standard input. Returns its output, or its error message.
fn hash_password(input: &str) -> Result<String, String> {
    let mut command = Command::new(PROGRAM);
    command.arg("hash-password").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (printed, error) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    if output.status.success() { Ok(printed) } else { Err(error) }
}

#[test]
fn hash_password_prints_a_hash_that_basic_auth_accepts() {
    let backend = Backend::answering("hello");
    for input in ["password", "password\n", "password\r\n"] {
        let printed = hash_password(input).unwrap();
        let hash = printed.strip_suffix('\n').unwrap();
        let config = format!(
            "[[routes]]\nhost = \"{HOST}\"\n{}basic_auth = {{ users = {{ alice = \"{hash}\" }} }}\n",
            upstream(&backend)
        );
        let program = start(&config);
        assert_eq!(get_as(&program, Way::Http, "/", ALICE).status, 200, "{input:?}");
        assert_eq!(get_as(&program, Way::Http, "/", ALICE_WRONG).status, 401, "{input:?}");
    }
    for (input, expected) in [
        ("", "no password: type one, or write it to standard input"),
        ("\n", "no password: type one, or write it to standard input"),
        ("a\nb\n", "standard input has more than one line: write the password only"),
        (&"a".repeat(5000), "the password is too long: at most 4 KiB"),
    ] {
        assert_eq!(hash_password(input).unwrap_err(), format!("pmesh: {expected}\n"));
    }
}
