//! Turns errors into responses, with the table of the layers and a row for loops between nodes.

use http::StatusCode;
use pmesh_layers::respond::{NoResponse, Pass, RespondLayer, Row};

use crate::mesh::Circle;

/// The layer that answers errors. [`NoResponse`], the error of a silent route, passes.
pub type AnswerErrors = RespondLayer<Pass<Row<(), Circle, fn(&Circle) -> StatusCode>, NoResponse>>;

/// Creates the layer.
pub fn answer_errors() -> AnswerErrors {
    RespondLayer::new().on::<Circle, fn(&Circle) -> StatusCode, _>(|_| StatusCode::LOOP_DETECTED).pass()
}
