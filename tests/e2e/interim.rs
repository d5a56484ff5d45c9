//! Interim responses (1xx) of backends are not forwarded, and must be followed by a final one.

use crate::support::{
    Backend, Client, Start,
    backend::ok,
    client::get,
    h2::{self, HEADERS, SETTINGS},
};

#[test]
fn endless_interim_responses_are_502() {
    let flooding = Backend::start(|connection| {
        connection.request().unwrap();
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n".repeat(20);
        while connection.try_send(&hints).is_ok() {}
    });
    let fine = Backend::answering("fine");
    // One worker for both, and no timeout that would intervene.
    let program = Start::new().workers(1).route("a.test", &flooding).route("b.test", &fine);
    let program = program.flags(&["--response-timeout", "1h"]).run();
    let mut client = Client::connect(program.http());
    client.send(get("a.test", "/"));
    assert_eq!(client.response().status, 502);
    flooding.wait_for_end();
    assert_eq!(Client::connect(program.http()).get("b.test", "/").text(), "fine");
}

#[test]
fn endless_interim_responses_over_http2_time_out() {
    let flooding = Backend::start(|connection| {
        connection.take(h2::PREFACE.len());
        let stream = {
            let mut peer = Client::new(&mut *connection);
            peer.send([h2::frame(SETTINGS, 0, 0, &[]), h2::frame(SETTINGS, 1, 0, &[])].concat());
            peer.frames_until(|frame| frame.kind == HEADERS).pop().unwrap().stream
        };
        let hints = h2::headers(stream, &[(":status", b"103"), ("link", b"</a.css>")], false).repeat(20);
        while connection.try_send(&hints).is_ok() {}
    });
    let fine = Backend::answering("fine");
    let program = Start::new().workers(1).flags(&["--route", &format!("a.test=h2c://{}", flooding.address)]);
    let program = program.route("b.test", &fine).flags(&["--response-timeout", "500ms"]).run();
    let mut client = Client::connect(program.http());
    client.send(get("a.test", "/"));
    flooding.wait_for_bytes(b"");
    assert_eq!(Client::connect(program.http()).get("b.test", "/").text(), "fine");
    assert!(matches!(client.response().status, 502 | 504));
    assert_eq!(Client::connect(program.http()).get("b.test", "/").text(), "fine");
}

#[test]
fn a_few_interim_responses_do_not_affect_the_response() {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            for interim in ["100 Continue", "102 Processing", "103 Early Hints\r\nLink: </a.css>", "199 Whatever"] {
                connection.send(format!("HTTP/1.1 {interim}\r\n\r\n"));
            }
            connection.send(ok("whole"));
        }
    });
    let program = Start::new().workers(1).route("a.test", &backend).run();
    let mut client = Client::connect(program.http());
    for _ in 0..3 {
        let response = client.get("a.test", "/");
        assert_eq!((response.status, response.text(), response.field("link")), (200, "whole", None));
    }
    assert_eq!(backend.connections().len(), 1);
}
