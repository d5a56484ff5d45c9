use crate::program::Program;

#[test]
fn an_internal_name_is_resolved_and_reached_over_tls() {
    let mut program = Program::start("connector_dns");
    let lines: Vec<_> = std::iter::from_fn(|| program.next_line()).collect();
    let port = program.address.port();
    let no_tls = format!("http://api.internal:{port}/ asks for a connection without TLS");
    let expected = [
        "looking up api.internal",
        &format!("200 OK from https://api.internal:{port}: hello 127.0.0.1, this is api.internal"),
        "looking up other.internal",
        "cannot resolve other.internal: there is no such name",
        &no_tls,
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.contains(expected), "{line}");
    }
}
