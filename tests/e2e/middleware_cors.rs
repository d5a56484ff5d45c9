//! `cors`: pmesh answers preflight requests, and pages of other origins can read the responses of the route.

use super::answers::{Got, WAYS, fetch, start, upstream};
use crate::support::{Backend, backend::Refusing};

const HOST: &str = "example.com";
const APP: &str = "https://app.test";

/// A backend with its own idea of CORS.
fn backend() -> Backend {
    Backend::start(|connection| {
        while connection.request().is_some() {
            connection.send(
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nAccess-Control-Allow-Origin: *\r\nVary: Accept, Origin\r\n\
                 Access-Control-Allow-Credentials: true\r\nAccess-Control-Expose-Headers: x-own\r\n\r\n",
            );
        }
    })
}

fn cors(got: &Got, name: &str) -> String {
    got.header(&format!("access-control-{name}")).join("; ")
}

#[test]
fn preflight_requests_are_answered_without_the_backend() {
    let backend = backend();
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\n{}cors = {{ origins = [\"{APP}\"], methods = [\"PUT\", \"DELETE\"], \
         headers = [\"x-team\"], credentials = true, max_age = \"1h\" }}\n",
        upstream(&backend)
    );
    let program = start(&config);
    for way in WAYS {
        for (origin, allowed) in [(APP, APP), ("https://other.test", ""), ("http://app.test", "")] {
            let headers = [
                ("origin", origin),
                ("access-control-request-method", "PUT"),
                ("access-control-request-headers", "x-team"),
            ];
            let got = fetch(&program, way, "OPTIONS", &format!("{HOST}/a"), &headers).unwrap();
            assert_eq!((got.status, &*got.body), (200, ""), "{way:?} {origin}");
            assert_eq!(cors(&got, "allow-origin"), allowed, "{way:?} {origin}");
            assert_eq!(cors(&got, "allow-methods"), "PUT,DELETE");
            assert_eq!(cors(&got, "allow-headers"), "x-team");
            assert_eq!(cors(&got, "allow-credentials"), "true");
            assert_eq!(cors(&got, "max-age"), "3600");
            assert_eq!(got.header("vary"), ["origin"]);
        }
    }
    assert!(backend.requests().is_empty());
    // Other OPTIONS requests are for the backend.
    for way in WAYS {
        let got = fetch(&program, way, "OPTIONS", &format!("{HOST}/a"), &[("origin", APP)]).unwrap();
        assert_eq!((got.status, &*cors(&got, "allow-origin")), (200, APP), "{way:?}");
    }
    let requests = backend.requests();
    assert_eq!(requests.len(), WAYS.len());
    assert!(requests.iter().all(|request| request.method == "OPTIONS" && request.target == "/a"));
}

#[test]
fn the_headers_of_the_backend_are_replaced() {
    let backend = backend();
    let refusing = Refusing::new();
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\n{}cors = {{ origins = [\"{APP}\", \"http://localhost:3000\"], expose_headers = \"x-total\" }}\n\
         [[routes.routes]]\nprefix = \"/broken\"\nupstream = \"{}\"\n\
         [[routes.routes]]\nprefix = \"/fixed\"\nrespond = 404\n\
         [[routes.routes]]\nprefix = \"/all\"\ncors = {{ origins = \"*\" }}\n\
         [[routes.routes]]\nprefix = \"/off\"\ncors = false\n",
        upstream(&backend),
        refusing.address()
    );
    let program = start(&config);
    for way in WAYS {
        for (path, status, origin, allowed, vary) in [
            ("/", 200, Some(APP), APP, "Accept; origin"),
            ("/", 200, Some("http://localhost:3000"), "http://localhost:3000", "Accept; origin"),
            ("/", 200, Some("https://other.test"), "", "Accept; origin"),
            ("/", 200, None, "", "Accept; origin"),
            // Pages can read errors, too.
            ("/broken", 502, Some(APP), APP, "origin"),
            ("/fixed", 404, Some(APP), APP, "origin"),
            ("/all", 200, Some("https://other.test"), "*", "Accept"),
            ("/all", 200, None, "*", "Accept"),
        ] {
            let headers: Vec<_> = origin.map(|origin| ("origin", origin)).into_iter().collect();
            let got = fetch(&program, way, "GET", &format!("{HOST}{path}"), &headers).unwrap();
            assert_eq!(got.status, status, "{way:?} {path} {origin:?}");
            assert_eq!(cors(&got, "allow-origin"), allowed, "{way:?} {path} {origin:?}");
            assert_eq!(cors(&got, "allow-credentials"), "", "{way:?} {path} {origin:?}");
            assert_eq!(cors(&got, "expose-headers"), "x-total", "{way:?} {path} {origin:?}");
            assert_eq!(got.header("vary").join("; "), vary, "{way:?} {path} {origin:?}");
        }
        let got = fetch(&program, way, "GET", &format!("{HOST}/off"), &[("origin", APP)]).unwrap();
        assert_eq!(cors(&got, "allow-origin"), "*");
        assert_eq!(cors(&got, "expose-headers"), "x-own");
        assert_eq!(got.header("vary"), ["Accept, Origin"]);
    }
}
