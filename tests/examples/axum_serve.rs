use crate::program::Program;

fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn the_app_gets_requests_for_served_hosts_and_others_get_its_own_rejection() {
    let program = Program::start("axum_serve");
    for (path, host, status, body) in [
        ("/", "app.example", "200 OK", "hello 127.0.0.1, this is app.example\n"),
        ("/x", "app.example", "404 Not Found", ""),
        ("/", "127.0.0.1", "403 Forbidden", "ask for app.example\n"),
        ("/", "a,b", "403 Forbidden", "ask for app.example\n"),
    ] {
        let answer = program.answer_to(get(path, host)).await;
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{host}: {head}");
        assert_eq!(text, body, "{host}");
    }
}
