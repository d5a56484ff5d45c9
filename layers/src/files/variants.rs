use std::{
    fs::{File, Metadata},
    future::{Ready, ready},
    io::{self, SeekFrom},
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tower_http::services::fs;

use super::open::{Access, Root};

/// A regular file, open for reading.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) file: File,
    pub(super) metadata: Metadata,
}

/// A file with its precompressed variants, as the file system of a [`ServeDir`](tower_http::services::ServeDir), which
/// chooses a variant that the client accepts. The `ServeDir` only asks for metadata, because it gets only HEAD requests.
#[derive(Debug, Clone)]
pub(super) struct Variants(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    root: Root,
    path: PathBuf,
    /// The name of the file in requests to the `ServeDir`.
    alias: String,
    plain: Arc<Found>,
    /// The variant that was found.
    variant: Mutex<Option<Arc<Found>>>,
}

impl Variants {
    pub(super) fn new(root: Root, path: PathBuf, plain: Found) -> Self {
        let alias = alias(&path);
        Self(Arc::new(Shared { root, path, alias, plain: Arc::new(plain), variant: Mutex::default() }))
    }

    /// The name under which a [`ServeDir`](tower_http::services::ServeDir) finds the file. Only its extension, which determines
    /// the `Content-Type`, is that of the file.
    pub(super) fn alias(&self) -> &str {
        &self.0.alias
    }

    /// The file to send: the variant that was found last, or the file itself.
    pub(super) fn selected(&self) -> Arc<Found> {
        let variant = self.0.variant.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(variant.as_ref().unwrap_or(&self.0.plain))
    }

    fn find(&self, extension: &str) -> io::Result<VariantMetadata> {
        let Shared { root, path, plain, variant, .. } = &*self.0;
        let number = match extension {
            "" => return Ok(VariantMetadata::new(&plain.metadata, 0)),
            ".gz" => 1,
            ".br" => 2,
            _ => 3,
        };
        let mut path = path.as_os_str().to_owned();
        path.push(extension);
        let found = match root.read(path.as_ref()) {
            Ok((file, metadata)) if metadata.is_file() => Found { file, metadata },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && root.access() == Access::Cached => {
                return Err(error);
            }
            // The file itself can be sent.
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        let metadata = VariantMetadata::new(&found.metadata, number);
        *variant.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(found));
        Ok(metadata)
    }
}

fn alias(path: &Path) -> String {
    let is_plain =
        |extension: &&str| extension.len() <= 16 && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let extension = path.extension().and_then(|extension| extension.to_str()).filter(is_plain);
    extension.map_or_else(|| "file".to_owned(), |extension| format!("file.{extension}"))
}

impl fs::Backend for Variants {
    type File = Unopened;
    type Metadata = VariantMetadata;
    type OpenFuture = Ready<io::Result<Unopened>>;
    type MetadataFuture = Ready<io::Result<VariantMetadata>>;

    fn open(&self, _: PathBuf) -> Self::OpenFuture {
        ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        let name = path.file_name().and_then(|name| name.to_str());
        let extension = name.and_then(|name| name.strip_prefix(&*self.0.alias));
        ready(extension.map_or_else(|| Err(io::ErrorKind::NotFound.into()), |extension| self.find(extension)))
    }
}

/// The data for `ETag` and `Last-Modified`.
#[derive(Debug)]
pub(super) struct VariantMetadata {
    modified: io::Result<SystemTime>,
    length: u64,
}

impl VariantMetadata {
    /// `number` distinguishes the variants of a file.
    fn new(metadata: &Metadata, number: u64) -> Self {
        // Some build tools set one of these times, the same for all versions of the file.
        let is_real = |time: &SystemTime| *time >= SystemTime::UNIX_EPOCH + Duration::from_secs(2);
        let modified = metadata.modified().ok().filter(is_real);
        // Variants can have the same time and even the same length, but not the same `ETag`.
        let modified = modified.and_then(|time| time.checked_add(Duration::from_nanos(number)));
        Self { modified: modified.ok_or_else(|| io::ErrorKind::Unsupported.into()), length: metadata.len() }
    }
}

impl fs::Metadata for VariantMetadata {
    fn is_dir(&self) -> bool {
        false
    }

    fn modified(&self) -> io::Result<SystemTime> {
        self.modified.as_ref().copied().map_err(|error| error.kind().into())
    }

    fn len(&self) -> u64 {
        self.length
    }
}

/// The type of files that a [`ServeDir`](tower_http::services::ServeDir) opens. It never opens any here.
#[derive(Debug)]
pub(super) enum Unopened {}

impl fs::File for Unopened {
    type Metadata = VariantMetadata;
    type MetadataFuture<'a> = Ready<io::Result<VariantMetadata>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        match *self {}
    }
}

impl AsyncRead for Unopened {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}

impl AsyncSeek for Unopened {
    fn start_seek(self: Pin<&mut Self>, _: SeekFrom) -> io::Result<()> {
        match *self {}
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        match *self {}
    }
}
