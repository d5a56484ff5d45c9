//! Backends that authenticate connections (NTLM): such a connection never serves another client.

use std::net::TcpStream;

use crate::support::{Backend, Client, Connection, Start, backend::ok};

/// Challenges each request until its connection has sent credentials, and greets the user from then on.
fn authenticating(connection: &mut Connection) {
    let mut user = None;
    while let Some(request) = connection.request() {
        let credentials = request.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        if let Some((_, credentials)) = credentials {
            user = credentials.strip_prefix("NTLM ").map(str::to_owned);
        }
        match &user {
            Some(user) => connection.send(ok(&format!("hello {user}"))),
            None => {
                connection.send("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nContent-Length: 4\r\n\r\nwho?");
            }
        }
    }
}

fn send(client: &mut Client<TcpStream>, fields: &str) -> String {
    client.send(format!("GET / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n"));
    client.response().text().to_owned()
}

#[test]
fn no_client_is_served_as_another_user() {
    let [one, two] = [authenticating, authenticating].map(Backend::start);
    let program = Start::new().workers(1).flags(&["--route", &format!("a.test={},{}", one.address, two.address)]).run();
    let mut clients = ["alice", "bob", "carol"].map(|name| (name, Client::connect(program.http())));
    for (name, client) in &mut clients {
        assert_eq!(send(client, ""), "who?");
        assert_eq!(send(client, &format!("Authorization: NTLM {name}\r\n")), format!("hello {name}"));
    }
    for _ in 0..4 {
        for (name, client) in &mut clients {
            assert_eq!(send(client, ""), format!("hello {name}"));
            assert_eq!(send(&mut Client::connect(program.http()), ""), "who?");
        }
    }
    drop(clients);
    for _ in 0..4 {
        assert_eq!(send(&mut Client::connect(program.http()), ""), "who?");
    }
}
