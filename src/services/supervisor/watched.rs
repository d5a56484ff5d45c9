//! Watches the files of a service, for development.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash, Hasher},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

/// The shortest pause between two looks. A change counts once files have then stayed unchanged for as long.
const PAUSE: Duration = Duration::from_millis(300);

/// The pause is at least this many times as long as a look.
const SHARE: u32 = 20;

/// Maximum number of files and folders that are looked at.
const MAX_FILES: usize = 50_000;

/// Folders that are ignored: programs write there, or they have too many files.
const IGNORED: [&str; 4] = [".git", "node_modules", "target", "__pycache__"];

/// Watches files and folders, and calls `changed` after each change once they have been unchanged for a moment.
pub(super) async fn watch(paths: Vec<PathBuf>, mut changed: impl FnMut()) {
    let Some((mut known, mut took)) = look(&paths).await else { return };
    let mut is_changed = false;
    loop {
        sleep(PAUSE.max(took * SHARE)).await;
        let Some((found, time)) = look(&paths).await else { return };
        took = time;
        if found != known {
            (known, is_changed) = (found, true);
        } else if is_changed {
            is_changed = false;
            changed();
        }
    }
}

/// What the files look like, and how long it took to find out. `None` if the runtime is shutting down.
async fn look(paths: &[PathBuf]) -> Option<(u64, Duration)> {
    let (paths, began) = (paths.to_vec(), Instant::now());
    let found = spawn_blocking(move || {
        let (mut hasher, mut left) = (DefaultHasher::new(), MAX_FILES);
        for path in &paths {
            // A path that does not exist may be created later.
            let _ = add(path, &mut hasher, &mut left);
        }
        hasher.finish()
    });
    Some((found.await.ok()?, began.elapsed()))
}

fn add(path: &Path, hasher: &mut DefaultHasher, left: &mut usize) -> io::Result<()> {
    if *left == 0 {
        return Ok(());
    }
    *left -= 1;
    let metadata = fs::metadata(path)?;
    path.hash(hasher);
    if metadata.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(path)?.flatten().collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries.into_iter().filter(|entry| !IGNORED.iter().any(|name| entry.file_name() == *name)) {
            // Links are not followed: they could lead in a circle.
            if entry.file_type().is_ok_and(|kind| !kind.is_symlink()) {
                let _ = add(&entry.path(), hasher, left);
            }
        }
    } else {
        (metadata.dev(), metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec()).hash(hasher);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::{sync::mpsc, time::timeout};

    use super::*;

    #[tokio::test]
    async fn changes_in_folders_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["lib/deep", "lib/node_modules"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        let (sender, mut changes) = mpsc::unbounded_channel();
        let watch = watch(vec![path("lib"), path("file")], move || sender.send(()).unwrap());
        let task = tokio::spawn(watch);
        let mut look = async |expected: bool| {
            let limit = if expected { Duration::from_secs(60) } else { PAUSE * 4 };
            timeout(limit, changes.recv()).await.is_ok() == expected
        };
        // The first look.
        assert!(look(false).await);
        for name in ["lib/deep/a", "file", "lib/b"] {
            fs::write(path(name), "1").unwrap();
            assert!(look(true).await, "{name}");
        }
        fs::write(path("lib/node_modules/a"), "1").unwrap();
        assert!(look(false).await, "ignored");
        fs::remove_file(path("lib/b")).unwrap();
        assert!(look(true).await, "removed");
        task.abort();
    }
}
