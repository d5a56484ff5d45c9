//! Mirrors across a reload.

use crate::{
    eventually, fetch, reload, route, start,
    support::{Backend, Client},
};

#[test]
fn the_mirror_of_a_route_can_be_replaced_and_removed() {
    let backend = Backend::answering("hello");
    let mirrors = [Backend::answering("one"), Backend::answering("two")];
    let file = |mirror: &str| format!("{}mirror = {mirror}\n", route("a.test", backend.address));
    let to = |index: usize| file(&format!("\"{}\"", mirrors[index].address));
    let program = start(&to(0));
    let mut client = Client::connect(program.http());
    let mut ask = || assert_eq!(client.get("a.test", "/").text(), "hello");
    let expect = |counts: [usize; 2]| {
        eventually("the copies have arrived", || mirrors.each_ref().map(|mirror| mirror.requests().len()) == counts);
    };
    let endpoints = || {
        let report = fetch(&program, "/v1/upstreams");
        let of = |endpoint: &serde_json::Value| {
            (endpoint["address"].as_str().unwrap().to_owned(), endpoint["routes"][0].as_str().unwrap().to_owned())
        };
        let mut all: Vec<_> = report["endpoints"].as_array().unwrap().iter().map(of).collect();
        all.sort_by_key(|(_, route)| route.len());
        all
    };
    let own = (backend.address.to_string(), "a.test/".to_owned());
    let mirrored = |index: usize| (mirrors[index].address.to_string(), "a.test/ (mirror)".to_owned());
    ask();
    expect([1, 0]);
    assert_eq!(endpoints(), [own.clone(), mirrored(0)]);
    // Nothing has changed.
    assert_eq!(reload(&program, &to(0))["routes"]["changed"].as_array().unwrap().len(), 0);
    ask();
    expect([2, 0]);
    assert_eq!(reload(&program, &to(1))["routes"]["changed"][0], "a.test/");
    ask();
    expect([2, 1]);
    assert_eq!(endpoints(), [own.clone(), mirrored(1)]);
    reload(&program, &file("false"));
    ask();
    assert_eq!(endpoints(), std::slice::from_ref(&own));
    // A mirror can be the endpoint itself.
    reload(&program, &file(&format!("\"{}\"", backend.address)));
    ask();
    assert_eq!(endpoints(), [own]);
    eventually("both have arrived", || backend.requests().len() == 6);
    expect([2, 1]);
}
