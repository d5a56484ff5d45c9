//! The files of `maintenance`. While one of them exists, its routes answer 503 with its content.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use ::http::StatusCode;
use pmesh_layers::{body::ResponseBody, fixed_response::FixedResponse, maintenance::MaintenanceSwitch};

use crate::{
    file_watch::{FileWatch, Refresh},
    page::Page,
    settings::Route,
};

/// The switch of a route that is under maintenance while a file exists.
pub(super) type Switch = MaintenanceSwitch<ResponseBody>;

/// The files, each with a switch for all routes that name it. Requests only read the switch.
#[derive(Debug, Default)]
pub(super) struct MaintenanceFiles(HashMap<PathBuf, Arc<MaintenanceFile>>);

#[derive(Debug)]
struct MaintenanceFile {
    path: PathBuf,
    switch: Switch,
    watch: Mutex<FileWatch>,
}

impl MaintenanceFiles {
    /// The files that `routes` name. Files in `previous` are kept, because routes that have not changed keep their switches.
    pub(super) fn of(routes: &[Route], previous: Option<&Self>) -> Self {
        let mut files = HashMap::new();
        for path in routes.iter().filter_map(|route| route.middleware.maintenance.as_ref()) {
            files.entry(path.clone()).or_insert_with(|| {
                let known = previous.and_then(|previous| previous.0.get(path));
                known.map_or_else(|| Arc::new(MaintenanceFile::new(path)), Arc::clone)
            });
        }
        Self(files)
    }

    /// The switch of a route, if it names a file.
    pub(super) fn switch(&self, route: &Route) -> Option<Switch> {
        Some(self.0.get(route.middleware.maintenance.as_ref()?)?.switch.clone())
    }

    /// Checks which files exist, and reads the ones that have changed, or all.
    pub(super) fn refresh(&self, all: bool) {
        self.0.values().for_each(|file| file.refresh(all));
    }
}

impl MaintenanceFile {
    fn new(path: &Path) -> Self {
        let watch = Mutex::new(FileWatch::new([path.to_owned()]));
        let file = Self { path: path.to_owned(), switch: Switch::new(), watch };
        file.refresh(true);
        file
    }

    fn refresh(&self, all: bool) {
        let looked = self.watch.lock().unwrap_or_else(PoisonError::into_inner).refresh(all, || read(&self.path));
        let (was_on, path) = (self.switch.is_on(), self.path.display());
        match looked {
            Refresh::Unchanged | Refresh::Failed(None) => return,
            Refresh::Read(Some(response)) => self.switch.on(response),
            Refresh::Read(None) => self.switch.off(),
            Refresh::Failed(Some(error)) => {
                tracing::warn!("maintenance: cannot use {path} as a page: {error}");
                // The route is down anyway while the file exists.
                match FixedResponse::new(StatusCode::SERVICE_UNAVAILABLE).ok().filter(|_| self.path.exists()) {
                    Some(response) => self.switch.on(response),
                    None => self.switch.off(),
                }
            }
        }
        match (was_on, self.switch.is_on()) {
            (false, true) => tracing::info!("maintenance: {path} exists, so its routes answer 503"),
            (true, false) => tracing::info!("maintenance: {path} is gone, so its routes answer again"),
            _ => {}
        }
    }
}

/// The response with the content of the file; `None` if it does not exist.
fn read(path: &Path) -> io::Result<Option<FixedResponse<ResponseBody>>> {
    use io::ErrorKind::{NotADirectory, NotFound};

    let gone = |error: &io::Error| matches!(error.kind(), NotFound | NotADirectory);
    match Page::read(path) {
        Ok(page) => page.response(StatusCode::SERVICE_UNAVAILABLE).map(Some).map_err(io::Error::other),
        Err(error) if gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_switch_is_on_while_the_file_exists() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("down.html");
        let file = MaintenanceFile::new(&path);
        let is_on = |all| {
            file.refresh(all);
            file.switch.is_on()
        };
        assert!(!is_on(false));
        fs::write(&path, "back soon").unwrap();
        assert!(is_on(false));
        // A file that is too long is not sent, but it exists.
        fs::write(&path, vec![b' '; 2 * 1024 * 1024]).unwrap();
        assert!(is_on(false));
        fs::remove_file(&path).unwrap();
        assert!(!is_on(false));
        fs::write(&path, "").unwrap();
        assert!(MaintenanceFile::new(&path).switch.is_on());
        assert!(is_on(true));
        fs::remove_dir_all(folder.path()).unwrap();
        assert!(!is_on(false));
    }
}
