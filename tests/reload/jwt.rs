//! Keys for tokens across reloads: keys from a URL are kept, keys in a file are reread after a change.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use crate::{
    TOP, eventually, lines, reload,
    support::{
        Backend, Client, Program, Start,
        backend::ok,
        jwt::{good, jwks, next_jwks, text},
    },
    try_reload,
};

fn status(program: &Program, host: &str, token: &str) -> u16 {
    let mut client = Client::connect(program.http());
    client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"));
    client.response().status
}

#[test]
fn fetched_keys_are_kept() {
    let answer = Arc::new(Mutex::new(ok(&jwks())));
    let current = Arc::clone(&answer);
    let issuer = Backend::start(move |connection| {
        while connection.request().is_some() {
            let answer = current.lock().unwrap().clone();
            connection.send(answer);
        }
    });
    let routes = |url: &str, more: &str| {
        format!(
            "[[routes]]\nhost = \"a.test\"\nrespond = 200\njwt = {{ keys = \"http://{}/{url}\"{more} }}\n\
             [[routes]]\nhost = \"b.test\"\nrespond = 200\njwt = {{ keys = \"http://{0}/{url}\" }}\n",
            issuer.address
        )
    };
    let program = Start::new().config(&format!("{TOP}{}", routes("one", ""))).run();
    eventually("keys", || status(&program, "a.test", good("RS256")) == 200);
    // The issuer is gone, but both routes share the keys, and a reload keeps them.
    "HTTP/1.1 500 Gone\r\nContent-Length: 0\r\n\r\n".clone_into(&mut answer.lock().unwrap());
    for audience in ["api", "other", "api"] {
        reload(&program, &routes("one", &format!(", audience = \"{audience}\"")));
        let expected = if audience == "api" { 200 } else { 401 };
        assert_eq!(status(&program, "a.test", good("RS256")), expected);
        assert_eq!(status(&program, "b.test", good("RS256")), 200);
    }
    assert_eq!(issuer.requests().len(), 1);
    // Another URL has its own keys.
    reload(&program, &routes("two", ""));
    assert_eq!(status(&program, "a.test", good("RS256")), 503);
    ok(&next_jwks()).clone_into(&mut answer.lock().unwrap());
    eventually("the other keys", || status(&program, "a.test", good("next")) == 200);
    assert_eq!(status(&program, "b.test", good("RS256")), 401);
}

#[test]
fn a_changed_key_file_is_read_again() {
    let routes = "[[routes]]\nhost = \"a.test\"\nrespond = 200\njwt = { keys = \"keys\" }\n";
    let start = Start::new().config(&format!("{TOP}{routes}"));
    let file = start.home().join("keys");
    fs::write(&file, jwks()).unwrap();
    let program = start.run();
    let with = |token: &str| status(&program, "a.test", token);
    assert_eq!((with(good("RS256")), with(good("next"))), (200, 401));
    fs::write(&file, next_jwks()).unwrap();
    eventually("the new keys", || with(good("next")) == 200);
    assert_eq!(with(good("RS256")), 401);
    // While the file cannot be used, the old keys stay, and a reload fails.
    fs::write(&file, text(&["other_pem", "private"])).unwrap();
    eventually("a warning", || {
        lines(&program, "WARN").iter().any(|line| line.contains("jwt: the old keys stay in use"))
    });
    let error = try_reload(&program).unwrap_err();
    assert!(error.contains("routes[0].jwt.keys: cannot use ") && error.contains("this is a private key"), "{error}");
    assert_eq!(with(good("next")), 200);
    // A reload reads it at once, also in another format.
    fs::write(&file, text(&["pem", "rsa"])).unwrap();
    reload(&program, routes);
    assert_eq!((with(good("RS256")), with(good("next"))), (200, 401));
}
