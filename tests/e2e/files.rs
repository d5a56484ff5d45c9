//! `files`: static files as the answer of a route, alone and with an upstream for missing files.

use std::{fs, os::unix::fs::symlink, path::Path};

use async_compression::tokio::bufread::GzipDecoder;
use tokio::io::AsyncReadExt;

use super::answers::{Got, WAYS, Way, fetch, upstream};
use crate::support::{Backend, Client, End, Program, Start, backend::ok};

const HOST: &str = "example.com";
/// Longer than all buffers on the way.
const LONG: usize = 30 * 1024 * 1024;

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// Starts with these files and the keys of a route.
fn start(files: &[(&str, &str)], keys: &str) -> (Program, std::path::PathBuf) {
    let config = format!("[[routes]]\nhost = \"{HOST}\"\n{keys}\n");
    let start = Start::new().flags(&["--http-h2c", "silent"]).config(&config);
    let root = start.home().join("www");
    fs::create_dir(&root).unwrap();
    write(&root, files);
    (start.run(), root)
}

fn get(program: &Program, way: Way, path: &str, headers: &[(&str, &str)]) -> Got {
    fetch(program, way, "GET", &format!("{HOST}{path}"), headers).unwrap()
}

#[test]
fn files_are_served_over_every_protocol() {
    let long: String = ('a'..='z').cycle().take(300_000).collect();
    let files = [
        ("index.html", "<h1>hello</h1>"),
        ("docs/index.html", "docs"),
        ("app.js", "plain"),
        ("app.js.br", "broot"),
        ("long", &long),
    ];
    let (program, _) = start(&files, "files = \"www\"");
    for way in WAYS {
        let got = get(&program, way, "/", &[]);
        assert_eq!((got.status, &*got.body), (200, "<h1>hello</h1>"), "{way:?}");
        assert_eq!(got.header("content-type"), ["text/html; charset=utf-8"], "{way:?}");
        let etag = got.header("etag")[0].to_owned();
        let again = get(&program, way, "/", &[("if-none-match", &etag)]);
        assert_eq!((again.status, &*again.body), (304, ""), "{way:?}");
        let since = get(&program, way, "/", &[("if-modified-since", got.header("last-modified")[0])]);
        assert_eq!(since.status, 304, "{way:?}");

        let got = get(&program, way, "/long", &[]);
        assert!((got.status, &*got.body) == (200, &*long), "{way:?}");
        let got = get(&program, way, "/long", &[("range", "bytes=100000-299999")]);
        assert!((got.status, &*got.body) == (206, &long[100_000..]), "{way:?}");
        assert_eq!(got.header("content-range"), ["bytes 100000-299999/300000"], "{way:?}");

        let got = get(&program, way, "/app.js", &[("accept-encoding", "gzip, br")]);
        assert_eq!((&*got.body, got.header("content-encoding")), ("broot", vec!["br"]), "{way:?}");

        let head = fetch(&program, way, "HEAD", &format!("{HOST}/long"), &[]).unwrap();
        assert_eq!((head.status, &*head.body, head.header("content-length")), (200, "", vec!["300000"]), "{way:?}");
        let got = get(&program, way, "/docs?a=b", &[]);
        assert_eq!((got.status, got.header("location")), (308, vec!["./docs/?a=b"]), "{way:?}");
        assert_eq!(get(&program, way, "/docs/", &[]).body, "docs", "{way:?}");
        assert_eq!(get(&program, way, "/missing", &[]).status, 404, "{way:?}");
        let got = fetch(&program, way, "POST", &format!("{HOST}/"), &[]).unwrap();
        assert_eq!((got.status, got.header("allow")), (405, vec!["GET, HEAD"]), "{way:?}");
    }
}

