use crate::program::Program;

const PLAIN: &str = "GET / HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n";
const FOR_ANOTHER: &str =
    "GET / HTTP/1.1\r\nHost: app.example\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn each_layer_has_its_effect() {
    let mut program = Program::start("axum_middleware");
    for (request, status, header, body) in [
        (PLAIN, "200 OK", "", "hello 127.0.0.1\n"),
        (FOR_ANOTHER, "403 Forbidden", "", "403 Forbidden\n"),
        (PLAIN, "200 OK", "", "hello 127.0.0.1\n"),
        (PLAIN, "429 Too Many Requests", "\r\nretry-after: ", "<h1>Not so fast</h1>\n"),
    ] {
        let answer = program.answer_to(request).await;
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{head}");
        assert!(head.contains("\r\nx-frame-options: DENY") && head.contains(header), "{head}");
        assert_eq!(text, body);
    }
    program.interrupt();
    assert_eq!(program.next_line().as_deref(), Some("under maintenance"));
    let answer = program.answer_to(PLAIN).await;
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    assert!(answer.contains("\r\nx-frame-options: DENY") && answer.ends_with("\r\n\r\nback soon\n"), "{answer}");
    program.interrupt();
    assert_eq!(program.next_line(), None);
}
