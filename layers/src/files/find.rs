use std::{io, path::PathBuf};

use http::Response;

use super::{
    asked::Asked,
    folder,
    open::{Access, Root, is_missing},
    path::Named,
    serve::serve,
    settings::Settings,
    variants::{Found, Variants},
};
use crate::body::ResponseBody;

/// What a path names.
enum Place {
    File(PathBuf, Found),
    /// The index of a folder.
    Index(PathBuf, Found),
    Nothing,
}

/// Finds the file and creates the response, all on one thread, because changing threads costs more than the system calls.
/// Returns `None` if there is no such file.
pub(super) fn answer(settings: &Settings, asked: &Asked, access: Access) -> io::Result<Option<Response<ResponseBody>>> {
    let root = match Root::open(&settings.root, access) {
        Err(error) if is_missing(&error) => return Ok(None),
        root => root?,
    };
    let (path, found) = match find(&root, settings, &asked.named)? {
        Place::File(path, found) => (path, found),
        Place::Index(path, found) => {
            if let Some(redirect) = asked.without_slash.as_ref().and_then(folder::redirect) {
                return Ok(Some(redirect));
            }
            (path, found)
        }
        Place::Nothing if settings.spa && asked.is_for_page => match index(&root, settings, PathBuf::new())? {
            Place::Index(path, found) => (path, found),
            _ => return Ok(None),
        },
        Place::Nothing => return Ok(None),
    };
    serve(&Variants::new(root, path, found), asked, access).map(Some)
}

fn find(root: &Root, settings: &Settings, named: &Named) -> io::Result<Place> {
    let mut denied = None;
    if !named.is_folder {
        match root.read(&named.path) {
            Ok((file, metadata)) if metadata.is_file() => {
                return Ok(Place::File(named.path.clone(), Found { file, metadata }));
            }
            Ok((_, metadata)) if metadata.is_dir() => {}
            // A pipe, a device.
            Ok(_) => return Ok(Place::Nothing),
            Err(error) if is_missing(&error) => return Ok(Place::Nothing),
            // Perhaps a folder that can be entered, but not listed.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => denied = Some(error),
            Err(error) => return Err(error),
        }
    }
    match (index(root, settings, named.path.clone())?, denied) {
        (Place::Nothing, Some(error)) => Err(error),
        (place, _) => Ok(place),
    }
}

fn index(root: &Root, settings: &Settings, mut folder: PathBuf) -> io::Result<Place> {
    folder.push(&*settings.index);
    match root.read(&folder) {
        Ok((file, metadata)) if metadata.is_file() => Ok(Place::Index(folder, Found { file, metadata })),
        Err(error) if !is_missing(&error) => Err(error),
        _ => Ok(Place::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::fs::symlink, path::Path};

    use http::{HeaderMap, Request};
    use http_body_util::BodyExt;
    use rustix::fs::{Advice, fadvise};

    use super::*;

    /// The status, the headers and the body, or the error.
    type Got = Result<Option<(u16, HeaderMap, Vec<u8>)>, io::ErrorKind>;

    async fn got(settings: &Settings, path: &str, access: Access) -> Got {
        let request =
            Request::get(path).header("accept-encoding", "gzip").header("range", "bytes=1-").body(()).unwrap();
        let asked = Asked::new(&request).unwrap();
        let Some(response) = answer(settings, &asked, access).map_err(|error| error.kind())? else { return Ok(None) };
        let (parts, body) = response.into_parts();
        Ok(Some((parts.status.as_u16(), parts.headers, body.collect().await.unwrap().to_bytes().into())))
    }

    /// Evicts the content from the page cache, if the system allows it.
    fn evict(path: &Path) {
        let file = File::open(path).unwrap();
        file.sync_all().unwrap();
        fadvise(&file, 0, None, Advice::DontNeed).unwrap();
    }

    #[tokio::test]
    async fn a_blocking_read_gives_the_same_result_as_a_cached_one() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir(root.join("sub")).unwrap();
        let files = ["index.html", "a", "a.gz", "long", "sub/index.html"];
        for name in files {
            std::fs::write(root.join(name), name.repeat(if name == "long" { 100_000 } else { 10 })).unwrap();
        }
        symlink(root.join("a"), root.join("absolute")).unwrap();
        for (spa, paths) in [
            (false, &["/", "/a", "/long", "/sub", "/sub/", "/absolute", "/none", "/a/b"][..]),
            (true, &["/none", "/none.js"]),
        ] {
            let settings = Settings { root: root.into(), index: "index.html".into(), spa };
            for path in paths {
                for evicts in [true, false] {
                    files.iter().filter(|_| evicts).for_each(|name| evict(&root.join(name)));
                    let cached = got(&settings, path, Access::Cached).await;
                    files.iter().filter(|_| evicts).for_each(|name| evict(&root.join(name)));
                    let blocking = got(&settings, path, Access::Blocking).await;
                    assert!(blocking.is_ok(), "{path}");
                    assert!(cached == Err(io::ErrorKind::WouldBlock) || cached == blocking, "{path}: {cached:?}");
                }
            }
        }
    }
}
