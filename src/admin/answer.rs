//! The result of a request as a response.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::report::ErrorReport;
use crate::mesh::Json;

/// Waits for `work`. Responds with status 200 and its report, or with 422 and its error.
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
