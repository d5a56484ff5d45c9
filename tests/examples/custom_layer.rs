use crate::program::Program;

#[tokio::test]
async fn the_layer_rejects_some_paths_and_marks_all_other_requests() {
    let program = Program::start("custom_layer");
    let ask = async |method: &str, path: &str, host: &str| {
        program.answer_to(format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
    };
    let answer = ask("GET", "/", "app.example").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("GET / for the office\n"), "{answer}");
    let answer = ask("GET", "/admin", "app.example").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\n\r\n/admin is closed\n"), "{answer}");
    assert!(answer.contains("retry-after: 3600\r\n"), "{answer}");
    let answer = ask("TRACE", "/", "app.example").await;
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: GET, "), "{answer}");
    assert_eq!(ask("GET", "/", "127.0.0.1").await, "");
}
