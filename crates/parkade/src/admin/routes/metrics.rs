//! Metrics for Prometheus.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::admin::desk::Desk;
use crate::admin::metrics::{CONTENT_TYPE, scrape};
use crate::admin::problem::Problem;

/// Metrics, as OpenMetrics has them.
#[utoipa::path(get, path = "/metrics", tag = "the program",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
pub(super) async fn metrics(State(desk): State<Arc<Desk>>) -> Result<Response, Problem> {
    let text = scrape(&desk).await?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}
