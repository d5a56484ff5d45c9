//! Turns errors into responses, using the table of the layers plus a row for loops between nodes.

use http::StatusCode;
use pmesh_layers::respond::{NoResponse, Pass, RespondLayer, Row};

use crate::mesh::RoutingLoop;

/// The layer that turns errors into responses. It passes on [`NoResponse`], the error of a silent route.
pub type AnswerErrors = RespondLayer<Pass<Row<(), RoutingLoop, fn(&RoutingLoop) -> StatusCode>, NoResponse>>;

/// Creates the layer.
pub fn answer_errors() -> AnswerErrors {
    RespondLayer::new().on::<RoutingLoop, fn(&RoutingLoop) -> StatusCode, _>(|_| StatusCode::LOOP_DETECTED).pass()
}
