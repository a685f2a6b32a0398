//! What an operator does with calls. Each is answered at once; what becomes of it is told by events.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use park_core::Command;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::admin::desk::Desk;
use crate::admin::problem::Problem;
use crate::admin::routes::body::Body;

/// Who is to have the call.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Retrieve {
    /// The extension whose phones ring; whoever answers has the call.
    #[schema(example = "105")]
    to: String,
}

/// Rings an extension; the first of its phones to answer is joined with the parked call.
///
/// Whether anybody answers is told by events. Until then anybody may still retrieve the call.
#[utoipa::path(post, path = "/api/parked/{park}/retrieve", tag = "parked calls",
    params(("park" = String, Path, description = "The name of the parked call.")),
    request_body = Retrieve,
    responses((status = 202, description = "The phones ring.")))]
pub(super) async fn retrieve(
    State(desk): State<Arc<Desk>>,
    Path(park): Path<String>,
    Body(Retrieve { to }): Body<Retrieve>,
) -> Result<StatusCode, Problem> {
    desk.order(Command::Retrieve { park, to }).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Recalls the call now, as if its time were up.
#[utoipa::path(post, path = "/api/parked/{park}/recall", tag = "parked calls",
    params(("park" = String, Path, description = "The name of the parked call.")),
    responses((status = 202, description = "The recall has begun.")))]
pub(super) async fn recall(
    State(desk): State<Arc<Desk>>,
    Path(park): Path<String>,
) -> Result<StatusCode, Problem> {
    desk.order(Command::Recall { park }).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Where the call goes.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Move {
    /// The slot or extension, of the same lot.
    #[schema(example = "702")]
    slot: String,
}

/// Moves the call to another slot or extension of its lot.
#[utoipa::path(post, path = "/api/parked/{park}/move", tag = "parked calls",
    params(("park" = String, Path, description = "The name of the parked call.")),
    request_body = Move,
    responses((status = 204, description = "It is parked there now.")))]
pub(super) async fn move_to(
    State(desk): State<Arc<Desk>>,
    Path(park): Path<String>,
    Body(Move { slot }): Body<Move>,
) -> Result<StatusCode, Problem> {
    desk.order(Command::Move { park, slot }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Hangs up on the parkee.
#[utoipa::path(delete, path = "/api/parked/{park}", tag = "parked calls",
    params(("park" = String, Path, description = "The name of the parked call.")),
    responses((status = 204, description = "The call is ended.")))]
pub(super) async fn hang_up(
    State(desk): State<Arc<Desk>>,
    Path(park): Path<String>,
) -> Result<StatusCode, Problem> {
    desk.order(Command::HangUp { park }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where the talking call goes.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Park {
    /// What a phone would transfer to: an extension, a slot, or a park code.
    #[schema(example = "701")]
    slot: String,
}

/// Parks a talking call: whoever is behind the PBX is parked, and the phone is hung up.
#[utoipa::path(post, path = "/api/calls/{id}/park", tag = "calls",
    params(("id" = String, Path, description = "The call's `id`.")),
    request_body = Park,
    responses((status = 202, description = "It is being parked.")))]
pub(super) async fn park(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
    Body(Park { slot }): Body<Park>,
) -> Result<StatusCode, Problem> {
    desk.order(Command::Park { id, slot }).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Ends a call on both sides.
#[utoipa::path(delete, path = "/api/calls/{id}", tag = "calls",
    params(("id" = String, Path, description = "The call's `id`.")),
    responses((status = 204, description = "It is ended.")))]
pub(super) async fn end(
    State(desk): State<Arc<Desk>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    desk.order(Command::End { id }).await?;
    Ok(StatusCode::NO_CONTENT)
}
