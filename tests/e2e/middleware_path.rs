//! `rewrite`, `strip_prefix` and `add_prefix`: the path that the backend gets.

use super::answers::{WAYS, fetch, start, upstream};
use crate::support::{Backend, Client, Start, backend::ok};

const HOST: &str = "example.com";

/// Answers with the target and the prefix that it got.
fn echo() -> Backend {
    Backend::start(|connection| {
        while let Some(request) = connection.request() {
            connection.send(ok(&format!("{} {}", request.target, request.all("x-forwarded-prefix").join(","))));
        }
    })
}

#[test]
fn the_backend_gets_the_new_path() {
    let backend = echo();
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\n{}rewrite = {{ regex = \"^/old/(.*)$\", to = \"/new/$1\" }}\n\
         [[routes.routes]]\npath_regex = \"^/u/([0-9]+)$\"\nrewrite = \"/users?id={{1}}&{{query}}\"\n\
         [[routes.routes]]\nprefix = \"/api\"\nrewrite = false\nstrip_prefix = true\nadd_prefix = \"/v1\"\n\
         [[routes.routes]]\nprefix = \"/quiet\"\nstrip_prefix = true\nrewrite = false\nrequest_headers = {{ x-forwarded-prefix = false }}\n\
         [[routes.routes]]\nprefix = \"/sites\"\nrewrite = \"/{{host}}/{{*}}\"\n",
        upstream(&backend)
    );
    let program = start(&config);
    let cases = [
        ("/old/a%20b//c?d=%2f", "/new/a%20b//c?d=%2f "),
        ("/other?a", "/other?a "),
        ("/u/7?a=b", "/users?id=7&a=b "),
        ("/api/x?y", "/v1/x?y /api"),
        ("/api", "/v1/ /api"),
        ("/quiet/x", "/x "),
        ("/sites/a/b?c", "/example.com/a/b?c "),
    ];
    for way in WAYS {
        for (path, expected) in cases {
            let headers = [("x-forwarded-prefix", "/evil")];
            let got = fetch(&program, way, "GET", &format!("{HOST}{path}"), &headers).unwrap();
            assert_eq!((got.status, &*got.body), (200, expected), "{way:?} {path}");
        }
        let got = fetch(&program, way, "POST", &format!("{HOST}/old/form"), &[]).unwrap();
        assert_eq!(got.body, "/new/form ", "{way:?}");
    }
}

#[test]
fn a_path_that_would_be_ambiguous_gets_400_and_reaches_no_backend() {
    let backend = echo();
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\n{0}add_prefix = \"/tenant\"\n\
         [[routes]]\nhost = \"rewritten.test\"\n{0}rewrite = {{ regex = \"^/old(.*)$\", to = \"/$1\" }}\n\
         error_pages = {{ 400 = \"400.html\" }}\n\
         [[routes]]\nhost = \"literal.test\"\n{0}add_prefix = \"/tenant\"\nallow_ambiguous_paths = true\n",
        upstream(&backend)
    );
    let start = Start::new().config(&config);
    std::fs::write(start.home().join("400.html"), "no").unwrap();
    let program = start.run();
    let get = |host: &str, path: &str| Client::connect(program.http()).get(host, path);
    for path in ["/../admin", "/%2e%2e/admin", "/a/..;/../admin", "/..%2fadmin", "/x/%2E./%2e./", "/..%5cadmin"] {
        assert_eq!(get(HOST, path).status, 400, "{path}");
    }
    for path in ["/old/evil.test/admin", "/old%2Fevil.test/admin", "/old../admin", "/%6fld/x"] {
        let got = get("rewritten.test", path);
        assert_eq!((got.status, got.text()), (400, "no"), "{path}");
    }
    // HTTP/1.1 has no name for a path of more than 64 KiB.
    assert_eq!(get("rewritten.test", &format!("/old{}", "x".repeat(50_000))).status, 200);
    assert_eq!(backend.requests().len(), 1);
    assert_eq!(get("literal.test", "/../admin").text(), "/tenant/../admin ");
    assert_eq!(get(HOST, "/a%2Fb/;c//d").text(), "/tenant/a%2Fb/;c//d ");
}

#[test]
fn the_log_and_the_redirect_to_https_show_the_path_of_the_client() {
    let backend = echo();
    let config = format!(
        "access_log = true\n[[routes]]\nhost = \"{HOST}\"\n{0}rewrite = \"/new\"\n\
         [[routes.routes]]\nprefix = \"/secure\"\nredirect_https = true\n",
        upstream(&backend)
    );
    let program = Start::new().config(&config).run();
    assert_eq!(Client::connect(program.http()).get(HOST, "/old?a").text(), "/new?a ");
    let got = Client::connect(program.http()).get(HOST, "/secure/x?a");
    assert!(got.field("location").unwrap().ends_with("/secure/x?a"), "{got:?}");
    let line = program.wait_for_line("/old");
    assert!(!line.contains("/new"), "{line}");
}
