//! Pages: files whose content becomes the body of a response.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use pmesh_layers::{
    body::ResponseBody,
    fixed_response::{FixedResponse, InvalidStatus},
};

/// Maximum length of a page. Pages stay in memory.
const LIMIT: u64 = 1024 * 1024;

/// The content of a file, and its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    body: Bytes,
    content_type: HeaderValue,
}

impl Page {
    /// Reads a page. Its type follows from the extension of the file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is longer than 1 MiB, or is not a regular file: reading a pipe could take forever.
    pub fn read(path: &Path) -> io::Result<Self> {
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("not a file"));
        }
        let mut body = Vec::new();
        File::open(path)?.take(LIMIT + 1).read_to_end(&mut body)?;
        if body.len() as u64 > LIMIT {
            return Err(io::Error::other("longer than 1 MiB"));
        }
        Ok(Self { content_type: content_type(path, &body), body: body.into() })
    }

    /// The response with this page and `status`. If the page is empty, the body is the status as text.
    ///
    /// # Errors
    ///
    /// If a response cannot have the status.
    pub fn response(&self, status: StatusCode) -> Result<FixedResponse<ResponseBody>, InvalidStatus> {
        let response = FixedResponse::new(status)?;
        if self.body.is_empty() {
            return Ok(response);
        }
        Ok(response.body(self.body.clone()).content_type(self.content_type.clone()))
    }
}

fn content_type(path: &Path, body: &[u8]) -> HeaderValue {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let is_text = str::from_utf8(body).is_ok();
    HeaderValue::from_static(match extension.to_ascii_lowercase().as_str() {
        "html" | "htm" if is_text => "text/html; charset=utf-8",
        // The page may name its own encoding.
        "html" | "htm" => "text/html",
        "json" => "application/json",
        "xml" => "application/xml",
        "xhtml" => "application/xhtml+xml",
        "svg" => "image/svg+xml",
        _ if is_text => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_follows_from_the_extension() {
        for (name, body, expected) in [
            ("down.html", "<p>".as_bytes(), "text/html; charset=utf-8"),
            ("DOWN.HTM", b"<p>", "text/html; charset=utf-8"),
            ("down.html", b"\xe9", "text/html"),
            ("down.json", b"{}", "application/json"),
            ("down", b"back soon", "text/plain; charset=utf-8"),
            ("down.bin", b"\xff", "application/octet-stream"),
        ] {
            assert_eq!(content_type(Path::new(name), body), expected, "{name}");
        }
    }

    #[test]
    fn long_files_and_folders_are_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        let length = |length: usize| {
            fs::write(&path, vec![b' '; length]).unwrap();
            Page::read(&path).map(|page| page.body.len()).map_err(|error| error.to_string())
        };
        assert_eq!(length(1024 * 1024), Ok(1024 * 1024));
        assert_eq!(length(1024 * 1024 + 1), Err("longer than 1 MiB".to_owned()));
        assert_eq!(Page::read(folder.path()).unwrap_err().to_string(), "not a file");
    }
}
