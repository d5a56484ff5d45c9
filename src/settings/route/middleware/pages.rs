//! `error_pages` and `maintenance`.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
};

use figment::value::Value;
use http::StatusCode;

use crate::{
    config::{Node, Parse, Problems, Reason, text},
    page::Page,
    settings::route::Scope,
};

/// Error pages by status.
pub type ErrorPages = BTreeMap<StatusCode, Arc<Page>>;

/// The pages that have been read so far: many routes can inherit the same ones.
#[derive(Debug, Default)]
pub(in crate::settings) struct ReadPages(RefCell<HashMap<PathBuf, Result<Arc<Page>, String>>>);

impl ReadPages {
    fn read(&self, node: &Node<'_>, problems: &mut Problems) -> Option<Arc<Page>> {
        let path: PathBuf = node.read(problems)?;
        let mut pages = self.0.borrow_mut();
        let page = pages.entry(path).or_insert_with_key(|path| {
            Page::read(path).map(Arc::new).map_err(|error| format!("cannot use {} as a page: {error}", path.display()))
        });
        problems.note(page.clone().map_err(|error| node.problem(error)))
    }
}

/// Reads the error pages, with their files. Returns `None` if they are invalid, and reports that.
pub(super) fn error_pages(scope: &Scope<'_>, read: &ReadPages, problems: &mut Problems) -> Option<ErrorPages> {
    let expected = "a table such as { 502 = \"down.html\", 404 = \"404.html\" }";
    let Some(table) = scope.read_table("error_pages", expected, problems)? else { return Some(ErrorPages::new()) };
    let fields = table.fields();
    let page = |(key, node): &(String, Node<'_>)| {
        let status = node.read_key::<ErrorStatus>(key, problems);
        let page = read.read(node, problems);
        status.map(|ErrorStatus(status)| status).zip(page)
    };
    let pages: ErrorPages = fields.iter().filter_map(page).collect();
    (pages.len() == fields.len()).then_some(pages)
}

/// Reads the path of the file for maintenance. Returns `None` if it is invalid, and reports that.
pub(super) fn maintenance(scope: &Scope<'_>, problems: &mut Problems) -> Option<Option<PathBuf>> {
    let Some(node) = scope.field("maintenance") else { return Some(None) };
    let path: PathBuf = if node.value.to_bool() == Some(true) {
        problems
            .push(node.unexpected("a path such as \"/run/down.html\": the route answers 503 while that file exists"));
        return None;
    } else {
        node.read(problems)?
    };
    if path.is_dir() {
        problems.push(node.problem(format!("{} is a folder: name a file in it", path.display())));
        return None;
    }
    Some(Some(path))
}

struct ErrorStatus(StatusCode);

impl Parse for ErrorStatus {
    const EXPECTED: &'static str = "a status from 400 to 599";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        if let [first @ (b'4' | b'5'), b'x' | b'X', b'x' | b'X'] = text.as_bytes() {
            let first = char::from(*first);
            return Err(Some(format!("name each status, such as {first}00 and {first}03")));
        }
        let status = StatusCode::from_bytes(text.as_bytes()).ok();
        status.filter(|status| status.is_client_error() || status.is_server_error()).map(Self).ok_or(None)
    }
}
