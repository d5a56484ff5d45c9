//! Files: conditions, ranges, variants, folders, and the fallback.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use pmesh_layers::{
    body::ResponseBody,
    files::{Files, OriginalUri},
    respond::RespondLayer,
};
use tempfile::TempDir;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};

/// A file that is read in several pieces.
const LONG: usize = 300_000;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn set_time(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

struct Got {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn send<S, B>(files: Files<S>, request: Request<B>) -> Got
where
    Files<S>: Service<Request<B>, Response = Response<ResponseBody>, Error = BoxError>,
{
    let Ok(response) = ServiceBuilder::new().layer(RespondLayer::new()).service(files).oneshot(request).await;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Got { status: parts.status.as_u16(), headers: parts.headers, body }
}

async fn get(root: &Path, path: &str, headers: &[(&str, &str)]) -> Got {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(Files::new(root), request.body(()).unwrap()).await
}

#[tokio::test]
async fn files_have_a_type_and_validators() {
    let folder =
        folder(&[("index.html", "<p>"), ("a.txt", "text"), ("app.js", "js"), ("x.mjs", ""), ("b.png", ""), ("c", "c")]);
    for (path, content_type, body) in [
        ("/", "text/html; charset=utf-8", "<p>"),
        ("/index.html", "text/html; charset=utf-8", "<p>"),
        ("/a.txt?x", "text/plain; charset=utf-8", "text"),
        ("/app.js", "text/javascript; charset=utf-8", "js"),
        ("/x.mjs", "text/javascript; charset=utf-8", ""),
        ("/b.png", "image/png", ""),
        ("/c", "application/octet-stream", "c"),
    ] {
        let got = get(folder.path(), path, &[]).await;
        assert_eq!((got.status, &got.body[..]), (200, body.as_bytes()), "{path}");
        assert_eq!(got.header("content-type"), content_type, "{path}");
        assert_eq!(got.header("content-length"), body.len().to_string(), "{path}");
        assert_eq!(got.header("accept-ranges"), "bytes", "{path}");
        assert_eq!(got.header("vary"), "accept-encoding", "{path}");
        assert!(got.header("etag").starts_with('"') && !got.header("last-modified").is_empty(), "{path}");

        let head = send(Files::new(folder.path()), Request::head(path).body(()).unwrap()).await;
        assert_eq!((head.status, head.headers, head.body.len()), (200, got.headers, 0), "{path}");
    }
}

#[tokio::test]
async fn conditions_are_checked() {
    let folder = folder(&[("a.txt", "text")]);
    set_time(&folder.path().join("a.txt"), 1_000_000_000);
    let got = get(folder.path(), "/a.txt", &[]).await;
    let (etag, date) = (got.header("etag").to_owned(), got.header("last-modified").to_owned());
    let weak = format!("W/{etag}");
    let several = format!("\"x\", {weak}");
    for (name, value, status) in [
        ("if-none-match", etag.as_str(), 304),
        ("if-none-match", &weak, 304),
        ("if-none-match", &several, 304),
        ("if-none-match", "*", 304),
        ("if-none-match", "\"x\"", 200),
        ("if-modified-since", &date, 304),
        ("if-modified-since", "Thu, 01 Jan 1998 00:00:00 GMT", 200),
        ("if-match", &etag, 200),
        ("if-match", "\"x\"", 412),
        ("if-unmodified-since", "Thu, 01 Jan 1998 00:00:00 GMT", 412),
    ] {
        let got = get(folder.path(), "/a.txt", &[(name, value)]).await;
        assert_eq!(got.status, status, "{name}: {value}");
        if status == 304 {
            // Without it, a cache could take a response with compression for this one.
            let expected = if value.contains("W/") { &weak } else { &etag };
            assert_eq!((got.header("etag"), got.header("vary")), (expected.as_str(), "accept-encoding"), "{value}");
            assert!(got.body.is_empty());
        }
    }
    // A time set by build tools is no validator.
    set_time(&folder.path().join("a.txt"), 1);
    let got = get(folder.path(), "/a.txt", &[]).await;
    assert_eq!((got.header("etag"), got.header("last-modified")), ("", ""));
}

#[tokio::test]
async fn parts_of_a_file_are_sent() {
    let long: String = ('a'..='z').cycle().take(LONG).collect();
    let folder = folder(&[("long", &long)]);
    let got = get(folder.path(), "/long", &[]).await;
    assert_eq!(got.body, long);
    let (etag, date) = (got.header("etag").to_owned(), got.header("last-modified").to_owned());
    for (range, begin, end) in [
        ("bytes=0-0", 0, 1),
        ("bytes=5-9", 5, 10),
        ("bytes=100000-", 100_000, LONG),
        ("bytes=-70000", LONG - 70_000, LONG),
        ("bytes=10-999999999", 10, LONG),
        // Longer than the file, or than any.
        ("bytes=-999999999", 0, LONG),
        ("bytes=-99999999999999999999999", 0, LONG),
        ("bytes=10-99999999999999999999999", 10, LONG),
        ("bytes=05-009", 5, 10),
    ] {
        for condition in [None, Some(&etag), Some(&date)] {
            let mut headers = vec![("range", range)];
            headers.extend(condition.map(|condition| ("if-range", condition.as_str())));
            let got = get(folder.path(), "/long", &headers).await;
            assert_eq!(got.status, 206, "{range}");
            assert_eq!(got.header("content-range"), format!("bytes {begin}-{}/{LONG}", end - 1));
            assert_eq!(got.header("content-length"), (end - begin).to_string());
            assert!(got.body == long[begin..end], "{range}");
        }
    }
    for headers in [
        &[("range", "bytes=0-9"), ("if-range", "\"old\"")][..],
        &[("range", "bytes=0-9"), ("if-range", "Thu, 01 Jan 1998 00:00:00 GMT")],
        &[("range", "bytes=999999-"), ("if-range", "\"old\"")],
        &[("range", "bytes=0-9"), ("if-range", &format!("W/{etag}"))],
        &[("range", "lines=0-9")],
        &[("range", "bytes=0-9,20-29")],
    ] {
        let got = get(folder.path(), "/long", headers).await;
        assert_eq!((got.status, got.body.len()), (200, LONG), "{headers:?}");
    }
    for range in [
        "bytes=999999-",
        "bytes=99999999999999999999999-",
        "bytes=-0",
        "bytes=9-5",
        "bytes=-",
        "bytes=+1-2",
        "bytes=--1",
    ] {
        let got = get(folder.path(), "/long", &[("range", range)]).await;
        assert_eq!((got.status, got.header("content-range")), (416, &*format!("bytes */{LONG}")), "{range}");
    }
}

#[tokio::test]
async fn an_empty_file_has_no_parts() {
    let folder = folder(&[("empty", "")]);
    for range in ["bytes=0-", "bytes=0-9", "bytes=5-9", "bytes=-5", "bytes=-0"] {
        let got = get(folder.path(), "/empty", &[("range", range)]).await;
        assert_eq!((got.status, got.header("content-length"), got.header("content-range")), (200, "0", ""), "{range}");
    }
}

#[tokio::test]
async fn variants_are_selected_and_have_their_own_etag() {
    let folder = folder(&[
        ("app.js", "plain"),
        ("app.js.gz", "gzip!"),
        ("app.js.br", "broot"),
        ("app.js.zst", "zstd!"),
        ("only.css", "plain"),
        ("only.css.gz/x", "a folder"),
        ("data.gz", "data"),
    ]);
    for name in ["app.js", "app.js.gz", "app.js.br", "app.js.zst"] {
        set_time(&folder.path().join(name), 1_000_000_000);
    }
    let mut etags = Vec::new();
    for (path, accepted, coding, body) in [
        ("/app.js", "", "", "plain"),
        ("/app.js", "identity", "", "plain"),
        ("/app.js", "deflate", "", "plain"),
        ("/app.js", "gzip", "gzip", "gzip!"),
        ("/app.js", "gzip, deflate, br", "br", "broot"),
        ("/app.js", "gzip, deflate, br, zstd", "zstd", "zstd!"),
        ("/app.js", "gzip;q=1, br;q=0.5, zstd;q=0", "gzip", "gzip!"),
        ("/only.css", "gzip, br", "", "plain"),
        ("/data.gz", "gzip", "", "data"),
    ] {
        let got = get(folder.path(), path, &[("accept-encoding", accepted)]).await;
        assert_eq!((got.status, &got.body[..]), (200, body.as_bytes()), "{path} {accepted}");
        assert_eq!(
            (got.header("content-encoding"), got.header("vary")),
            (coding, "accept-encoding"),
            "{path} {accepted}"
        );
        if path == "/app.js" {
            assert_eq!(got.header("content-type"), "text/javascript; charset=utf-8");
            etags.push(got.header("etag").to_owned());
            let headers = [("accept-encoding", accepted), ("if-none-match", got.header("etag"))];
            assert_eq!(get(folder.path(), path, &headers).await.status, 304, "{accepted}");
        }
    }
    etags.sort_unstable();
    etags.dedup();
    assert_eq!(etags.len(), 4);
}

#[tokio::test]
async fn folders_have_a_slash_and_an_index() {
    let folder = folder(&[
        ("docs/index.html", "docs"),
        ("a b/index.html", "ab"),
        ("evil.test/index.html", "x"),
        ("bare/x", "x"),
    ]);
    for (path, status, location) in [
        ("/docs/", 200, ""),
        ("/docs", 308, "./docs/"),
        ("/docs?a=/b&c", 308, "./docs/?a=/b&c"),
        ("/a%20b", 308, "./a%20b/"),
        // A browser stays on the host.
        ("//evil.test", 308, "./evil.test/"),
        ("//evil.test/", 200, ""),
        ("/bare", 404, ""),
        ("/bare/", 404, ""),
        ("/docs/index.html/", 404, ""),
        ("/", 404, ""),
    ] {
        let got = get(folder.path(), path, &[]).await;
        assert_eq!((got.status, got.header("location")), (status, location), "{path}");
    }
    let files = Files::new(folder.path()).index("x");
    assert_eq!(send(files, Request::get("/bare/").body(()).unwrap()).await.body, "x");
}

#[tokio::test]
async fn redirects_are_right_for_the_client_if_the_path_was_changed() {
    let folder = folder(&[("index.html", "root"), ("docs/index.html", "docs")]);
    for (original, path, prefix, status, location) in [
        ("/app/docs?x", "/docs?y", "/app", 308, "./docs/?x"),
        ("/app", "/", "/app", 308, "./app/"),
        ("/app?x", "/", "/shop/app", 308, "./app/?x"),
        ("/app/", "/", "/app", 200, ""),
        // Rewritten: the path with a slash may lead elsewhere.
        ("/guide", "/docs", "", 200, ""),
        ("/guide/", "/docs", "", 200, ""),
        ("/guide", "/", "", 200, ""),
        ("/v2/docs", "/docs", "", 308, "./docs/"),
    ] {
        let mut request = Request::get(path).extension(OriginalUri(original.parse().unwrap()));
        if !prefix.is_empty() {
            request = request.header("x-forwarded-prefix", prefix);
        }
        let got = send(Files::new(folder.path()), request.body(()).unwrap()).await;
        assert_eq!((got.status, got.header("location")), (status, location), "{original}");
    }
}

#[tokio::test]
async fn a_single_page_application_gets_its_index() {
    let folder = folder(&[("index.html", "app"), ("app.js", "js"), ("docs/index.html", "docs"), ("bare/x", "x")]);
    const PAGE: &str = "text/html,application/xhtml+xml;q=0.9";
    for (path, accept, status, body) in [
        ("/", PAGE, 200, "app"),
        ("/app.js", "*/*", 200, "js"),
        ("/users/7", PAGE, 200, "app"),
        ("/users/7", "application/json", 200, "app"),
        ("/users/jane.doe", PAGE, 200, "app"),
        ("/users/jane.doe", "*/*", 404, "404 Not Found\n"),
        ("/gone.js", "*/*", 404, "404 Not Found\n"),
        ("/docs/", PAGE, 200, "docs"),
        ("/bare", PAGE, 200, "app"),
        ("/bare/", PAGE, 200, "app"),
        ("/.env", PAGE, 404, "404 Not Found\n"),
        ("/..%2f", PAGE, 404, "404 Not Found\n"),
    ] {
        let request = Request::get(path).header("accept", accept).body(()).unwrap();
        let got = send(Files::new(folder.path()).spa(true), request).await;
        assert_eq!((got.status, &got.body[..]), (status, body.as_bytes()), "{path} {accept}");
    }
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let folder = folder(&[("a.txt", "text")]);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"] {
        let request = Request::builder().method(method).uri("/a.txt").body(()).unwrap();
        let got = send(Files::new(folder.path()), request).await;
        assert_eq!((got.status, got.header("allow")), (405, "GET, HEAD"), "{method}");
    }
}

#[tokio::test]
async fn requests_for_missing_files_go_to_the_fallback_unchanged() {
    let folder = folder(&[("a.txt", "text"), ("bare/x", "x"), ("docs/index.html", "docs")]);
    let echo = tower::service_fn(async |request: Request<Full<Bytes>>| {
        let (parts, body) = request.into_parts();
        let extension = parts.extensions.get::<u32>().copied();
        let text =
            format!("{} {} {extension:?} {:?}", parts.method, parts.uri, body.collect().await.unwrap().to_bytes());
        Ok::<_, BoxError>(Response::builder().status(201).body(ResponseBody::from(text)).unwrap())
    });
    for (method, path, expected) in [
        ("GET", "/a.txt", "text"),
        ("POST", "/a.txt", "POST /a.txt Some(7) b\"body\""),
        ("GET", "/b?c", "GET /b?c Some(7) b\"body\""),
        ("GET", "/bare", "GET /bare Some(7) b\"body\""),
        ("GET", "/bare/", "GET /bare/ Some(7) b\"body\""),
        ("GET", "/docs/", "docs"),
        ("GET", "/.env", "GET /.env Some(7) b\"body\""),
        ("GET", "/a%2fb", "GET /a%2fb Some(7) b\"body\""),
        ("OPTIONS", "*", "OPTIONS * Some(7) b\"body\""),
    ] {
        let request = Request::builder().method(method).uri(path).extension(7_u32).body(Full::from("body")).unwrap();
        let got = send(Files::new(folder.path()).fallback(echo), request).await;
        assert_eq!(got.body, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn the_response_is_cut_off_if_the_file_becomes_shorter() {
    let folder = folder(&[("long", &"a".repeat(LONG))]);
    let path = folder.path().join("long");
    let response = Files::new(folder.path()).oneshot(Request::get("/long").body(()).unwrap()).await.unwrap();
    let mut body = response.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    File::options().write(true).open(&path).unwrap().set_len(10).unwrap();
    assert_eq!(body.frame().await.unwrap().unwrap_err().to_string(), "the response body broke off");
    assert!(body.frame().await.is_none());

    // If the file grows, the response keeps its declared length.
    fs::write(&path, "a".repeat(LONG)).unwrap();
    let response = Files::new(folder.path()).oneshot(Request::get("/long").body(()).unwrap()).await.unwrap();
    fs::write(&path, "a".repeat(2 * LONG)).unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), LONG);
}

#[tokio::test]
async fn the_root_can_be_replaced_while_serving() {
    let (one, two) = (folder(&[("a", "one")]), folder(&[("a", "two")]));
    let links = tempfile::tempdir().unwrap();
    let current = links.path().join("current");
    let files = Files::new(&current);
    let get = || Request::get("/a").body(()).unwrap();
    assert_eq!(send(files.clone(), get()).await.status, StatusCode::NOT_FOUND.as_u16());
    symlink(one.path(), &current).unwrap();
    assert_eq!(send(files.clone(), get()).await.body, "one");
    fs::remove_file(&current).unwrap();
    symlink(two.path(), &current).unwrap();
    assert_eq!(send(files, get()).await.body, "two");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_forbidden() {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    let folder = folder(&[("secret", "x")]);
    fs::set_permissions(folder.path().join("secret"), Permissions::from_mode(0o0)).unwrap();
    // Root can read everything.
    let expected = if fs::read(folder.path().join("secret")).is_ok() { 200 } else { 403 };
    assert_eq!(get(folder.path(), "/secret", &[]).await.status, expected);
}
