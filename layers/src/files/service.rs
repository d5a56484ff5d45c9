use std::{
    ffi::OsString,
    future::{Ready, ready},
    io,
    path::Path,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use tokio::task::spawn_blocking;
use tower::{BoxError, Service};

use super::{asked::Asked, error::FilesError, find::answer, future::ResponseFuture, open::Access, settings::Settings};
use crate::body::ResponseBody;

/// Answers GET and HEAD with files from a folder. All other requests go to the fallback, and so do requests for missing
/// files.
///
/// See the [module](super) for what it serves.
#[derive(Debug, Clone)]
pub struct Files<S = NoFile> {
    settings: Arc<Settings>,
    fallback: S,
}

impl Files {
    /// Creates a service for the files below `root`. It resolves `root` for each request, so `root` can be a symbolic link
    /// that changes.
    pub fn new(root: impl AsRef<Path>) -> Self {
        let settings = Settings { root: root.as_ref().into(), index: "index.html".into(), spa: false };
        Self { settings: Arc::new(settings), fallback: NoFile }
    }
}

impl<S> Files<S> {
    /// Sets the name of the file to serve for a folder; `index.html` by default.
    #[must_use]
    pub fn index(mut self, name: impl Into<OsString>) -> Self {
        Arc::make_mut(&mut self.settings).index = name.into();
        self
    }

    /// Serves the index of the root for missing pages, for single-page applications. A page has a path without a file
    /// extension, or the client accepts HTML.
    #[must_use]
    pub fn spa(mut self, spa: bool) -> Self {
        Arc::make_mut(&mut self.settings).spa = spa;
        self
    }

    /// Sets the service for requests without a file. By default, they fail with a [`FilesError`].
    #[must_use]
    pub fn fallback<T>(self, fallback: T) -> Files<T> {
        Files { settings: self.settings, fallback }
    }
}

impl<S, B, R> Service<Request<B>> for Files<S>
where
    S: Service<Request<B>, Response = Response<R>, Error: Into<BoxError>> + Clone,
    R: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.fallback.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let clone = self.fallback.clone();
        let fallback = std::mem::replace(&mut self.fallback, clone);
        let Some(asked) = Asked::new(&request) else { return ResponseFuture::fallback(fallback, request) };
        match answer(&self.settings, &asked, Access::Cached) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let settings = Arc::clone(&self.settings);
                let reading = spawn_blocking(move || answer(&settings, &asked, Access::Blocking));
                ResponseFuture::reading(reading, fallback, request)
            }
            answer => ResponseFuture::answered(answer, fallback, request),
        }
    }
}

/// The fallback of a [`Files`] service that has no other: it fails with [`FilesError::NotFound`], or for methods other than GET
/// and HEAD with [`FilesError::MethodNotAllowed`].
#[derive(Debug, Clone, Copy)]
pub struct NoFile;

impl<B> Service<Request<B>> for NoFile {
    type Response = Response<ResponseBody>;
    type Error = FilesError;
    type Future = Ready<Result<Self::Response, FilesError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), FilesError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        ready(Err(if is_read { FilesError::NotFound } else { FilesError::MethodNotAllowed }))
    }
}
