//! Many programs at once.

use std::fs;

use crate::{Side, read, shell};

#[tokio::test]
async fn two_hundred_programs_start_at_once() {
    let mut side = Side::start().await;
    let outputs: Vec<_> =
        (0..200).map(|id| side.keeper.launch(id, &shell(&format!("echo {id}; exit {}", id % 7))).unwrap()).collect();
    for (id, output) in (0..).zip(outputs) {
        side.started(id).await;
        assert_eq!(read(&output.stdout).await, format!("{id}\n"));
        assert_eq!(read(&output.stderr).await, "");
        assert_eq!(side.exit(id).await.code, i32::try_from(id % 7).ok());
    }
    let descriptors = fs::read_dir(format!("/proc/{}/fd", side.keeper.pid())).unwrap().count();
    assert!(descriptors < 20, "the keeper holds {descriptors} descriptors");
}

#[tokio::test]
async fn two_hundred_programs_are_killed_at_once() {
    let mut side = Side::start().await;
    let outputs: Vec<_> =
        (0..200).map(|id| side.keeper.launch(id, &shell("setsid sleep 1000 & sleep 1000")).unwrap()).collect();
    for id in 0..200 {
        side.started(id).await;
    }
    for id in 0..200 {
        side.keeper.kill(id);
    }
    for (id, output) in (0..).zip(outputs) {
        assert_eq!(side.exit(id).await.signal, Some(9));
        assert_eq!(read(&output.stdout).await, "");
    }
}

impl Side {
    async fn started(&mut self, id: u64) -> u32 {
        match self.next(id).await {
            pmesh::services::keeper::KeeperEvent::Started { pid, .. } => pid,
            other => panic!("{other:?}"),
        }
    }
}
