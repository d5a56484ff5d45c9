//! Headers that tell an upstream who the user is never come from clients, on no route to that upstream.

use std::fs;

use super::answers::{WAYS, fetch, upstream};
use crate::support::{
    Backend, Client, Start,
    jwt::{good, jwks},
};

const HOST: &str = "example.com";
const NAMES: [&str; 3] = ["remote-user", "x-forwarded-user", "x-claim"];

fn start(backend: &Backend, other: &Backend, auth: &Backend) -> crate::support::Program {
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\n{upstream}\
         [[routes.routes]]\nprefix = \"/basic\"\nbasic_auth = {{ users = {{ alice = \"{HASH}\" }} }}\n\
         [[routes.routes]]\nprefix = \"/token\"\njwt = {{ keys = \"keys.json\", audience = \"api\", claim_headers = {{ x-claim = \"sub\" }} }}\n\
         [[routes.routes]]\nprefix = \"/asked\"\nforward_auth = {{ url = \"http://{auth}/\", copy_headers = \"remote-user\" }}\n\
         [[routes.routes]]\nprefix = \"/default\"\nrequest_headers = {{ remote-user = {{ default = \"guest\" }} }}\n\
         [[routes]]\nhost = \"other.example\"\nupstream = \"{other}\"\n",
        upstream = upstream(backend),
        auth = auth.address,
        other = other.address,
    );
    let start = Start::new().flags(&["--http-h2c", "silent"]).config(&config);
    fs::write(start.home().join("keys.json"), jwks()).unwrap();
    start.run()
}

/// For the password "secret".
const HASH: &str = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

#[test]
fn clients_cannot_forge_the_user_on_another_route_to_the_same_upstream() {
    let (backend, other, auth) = (Backend::answering("ok"), Backend::answering("ok"), Backend::answering("yes"));
    let program = start(&backend, &other, &auth);
    let forged = [
        ("remote-user", "root"),
        ("remote_user", "root"),
        ("x-forwarded-user", "root"),
        ("x-claim", "root"),
        ("x_claim", "root"),
    ];
    let token = format!("Bearer {}", good("ES256"));
    for way in WAYS {
        for (path, authorization, own) in [
            ("/", "", None),
            ("/basic", "Basic YWxpY2U6c2VjcmV0", Some(("remote-user", "alice"))),
            ("/token", &token, Some(("x-claim", ""))),
            ("/asked", "", None),
            ("/default", "", Some(("remote-user", "guest"))),
        ] {
            let headers = [&forged[..], &[("authorization", authorization)]].concat();
            let got = fetch(&program, way, "GET", &format!("{HOST}{path}?{way:?}"), &headers).unwrap();
            assert_eq!(got.status, 200, "{way:?} {path}");
            let target = format!("{path}?{way:?}");
            let seen = backend.requests().into_iter().find(|request| request.target == target).unwrap();
            assert!(seen.fields.iter().all(|(_, value)| value != "root"), "{way:?} {path}: {:?}", seen.fields);
            for name in NAMES {
                let expected = own.filter(|(own, _)| *own == name).map(|(_, value)| value);
                let values = seen.all(name);
                assert_eq!(values.len(), usize::from(expected.is_some()), "{way:?} {path} {name}");
                assert!(
                    expected.is_none_or(|value| value.is_empty() || values == [value]),
                    "{way:?} {path}: {values:?}"
                );
            }
        }
        // Another upstream may get them from anywhere.
        fetch(&program, way, "GET", &format!("other.example/?{way:?}"), &forged[..1]).unwrap();
    }
    assert!(other.requests().iter().all(|request| request.all("remote-user") == ["root"]));
}

#[test]
fn nor_in_trailers() {
    let (backend, other, auth) = (Backend::answering("ok"), Backend::answering("ok"), Backend::answering("yes"));
    let program = start(&backend, &other, &auth);
    let mut client = Client::connect(program.http());
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\nTrailer: remote-user, x-sum\r\n\r\n\
         4\r\nbody\r\n0\r\nRemote-User: root\r\nx_claim: root\r\nx-sum: 1\r\n\r\n"
    ));
    assert_eq!(client.response().text(), "ok");
    let trailers: Vec<_> = backend.request().trailers.into_iter().map(|(name, _)| name).collect();
    assert_eq!(trailers, ["x-sum"]);
}
