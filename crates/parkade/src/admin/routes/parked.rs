//! Parked calls.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::admin::desk::Desk;
use crate::admin::problem::Problem;
use crate::admin::views::{Dated, ParkedList};

/// All parked calls, and the lots.
#[utoipa::path(get, path = "/api/parked", tag = "parked calls", responses((status = 200, body = ParkedList)))]
pub(super) async fn list(State(desk): State<Arc<Desk>>) -> Result<Response, Problem> {
    let json = desk.board().await?.json;
    Ok(([(header::CONTENT_TYPE, "application/json")], json).into_response())
}

/// One parked call.
#[utoipa::path(get, path = "/api/parked/{park}", tag = "parked calls",
    params(("park" = String, Path, description = "The name of the parked call.")),
    responses((status = 200, body = Dated)))]
pub(super) async fn one(
    State(desk): State<Arc<Desk>>,
    Path(park): Path<String>,
) -> Result<axum::Json<Dated>, Problem> {
    let board = desk.board().await?;
    let found = board.calls.iter().find(|dated| dated.call.at.park == park);
    found.cloned().map(axum::Json).ok_or_else(|| {
        let detail = format!("no call is parked by the name of {park:?}; it may have been taken");
        Problem::new(StatusCode::NOT_FOUND, detail)
    })
}
