use crate::program::command;

#[test]
fn calls_continue_after_a_server_dies() {
    let output = command("grpc_balance").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text, "hello from a\nhello from b\na is gone\nhello from b\nhello from b\n", "{output:?}");
}
