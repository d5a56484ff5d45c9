//! Errors become responses by the table of the layers, and a row for nodes.

use http::StatusCode;
use pmesh_layers::respond::{NoResponse, Pass, RespondLayer, Row};

use crate::mesh::Circle;

/// What answers errors. [`NoResponse`] passes: a route that answers with silence.
pub type AnswerErrors = RespondLayer<Pass<Row<(), Circle, fn(&Circle) -> StatusCode>, NoResponse>>;

/// The layer that answers errors.
pub fn answer_errors() -> AnswerErrors {
    RespondLayer::new().on::<Circle, fn(&Circle) -> StatusCode, _>(|_| StatusCode::LOOP_DETECTED).pass()
}
