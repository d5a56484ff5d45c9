//! `pmesh explain URL`: what happens to a request, and why.
//!
//! A [`Question`] describes the request. To answer it, [`explain()`] runs the request through the layers that serve
//! clients, with a stand-in for the endpoints of its route. Nothing is sent, and nothing is counted. The [`Explanation`] is the
//! JSON of the command, and [`text()`] formats it for people.

mod answer;
mod effects;
mod explanation;
mod listener;
mod middleware;
mod parts;
mod question;
mod request;
mod route;
mod run;
mod text;

use tower::BoxError;

pub use self::{
    explanation::{
        ExplainedEndpoint, ExplainedHost, ExplainedListener, ExplainedPart, ExplainedRoute, Explanation, Outcome,
        PassedOver,
    },
    question::{Question, is_url},
    text::text,
};
use crate::upstream::Surroundings;

/// Explains what happens to a request, from the settings alone or with the state of a running node.
///
/// # Errors
///
/// If the question is not about a request that a client could send to one of the listeners. The message says what to write
/// instead.
pub async fn explain(question: &Question, around: Surroundings<'_>) -> Result<Explanation, BoxError> {
    let request = question.parse(around.settings)?;
    let listener = listener::choose(&request, around.settings)?;
    run::run(request, listener, around).await
}
