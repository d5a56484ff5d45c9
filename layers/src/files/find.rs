use std::{io, path::PathBuf};

use http::Response;

use super::{
    Settings,
    asked::Asked,
    folder,
    open::{Access, Root, is_missing},
    path::Named,
    serve::serve,
    variants::{Found, Variants},
};
use crate::body::ResponseBody;

/// What a path leads to.
enum Place {
    File(PathBuf, Found),
    /// The index of a folder.
    Index(PathBuf, Found),
    Nothing,
}

/// Looks for the file and creates the response: all of it at once, because each change of threads costs more than the system
/// calls. Returns `None` if there is no such file.
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
