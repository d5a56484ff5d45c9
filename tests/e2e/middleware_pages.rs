//! `error_pages`: pmesh's own errors have bodies from files. `maintenance`: a file takes a route down while it exists.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use super::answers::{WAYS, Way, fetch, upstream};
use crate::support::{Backend, Program, Start, backend::Refusing};

const HOST: &str = "example.com";
/// Of any password.
const HASH: &str = "$2y$10$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u";

#[test]
fn own_errors_get_pages_and_those_of_the_backend_stay() {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            connection.send("HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/x-own\r\nContent-Length: 3\r\n\r\nown");
        }
    });
    let refusing = Refusing::new();
    let config = format!(
        "[defaults]\nerror_pages = {{ 502 = \"down.html\", 403 = \"pages/no.json\" }}\nresponse_headers = {{ x-a = \"b\" }}\ncompress = true\n\
         [[routes]]\nhost = \"{HOST}\"\n{}\
         [[routes.routes]]\nprefix = \"/broken\"\nupstream = \"{}\"\n\
         [[routes.routes]]\nprefix = \"/denied\"\ndeny = \"0.0.0.0/0\"\n\
         [[routes.routes]]\nprefix = \"/fixed\"\nrespond = 403\n\
         [[routes.routes]]\nprefix = \"/login\"\nerror_pages = {{ 401 = \"login.html\" }}\n\
         basic_auth = {{ users = {{ a = \"{HASH}\" }} }}\n\
         [[routes.routes]]\nprefix = \"/said\"\nrespond = {{ status = 403, body = \"said\" }}\n\
         [[routes.routes]]\nprefix = \"/off\"\nupstream = \"{1}\"\nerror_pages = false\n",
        upstream(&backend),
        refusing.address()
    );
    let start = Start::new().flags(&["--http-h2c", "silent"]).config(&config);
    fs::create_dir(start.home().join("pages")).unwrap();
    fs::write(start.home().join("down.html"), "<h1>down</h1>").unwrap();
    fs::write(start.home().join("pages/no.json"), "{}").unwrap();
    fs::write(start.home().join("login.html"), "<h1>login</h1>").unwrap();
    let program = start.run();
    const HTML: &str = "text/html; charset=utf-8";
    const TEXT: &str = "text/plain; charset=utf-8";
    for way in WAYS {
        for (path, status, content_type, body) in [
            ("/", 502, "text/x-own", "own"),
            ("/broken", 502, HTML, "<h1>down</h1>"),
            ("/denied", 403, "application/json", "{}"),
            ("/login", 401, HTML, "<h1>login</h1>"),
            ("/fixed", 403, "application/json", "{}"),
            ("/said", 403, TEXT, "said"),
            ("/off", 502, TEXT, "502 Bad Gateway\n"),
        ] {
            let get = |method| fetch(&program, way, method, &format!("{HOST}{path}"), &[]).unwrap();
            let got = get("GET");
            assert_eq!((got.status, &*got.body), (status, body), "{way:?} {path}");
            assert_eq!(got.header("content-type"), [content_type], "{way:?} {path}");
            assert_eq!(got.header("x-a"), ["b"], "{way:?} {path}");
            assert_eq!(got.header("www-authenticate").len(), usize::from(status == 401), "{way:?} {path}");
            if path != "/" {
                let got = get("HEAD");
                assert_eq!((got.status, &*got.body), (status, ""), "{way:?} {path}");
                assert_eq!(got.header("content-type"), [content_type], "{way:?} {path}");
            }
        }
    }
}

/// Waits until a request to `path` gets this status.
fn wait_for(program: &Program, path: &str, status: u16) {
    let began = Instant::now();
    loop {
        let got = fetch(program, Way::Http, "GET", &format!("{HOST}{path}"), &[]).unwrap().status;
        if got == status {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{path}: {got}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_file_takes_a_route_down_while_it_exists() {
    let backend = Backend::answering("hello");
    let config = format!(
        "trusted_proxies = [\"127.0.0.1\"]\n[[routes]]\nhost = \"{HOST}\"\n{}maintenance = \"down.html\"\nallow = \"private\"\n\
         [[routes.routes]]\nprefix = \"/moved\"\nredirect = \"/\"\n\
         [[routes.routes]]\nprefix = \"/status\"\nmaintenance = false\n",
        upstream(&backend)
    );
    let start = Start::new().flags(&["--http-h2c", "silent"]).config(&config);
    let file = start.home().join("down.html");
    fs::write(&file, "<h1>back soon</h1>").unwrap();
    let program = start.run();
    for way in WAYS {
        for (path, client, method, status, body) in [
            ("/", "10.0.0.1", "GET", 503, "<h1>back soon</h1>"),
            ("/", "10.0.0.1", "POST", 503, "<h1>back soon</h1>"),
            ("/", "10.0.0.1", "HEAD", 503, ""),
            ("/moved", "10.0.0.1", "GET", 503, "<h1>back soon</h1>"),
            ("/status", "10.0.0.1", "GET", 200, "hello"),
            // Clients that are not allowed do not learn of the maintenance.
            ("/", "192.0.2.1", "GET", 403, "403 Forbidden\n"),
        ] {
            let headers = [("x-forwarded-for", client), ("x-forwarded-proto", "https")];
            let got = fetch(&program, way, method, &format!("{HOST}{path}"), &headers).unwrap();
            assert_eq!((got.status, &*got.body), (status, body), "{way:?} {method} {path} {client}");
            if status == 503 {
                assert_eq!(got.header("content-type"), ["text/html; charset=utf-8"], "{way:?} {method} {path}");
                assert_eq!(got.header("retry-after"), ["120"], "{way:?} {method} {path}");
            }
        }
    }
    assert_eq!(backend.requests().len(), WAYS.len());
    fs::remove_file(&file).unwrap();
    wait_for(&program, "/", 200);
    wait_for(&program, "/moved", 308);
    // An empty file is enough.
    fs::write(&file, "").unwrap();
    wait_for(&program, "/", 503);
    let got = fetch(&program, Way::Http, "GET", &format!("{HOST}/"), &[]).unwrap();
    assert_eq!(got.body, "503 Service Unavailable\n");
}
