//! Routes that lead back to the program, and what `Via` says.

use std::sync::{Arc, OnceLock};

use crate::support::{Backend, Client, Start, backend::ok, h2, tls::Tls};

#[test]
fn a_route_that_leads_back_ends_in_508() {
    let address = Arc::new(OnceLock::new());
    let back = Arc::clone(&address);
    // On its way it only adds a step that can be seen.
    let relay = Backend::start(move |connection| {
        while let Some(request) = connection.request() {
            let fields: String = request.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let mut client = Client::connect(*back.get().unwrap());
            client.send(format!("GET {} HTTP/1.1\r\n{fields}\r\n", request.target));
            let response = client.response();
            connection.send(format!("HTTP/1.1 {} Relayed\r\nContent-Length: 0\r\n\r\n", response.status));
        }
    });
    let program = Start::new().route("a.test", &relay).run();
    address.set(program.http()).unwrap();
    let mut client = Client::connect(program.http());
    for round in 1..=2 {
        assert_eq!(client.get("a.test", "/").status, 508);
        assert_eq!(relay.requests().len(), 5 * round);
    }
    program.wait_for_line("goes in circles");
    // What a client makes up changes nothing.
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nVia: 1.1 a, 1.1 a, 1.1 a, 1.1 a, 1.1 a, 1.1 a\r\n\r\n");
    assert_eq!(client.response().status, 508);
    assert_eq!(relay.requests().len(), 15);
}

#[test]
fn backends_see_through_whom_a_request_came() {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            connection.send(ok("ok"));
        }
    });
    let program = Start::new().route("a.test", &backend).run();
    for _ in 0..4 {
        // Whichever worker it is.
        Client::connect(program.http()).get("a.test", "/");
    }
    let mut client = Client::connect(program.http());
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: via\r\n\r\n");
    let response = client.response();
    assert_eq!(response.field("via"), None);
    let requests = backend.requests();
    let line = requests[0].field("via");
    let mark = line.strip_prefix("1.1 pmesh-").unwrap();
    assert!(mark.len() == 16 && mark.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
    assert!(requests.iter().all(|request| request.field("via") == line), "{requests:?}");

    let mut two = Tls::of(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    let fields = [&h2::get("a.test", "/")[..], &[("via", b"1.0 fred")]].concat();
    two.send([h2::opening(), h2::headers(1, &fields, true)].concat());
    assert_eq!(two.answer(1), h2::Answer::Status(200));
    let last = backend.requests().into_iter().find(|request| request.all("via").len() > 1).unwrap();
    assert_eq!(last.all("via"), ["1.0 fred", &line.replace("1.1", "2.0")]);
}