#[test]
fn requests_for_missing_files_go_to_the_upstream() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            connection.send(ok(&format!("{} {}", request.method, request.target)));
        }
    });
    let (program, _) =
        start(&[("a.txt", "file"), ("bare/x", "x")], &format!("files = \"www\"\n{}", upstream(&backend)));
    for way in WAYS {
        for (method, path, expected) in [
            ("GET", "/a.txt", "file"),
            ("GET", "/b?c", "GET /b?c"),
            ("GET", "/bare", "GET /bare"),
            ("GET", "/", "GET /"),
            ("GET", "/.env", "GET /.env"),
            ("POST", "/a.txt", "POST /a.txt"),
            ("DELETE", "/a.txt", "DELETE /a.txt"),
        ] {
            let got = fetch(&program, way, method, &format!("{HOST}{path}"), &[]).unwrap();
            assert_eq!((got.status, &*got.body), (200, expected), "{way:?} {method} {path}");
        }
    }
    let posted: Vec<_> = backend.requests().into_iter().filter(|request| request.method == "POST").collect();
    assert_eq!(posted.len(), WAYS.len());
    assert!(posted.iter().all(|request| request.body == b"body"));
}

#[test]
fn middleware_applies_to_files() {
    let text = "to be compressed ".repeat(500);
    let files = [("text.txt", &*text), ("done.css", "plain"), ("done.css.gz", "gzipped"), ("page.html", "<p>")];
    let keys = "files = \"www\"\ncompress = true\nerror_pages = { 404 = \"www/page.html\" }\nresponse_headers = { cache-control = \"max-age=60\" }";
    let (program, _) = start(&files, keys);
    for way in WAYS {
        let got = get(&program, way, "/text.txt", &[("accept-encoding", "gzip")]);
        assert_eq!(got.header("content-encoding"), ["gzip"], "{way:?}");
        assert_eq!(unzipped(&got.bytes), text, "{way:?}");
        assert_eq!(got.header("vary"), ["accept-encoding"], "{way:?}");
        // The bytes differ from those of the file.
        let etag = got.header("etag")[0].to_owned();
        assert!(etag.starts_with("W/\""), "{way:?}");
        let again = get(&program, way, "/text.txt", &[("accept-encoding", "gzip"), ("if-none-match", &etag)]);
        assert_eq!((again.status, again.header("etag")), (304, vec![&*etag]), "{way:?}");

        // Precompressed files and ranges are not compressed.
        let got = get(&program, way, "/done.css", &[("accept-encoding", "gzip")]);
        assert_eq!((&*got.body, got.header("content-encoding")), ("gzipped", vec!["gzip"]), "{way:?}");
        let got = get(&program, way, "/text.txt", &[("accept-encoding", "gzip"), ("range", "bytes=0-4999")]);
        assert_eq!((got.status, &*got.body), (206, &text[..5000]), "{way:?}");

        let got = get(&program, way, "/missing", &[]);
        assert_eq!((got.status, &*got.body), (404, "<p>"), "{way:?}");
        assert_eq!(got.header("cache-control"), ["max-age=60"], "{way:?}");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn unzipped(bytes: &[u8]) -> String {
    let mut text = String::new();
    GzipDecoder::new(bytes).read_to_string(&mut text).await.unwrap();
    text
}

#[test]
fn a_prefix_is_removed_and_redirects_keep_it() {
    let files = [("index.html", "root"), ("docs/index.html", "docs"), ("a.txt", "file")];
    let (program, _) = start(&files, "prefix = \"/static\"\nstrip_prefix = true\nfiles = \"www\"");
    for way in WAYS {
        for (path, status, location, body) in [
            ("/static/a.txt", 200, vec![], "file"),
            ("/static/", 200, vec![], "root"),
            // Without the slash, links in the page would be relative to /.
            ("/static", 308, vec!["./static/"], ""),
            ("/static/docs?x", 308, vec!["./docs/?x"], ""),
            ("/static/docs/", 200, vec![], "docs"),
        ] {
            let got = get(&program, way, path, &[]);
            assert_eq!((got.status, got.header("location"), &*got.body), (status, location, body), "{way:?} {path}");
        }
    }
}

#[test]
fn a_removed_prefix_is_removed_once_before_files_and_upstream() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            connection.send(ok(&format!("{} {}", request.method, request.target)));
        }
    });
    let keys = format!("prefix = \"/app\"\nstrip_prefix = true\nfiles = \"www\"\n{}", upstream(&backend));
    let (program, _) = start(&[("a.txt", "file")], &keys);
    assert_eq!(get(&program, Way::Http, "/app/a.txt", &[]).body, "file");
    assert_eq!(get(&program, Way::Http, "/app/app/b", &[]).body, "GET /app/b");
    assert_eq!(backend.request().field("x-forwarded-prefix"), "/app");
}

