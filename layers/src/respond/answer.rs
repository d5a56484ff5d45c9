use std::{error::Error, fmt, iter, marker::PhantomData};

use http::{Response, StatusCode};

use super::plain;

/// What a row answers with: a status, whose text becomes the body, or a whole response.
pub trait Answer<B> {
    /// The answer as a response.
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

/// The rows that a [`RespondLayer`](super::RespondLayer) has beside those of the table.
pub trait Answers<B> {
    /// The answer of the first row for `error` or for one of its causes.
    fn answer(&self, error: &(dyn Error + 'static)) -> Option<Response<B>>;
}

/// No rows.
impl<B> Answers<B> for () {
    fn answer(&self, _: &(dyn Error + 'static)) -> Option<Response<B>> {
        None
    }
}

/// A row for errors of type `E`, behind the rows `A`.
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
    fn answer(&self, error: &(dyn Error + 'static)) -> Option<Response<B>> {
        self.before.answer(error).or_else(|| {
            let mut causes = iter::successors(Some(error), |error| (*error).source());
            causes.find_map(|error| error.downcast_ref()).map(|error| (self.answer)(error).into_response())
        })
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
