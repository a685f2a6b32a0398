//! Who is registered, who has subscribed, and how much there is of everything.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use park_core::{Command, Counts, Reply};

use crate::admin::desk::{Desk, something_else};
use crate::admin::problem::Problem;
use crate::admin::views::{BindingList, SubscriptionList};

/// Who is registered, and where.
#[utoipa::path(get, path = "/api/bindings", tag = "phones",
    responses((status = 200, body = BindingList)))]
pub(super) async fn bindings(State(desk): State<Arc<Desk>>) -> Result<Json<BindingList>, Problem> {
    match desk.ask(Command::Bindings).await? {
        Reply::Bindings { bindings } => Ok(Json(BindingList { bindings })),
        other => Err(something_else(&other)),
    }
}

/// Which phones have subscribed to what is parked.
#[utoipa::path(get, path = "/api/subscriptions", tag = "phones",
    responses((status = 200, body = SubscriptionList)))]
pub(super) async fn subscriptions(
    State(desk): State<Arc<Desk>>,
) -> Result<Json<SubscriptionList>, Problem> {
    match desk.ask(Command::Subscriptions).await? {
        Reply::Subscriptions { subscriptions } => Ok(Json(SubscriptionList { subscriptions })),
        other => Err(something_else(&other)),
    }
}

/// How much there is of everything.
#[utoipa::path(get, path = "/api/counts", tag = "the program",
    responses((status = 200, body = Counts)))]
pub(super) async fn counts(State(desk): State<Arc<Desk>>) -> Result<Json<Counts>, Problem> {
    match desk.ask(Command::Counts).await? {
        Reply::Counts(counts) => Ok(Json(counts)),
        other => Err(something_else(&other)),
    }
}
