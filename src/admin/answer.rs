//! The result of a request as a response.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::report::ErrorReport;
use crate::mesh::Json;

/// Waits for `work`. Its report gets status 200, its error 422.
pub(super) async fn done<T: Serialize>(work: BoxFuture<'static, Result<T, String>>) -> Response {
    match work.await {
        Ok(report) => Json(report).into_response(),
        Err(message) => failed(message),
    }
}

/// Status 422, with a message for people.
pub(super) fn failed(message: String) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Json(ErrorReport { message, time: None })).into_response()
}
