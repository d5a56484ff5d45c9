//! The endpoints for services.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;

use super::{
    Node,
    answer::{done, failed},
    output::{OutputQuery, stream},
};

/// `POST /v1/services/{name}/{action}`. The node continues even if the client disconnects.
pub(super) async fn act(State(node): State<Arc<dyn Node>>, Path((name, action)): Path<(String, String)>) -> Response {
    let Ok(action) = action.parse() else { return StatusCode::NOT_FOUND.into_response() };
    let work = tokio::spawn(node.act_on_service(name, action));
    done(
        async { work.await.unwrap_or_else(|_| Err("the node failed to do this; its log says why".to_owned())) }.boxed(),
    )
    .await
}

/// `GET /v1/services/output`.
pub(super) async fn output(State(node): State<Arc<dyn Node>>, uri: Uri) -> Response {
    let lines = uri.query().unwrap_or_default().parse().and_then(|query: OutputQuery| {
        let (last, further) = node.service_output(query.service.as_deref(), query.lines_to_ask_for())?;
        Ok(stream(query, last, further))
    });
    lines.unwrap_or_else(failed)
}
