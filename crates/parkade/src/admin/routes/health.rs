//! Whether the program lives, and whether it takes calls: for whoever restarts it or sends it calls.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use park_core::{Command, Reply};

use crate::admin::desk::{Desk, something_else};
use crate::admin::problem::Problem;

/// Whether the engine answers. If not, only a restart helps.
#[utoipa::path(get, path = "/live", tag = "the program", security(()),
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn live(State(desk): State<Arc<Desk>>) -> Result<&'static str, Problem> {
    desk.ask(Command::Counts).await?;
    Ok("alive\n")
}

/// Whether new calls are taken.
#[utoipa::path(get, path = "/ready", tag = "the program", security(()),
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn ready(State(desk): State<Arc<Desk>>) -> Result<&'static str, Problem> {
    match desk.ask(Command::Counts).await? {
        Reply::Counts(counts) if counts.draining => {
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "new calls are refused: draining"))
        }
        Reply::Counts(_) => Ok("ready\n"),
        other => Err(something_else(&other)),
    }
}
