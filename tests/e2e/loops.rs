//! Routes that lead back to the program, `CDN-Loop` and `Via`.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use crate::support::{Backend, Client, Start, backend::ok, h2, read::Request, tls::Tls};

pub type Address = Arc<OnceLock<SocketAddr>>;

/// A backend that forwards each request to `back` unchanged, and responds with the status it gets.
pub fn relay(back: &Address) -> Backend {
    let back = Arc::clone(back);
    Backend::start(move |connection| {
        while let Some(request) = connection.request() {
            let fields: String = request.fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let mut client = Client::connect(*back.get().unwrap());
            client.send(format!("GET {} HTTP/1.1\r\n{fields}\r\n", request.target));
            let response = client.response();
            connection.send(format!("HTTP/1.1 {} Relayed\r\nContent-Length: 0\r\n\r\n", response.status));
        }
    })
}

#[test]
fn a_route_that_leads_back_ends_in_508() {
    let address = Address::default();
    let relay = relay(&address);
    let program = Start::new().route("a.test", &relay).run();
    address.set(program.http()).unwrap();
    let mut client = Client::connect(program.http());
    // Forged headers change nothing.
    for (round, forged) in [
        "",
        "Via: 1.1 a, 1.1 a\r\nCDN-Loop: a, a, a, a, a, a\r\n",
        "CDN-Loop: \"\r\nCDN-Loop: \\\", \u{ff};,\"\r\n",
        "CDN-Loop: x\r\nConnection: cdn-loop\r\n",
    ]
    .iter()
    .enumerate()
    {
        client.send(format!("GET / HTTP/1.1\r\nHost: a.test\r\n{forged}\r\n"));
        assert_eq!(client.response().status, 508, "{forged}");
        assert_eq!(relay.requests().len(), 5 * (round + 1), "{forged}");
    }
    program.wait_for_line("goes in circles");
}

#[test]
fn loops_between_two_programs_are_found_by_both() {
    let address = Address::default();
    let relay = relay(&address);
    let one = Start::new().route("a.test", &relay).run();
    let two = Start::new().flags(&["--route", &format!("a.test={}", one.http())]).run();
    address.set(two.http()).unwrap();
    for (round, program) in [&one, &two].into_iter().enumerate() {
        assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 508);
        program.wait_for_line("goes in circles");
        // Each recognizes only itself, and allows 5 passes.
        assert_eq!(relay.requests().len(), 5 * (round + 1));
    }
}

fn answering() -> Backend {
    Backend::start(|connection| {
        while connection.request().is_some() {
            connection.send(ok("ok"));
        }
    })
}

/// The id after `before` in a header. Asserts that it is the same in all requests.
fn mark<'a>(requests: &'a [Request], name: &str, before: &str) -> &'a str {
    let line = *requests[0].all(name).last().unwrap();
    assert!(requests.iter().all(|request| request.all(name).last() == Some(&line)), "{requests:?}");
    let mark = line.strip_prefix(before).unwrap();
    assert!(mark.len() == 16 && mark.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
    mark
}

#[test]
fn cdn_loop_names_the_process() {
    let backend = answering();
    let program = Start::new().route("a.test", &backend).run();
    for _ in 0..4 {
        // On new connections, so that several workers get one.
        Client::connect(program.http()).get("a.test", "/");
    }
    let mut client = Client::connect(program.http());
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: cdn-loop\r\nCDN-Loop: other;a=b\r\n\r\n");
    let response = client.response();
    assert_eq!((response.field("cdn-loop"), response.field("via")), (None, None));
    let requests = backend.requests();
    let name = format!("pmesh-{}", mark(&requests, "cdn-loop", "pmesh-"));
    let last = requests.iter().find(|request| request.all("cdn-loop").len() > 1).unwrap();
    assert_eq!(last.all("cdn-loop"), ["other;a=b", &name]);
    assert!(requests.iter().all(|request| request.all("via").is_empty()), "{requests:?}");
}

#[test]
fn via_is_added_if_turned_on() {
    let backend = answering();
    let program = Start::new().route("a.test", &backend).flags(&["--via"]).run();
    Client::connect(program.http()).get("a.test", "/");
    let mut client = Client::connect(program.http());
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: via\r\n\r\n");
    assert_eq!(client.response().field("via"), None);
    let name = format!("pmesh-{}", mark(&backend.requests(), "via", "1.1 pmesh-"));

    let mut two = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    let fields = [&h2::get("a.test", "/")[..], &[("via", b"1.0 fred")]].concat();
    two.send([h2::opening(), h2::headers(1, &fields, true)].concat());
    assert_eq!(two.answer(1), h2::Answer::Status(200));
    let last = backend.requests().into_iter().find(|request| request.all("via").len() > 1).unwrap();
    assert_eq!(last.all("via"), ["1.0 fred", &format!("2.0 {name}")]);
    assert_eq!(last.all("cdn-loop"), [name]);
}
