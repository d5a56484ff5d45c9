//! What passes the gate, and when.

use super::*;
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn holds_until_opened_and_keeps_the_order() {
    let (near, mut far) = tokio::io::duplex(8);
    let control = Control::closed();
    let (mut gate, _) = Gate::new(near, control.clone());
    gate.write_all(b"held back, longer than the pipe;").await.unwrap();
    gate.flush().await.unwrap();
    control.open_gate();
    let reader = tokio::spawn(async move {
        let mut all = String::new();
        far.read_to_string(&mut all).await.unwrap();
        all
    });
    gate.write_all(b" then this").await.unwrap();
    gate.shutdown().await.unwrap();
    assert_eq!(reader.await.unwrap(), "held back, longer than the pipe; then this");
}

#[tokio::test]
async fn a_closed_gate_lets_nothing_out_and_gives_the_io_back() {
    let (near, mut far) = tokio::io::duplex(64);
    let (mut gate, reclaim) = Gate::new(near, Control::closed());
    gate.write_all(b"HTTP/1.1 400").await.unwrap();
    gate.shutdown().await.unwrap();
    assert!(reclaim.take().is_none());
    drop(gate);
    drop(reclaim.take().expect("the pipe comes back"));
    let mut all = Vec::new();
    far.read_to_end(&mut all).await.unwrap();
    assert!(all.is_empty());
}

#[tokio::test]
async fn silence_stops_an_open_gate() {
    let (near, _far) = tokio::io::duplex(64);
    let control = Control::open();
    let (mut gate, _) = Gate::new(near, control.clone());
    gate.write_all(b"a").await.unwrap();
    control.silence();
    assert_eq!(gate.write_all(b"b").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn held_bytes_have_a_limit() {
    let (near, _far) = tokio::io::duplex(64);
    let (mut gate, _) = Gate::new(near, Control::closed());
    assert!(gate.write_all(&[0; MAX_HELD]).await.is_ok());
    assert!(gate.write_all(b"x").await.is_err());
}

#[tokio::test]
async fn a_busy_connection_gives_others_a_turn() {
    for reads in [false, true] {
        let (mut gate, _) = Gate::new(tokio::io::join(tokio::io::repeat(0), tokio::io::sink()), Control::open());
        gate.watch();
        let moving = tokio::spawn(async move {
            let mut piece = vec![0; BYTES_PER_TURN / 4];
            for _ in 0..32 {
                let moved = if reads { gate.read(&mut piece).await } else { gate.write(&piece).await };
                assert_eq!(moved.unwrap(), piece.len());
            }
        });
        yield_now().await;
        // All of it could have moved at once.
        assert!(!moving.is_finished());
        moving.await.unwrap();
    }
}

#[tokio::test]
async fn the_preface_is_found_across_reads_and_not_lost() {
    for (sent, expected) in [(H2_PREFACE, true), (b"PRI * HTTP/1.1\r\n", false), (b"PRI", false), (b"", false)] {
        let (near, mut far) = tokio::io::duplex(1);
        let (mut gate, _) = Gate::new(near, Control::closed());
        let writer = tokio::spawn(async move { far.write_all(sent).await });
        assert_eq!(gate.starts_with_h2_preface().await.unwrap(), expected);
        let mut all = Vec::new();
        gate.read_to_end(&mut all).await.unwrap();
        writer.await.unwrap().unwrap();
        assert_eq!(all, sent);
    }
}
