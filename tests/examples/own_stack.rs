use crate::program::Program;

fn get(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\n{host}Connection: close\r\n\r\n")
}

#[tokio::test]
async fn requests_for_served_names_reach_the_backend_and_others_get_nothing() {
    let program = Program::start("own_stack");
    for (host, path, expected) in [
        ("Host: hello.example\r\n", "/", "hello.example asked by 127.0.0.1: GET /\n"),
        ("Host: a.hello.example\r\n", "/x", "a.hello.example asked by 127.0.0.1: GET /x\n"),
        ("Host: hello.example\r\nX-Forwarded-For: 10.0.0.1\r\n", "/", "hello.example asked by 127.0.0.1: GET /\n"),
    ] {
        let answer = program.answer_to(get(host, path)).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(expected), "{host}: {answer}");
    }
    for host in ["", "Host: 127.0.0.1\r\n", "Host: other.example\r\n", "Host: hello.example\r\nHost: hello.example\r\n"]
    {
        assert_eq!(program.answer_to(get(host, "/")).await, "", "{host}");
    }
    assert_eq!(program.answer_to("garbage\r\n\r\n").await, "");
}

#[tokio::test]
async fn clients_that_name_a_served_host_get_error_responses() {
    let program = Program::start("own_stack");
    for (host, path, status) in [
        ("a.hello.example", "/", "404 Not Found"),
        ("hello.example", "/down", "502 Bad Gateway"),
        ("hello.example", "/x/..%2fdown", "400 Bad Request"),
    ] {
        let answer = program.answer_to(get(&format!("Host: {host}\r\n"), path)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{path}: {answer}");
        assert!(answer.ends_with(&format!("\r\n\r\n{status}\n")), "{path}: {answer}");
    }
}