#[test]
fn a_single_page_application_is_served() {
    let keys = "files = { root = \"www\", spa = true }";
    let (program, _) = start(&[("index.html", "app"), ("app.js", "js")], keys);
    for way in WAYS {
        for (path, accept, status, body) in [
            ("/app.js", "*/*", 200, "js"),
            ("/users/7", "text/html", 200, "app"),
            ("/gone.js", "*/*", 404, "404 Not Found\n"),
            ("/.env", "text/html", 404, "404 Not Found\n"),
        ] {
            let got = get(&program, way, path, &[("accept", accept)]);
            assert_eq!((got.status, &*got.body), (status, body), "{way:?} {path}");
        }
    }
}

#[test]
fn the_connection_is_closed_if_the_file_becomes_shorter() {
    let (program, root) = start(&[], "files = \"www\"");
    fs::write(root.join("long"), vec![b'a'; LONG]).unwrap();
    let mut client = Client::connect(program.http());
    client.send(format!("GET /long HTTP/1.1\r\nHost: {HOST}\r\n\r\n"));
    let head = client.head();
    assert_eq!(head.field("content-length").unwrap(), LONG.to_string());
    fs::File::options().write(true).open(root.join("long")).unwrap().set_len(10).unwrap();
    let (rest, end) = client.end();
    assert!(rest.len() < LONG && end != End::Open, "{} {end:?}", rest.len());
    assert_eq!(get(&program, Way::Http, "/long", &[]).body, "aaaaaaaaaa");
}

#[test]
fn a_new_release_is_served_without_a_reload() {
    let start = Start::new().config(&format!("[[routes]]\nhost = \"{HOST}\"\nfiles = \"current\"\n"));
    let home = start.home().to_owned();
    write(&home, &[("one/a", "one"), ("two/a", "two")]);
    symlink("one", home.join("current")).unwrap();
    let program = start.run();
    assert_eq!(get(&program, Way::Http, "/a", &[]).body, "one");
    symlink("two", home.join("next")).unwrap();
    fs::rename(home.join("next"), home.join("current")).unwrap();
    assert_eq!(get(&program, Way::Http, "/a", &[]).body, "two");
}

#[test]
fn the_path_of_a_file_can_be_changed() {
    let files = [("v1/a.txt", "a"), ("v1/docs/index.html", "docs"), ("new/b.txt", "b"), ("secret.txt", "secret")];
    let keys = "prefix = \"/api\"\nfiles = \"www\"\nstrip_prefix = true\nadd_prefix = \"/v1\"\ncompress = true\n\
                [[routes.routes]]\nprefix = \"/old\"\nadd_prefix = false\nrewrite = { regex = \"^/old/(.*)$\", to = \"/new/$1\" }\n";
    let (program, _) = start(&files, keys);
    for way in WAYS {
        for (path, status, body) in [
            ("/api/a.txt", 200, "a"),
            ("/api/docs/", 200, "docs"),
            ("/old/b.txt", 200, "b"),
            ("/api/%2e%2e/secret.txt", 400, "400 Bad Request\n"),
            ("/api/v1/a.txt", 404, "404 Not Found\n"),
        ] {
            let got = get(&program, way, path, &[]);
            assert_eq!((got.status, &*got.body), (status, body), "{way:?} {path}");
        }
        let got = get(&program, way, "/api/docs", &[]);
        assert_eq!((got.status, got.header("location")), (308, vec!["./docs/"]), "{way:?}");
    }
}
