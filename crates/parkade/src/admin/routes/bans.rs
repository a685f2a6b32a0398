//! Who is not heard, and that somebody is heard again.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::admin::desk::Desk;
use crate::admin::problem::Problem;
use crate::admin::views::BanList;

/// Who is banned, and why.
#[utoipa::path(get, path = "/api/bans", tag = "the program",
    responses((status = 200, body = BanList)))]
pub(super) async fn list(State(desk): State<Arc<Desk>>) -> Result<Json<BanList>, Problem> {
    Ok(Json(BanList { bans: desk.bans().await? }))
}

/// Lifts the bans of an address, all its ports, and forgets that there were any.
#[utoipa::path(delete, path = "/api/bans/{address}", tag = "the program",
    params(("address" = String, Path, description = "An IP address; of an IPv6 network any in it.")),
    responses((status = 204, description = "It is heard again.")))]
pub(super) async fn lift(
    State(desk): State<Arc<Desk>>,
    Path(address): Path<String>,
) -> Result<StatusCode, Problem> {
    let ip: IpAddr = address.parse().map_err(|_| {
        let detail =
            format!("{address:?} is no IP address, and not banned; write one such as 192.0.2.66");
        Problem::new(StatusCode::NOT_FOUND, detail)
    })?;
    if desk.unban(ip).await? == 0 {
        return Err(Problem::new(StatusCode::NOT_FOUND, format!("{ip} is not banned")));
    }
    tracing::info!("{ip} is heard again, by order of an operator");
    Ok(StatusCode::NO_CONTENT)
}
