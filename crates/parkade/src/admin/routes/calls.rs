//! Calls in progress, and their sound.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use park_core::{Command, Reply};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::admin::desk::{Desk, something_else};
use crate::admin::problem::Problem;
use crate::admin::routes::body::Asked;
use crate::admin::views::{CallList, StreamList};

/// Which calls are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Those with this Call-ID only.
    call_id: Option<String>,
}

/// Calls in progress, parked ones too.
#[utoipa::path(get, path = "/api/calls", tag = "calls", params(Which),
    responses((status = 200, body = CallList)))]
pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Asked(which): Asked<Which>,
) -> Result<Json<CallList>, Problem> {
    match desk.ask(Command::Calls { call: which.call_id }).await? {
        Reply::Calls { calls } => Ok(Json(CallList { calls })),
        other => Err(something_else(&other)),
    }
}

/// What the sound of calls is like: lost, late, jitter.
#[utoipa::path(get, path = "/api/streams", tag = "calls", params(Which),
    responses((status = 200, body = StreamList)))]
pub(super) async fn streams(
    State(desk): State<Arc<Desk>>,
    Asked(which): Asked<Which>,
) -> Result<Json<StreamList>, Problem> {
    match desk.ask(Command::Streams { call: which.call_id }).await? {
        Reply::Streams { streams } => Ok(Json(StreamList { streams })),
        other => Err(something_else(&other)),
    }
}
