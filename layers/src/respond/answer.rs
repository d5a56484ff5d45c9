use std::{convert::Infallible, error::Error, fmt, marker::PhantomData};

use http::{Response, StatusCode};
use tower::BoxError;

use super::plain;
use crate::causes::find;

/// The answer of a row: a whole response, or a status, whose text becomes the body.
pub trait Answer<B> {
    /// Converts the answer to a response.
    fn into_response(self) -> Response<B>;
}

impl<B: From<String>> Answer<B> for StatusCode {
    fn into_response(self) -> Response<B> {
        plain(self)
    }
}

impl<B> Answer<B> for Response<B> {
    fn into_response(self) -> Self {
        self
    }
}

/// The rows that were added to a [`RespondLayer`](super::RespondLayer).
pub trait Answers<B> {
    /// The type of the errors that pass: [`Infallible`] if none do, otherwise [`BoxError`].
    type Error;

    /// Returns `Ok` with the error if it passes.
    ///
    /// # Errors
    ///
    /// Returns the error if it does not pass and must be answered.
    fn pass(&self, error: BoxError) -> Result<Self::Error, BoxError>;

    /// Returns the answer of the first row that matches `error` or one of its causes.
    fn answer(&self, error: &(dyn Error + 'static)) -> Option<Response<B>>;
}

/// No rows.
impl<B> Answers<B> for () {
    type Error = Infallible;

    fn pass(&self, error: BoxError) -> Result<Infallible, BoxError> {
        Err(error)
    }

    fn answer(&self, _: &(dyn Error + 'static)) -> Option<Response<B>> {
        None
    }
}

/// A row for errors of type `E`, after the rows `A`.
pub struct Row<A, E, F> {
    before: A,
    answer: F,
    error: PhantomData<fn(&E)>,
}

impl<A, E, F> Row<A, E, F> {
    pub(super) fn new(before: A, answer: F) -> Self {
        Self { before, answer, error: PhantomData }
    }
}

impl<A, B, E, F, T> Answers<B> for Row<A, E, F>
where
    A: Answers<B>,
    E: Error + 'static,
    F: Fn(&E) -> T,
    T: Answer<B>,
{
    type Error = A::Error;

    fn pass(&self, error: BoxError) -> Result<A::Error, BoxError> {
        self.before.pass(error)
    }

    fn answer(&self, error: &(dyn Error + 'static)) -> Option<Response<B>> {
        self.before.answer(error).or_else(|| find(error).map(|error| (self.answer)(error).into_response()))
    }
}

impl<A: Clone, E, F: Clone> Clone for Row<A, E, F> {
    fn clone(&self) -> Self {
        Self::new(self.before.clone(), self.answer.clone())
    }
}

impl<A: Copy, E, F: Copy> Copy for Row<A, E, F> {}

impl<A: fmt::Debug, E, F> fmt::Debug for Row<A, E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row").field("before", &self.before).finish_non_exhaustive()
    }
}

/// The rows `A`, and a row that lets errors of type `E` pass.
pub struct Pass<A, E> {
    rows: A,
    error: PhantomData<fn(&E)>,
}

impl<A, E> Pass<A, E> {
    pub(super) fn new(rows: A) -> Self {
        Self { rows, error: PhantomData }
    }
}

impl<A, B, E> Answers<B> for Pass<A, E>
where
    A: Answers<B, Error: Into<BoxError>>,
    E: Error + 'static,
{
    type Error = BoxError;

    fn pass(&self, error: BoxError) -> Result<BoxError, BoxError> {
        if find::<E>(&*error).is_some() { Ok(error) } else { self.rows.pass(error).map(Into::into) }
    }

    fn answer(&self, error: &(dyn Error + 'static)) -> Option<Response<B>> {
        self.rows.answer(error)
    }
}

impl<A: Clone, E> Clone for Pass<A, E> {
    fn clone(&self) -> Self {
        Self::new(self.rows.clone())
    }
}

impl<A: Copy, E> Copy for Pass<A, E> {}

impl<A: fmt::Debug, E> fmt::Debug for Pass<A, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass").field("rows", &self.rows).finish_non_exhaustive()
    }
}
