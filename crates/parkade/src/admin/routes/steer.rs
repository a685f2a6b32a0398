//! The program itself: no more new calls, more in the log, the configuration again, a login.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use park_core::Command;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use crate::admin::desk::Desk;
use crate::admin::peer::Peer;
use crate::admin::problem::Problem;
use crate::admin::routes::body::Body;
use crate::config::{ROLES, Role};

/// Refuses new calls with 503. Calls go on, and what is parked stays parked.
#[utoipa::path(post, path = "/api/drain", tag = "the program",
    responses((status = 204, description = "New calls are refused.")))]
pub(super) async fn drain(State(desk): State<Arc<Desk>>) -> Result<StatusCode, Problem> {
    desk.order(Command::Drain).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes new calls again.
#[utoipa::path(delete, path = "/api/drain", tag = "the program",
    responses((status = 204, description = "New calls are taken.")))]
pub(super) async fn undrain(State(desk): State<Arc<Desk>>) -> Result<StatusCode, Problem> {
    desk.order(Command::Undrain).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How much is told in the log.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Level {
    /// What must not happen.
    Error,
    /// What should be looked at.
    Warn,
    /// Each call.
    Info,
    /// Each registration and stream.
    Debug,
    /// All there is.
    Trace,
}

/// How much is told in the log.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct LogLevel {
    /// From now on, until the program is reloaded or ends.
    level: Level,
}

/// Changes how much is told in the log.
#[utoipa::path(put, path = "/api/log", tag = "the program", request_body = LogLevel,
    responses((status = 204, description = "It holds from now on.")))]
pub(super) async fn log(
    State(desk): State<Arc<Desk>>,
    Body(LogLevel { level }): Body<LogLevel>,
) -> Result<StatusCode, Problem> {
    let Some(steering) = &desk.steering else {
        return Err(Problem::new(StatusCode::CONFLICT, "this program has no log of its own"));
    };
    let level = match level {
        Level::Error => tracing::Level::ERROR,
        Level::Warn => tracing::Level::WARN,
        Level::Info => tracing::Level::INFO,
        Level::Debug => tracing::Level::DEBUG,
        Level::Trace => tracing::Level::TRACE,
    };
    steering.level.set(level);
    tracing::info!("the log tells {level} from now on, by order of an operator");
    Ok(StatusCode::NO_CONTENT)
}

/// Reads the configuration again, as SIGHUP does.
#[utoipa::path(post, path = "/api/reload", tag = "the program",
    responses((status = 202, description = "It has no problems, and is being taken over.")))]
pub(super) async fn reload(State(desk): State<Arc<Desk>>) -> Result<StatusCode, Problem> {
    let Some(steering) = &desk.steering else {
        return Err(Problem::new(StatusCode::CONFLICT, "there is no configuration to reload"));
    };
    let (answer, answered) = oneshot::channel();
    steering.reloads.send(answer).await.map_err(|_| Problem::ending())?;
    match answered.await {
        Ok(Ok(())) => Ok(StatusCode::ACCEPTED),
        Ok(Err(why)) => Err(Problem::new(StatusCode::CONFLICT, why)),
        Err(_) => Err(Problem::ending()),
    }
}

/// For whom.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Login {
    /// `view` or `operate`.
    role: String,
}

/// A token that is good for a while.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct LoggedIn {
    /// The token.
    pub(crate) token: String,
    /// For how many seconds it is good.
    pub(crate) good_for_s: u64,
    /// Where the HTTP door is, if there is one: `http://127.0.0.1:5088`.
    pub(crate) door: Option<String>,
}

/// What whoever asks may do.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Yours {
    /// `view` or `operate`.
    #[schema(example = "view")]
    role: String,
}

/// The role of the token with which this is asked: a page shows no buttons that it cannot press.
#[utoipa::path(get, path = "/api/role", tag = "the program",
    responses((status = 200, body = Yours)))]
pub(super) async fn role(Extension(role): Extension<Role>) -> Json<Yours> {
    Json(Yours { role: role.to_string() })
}

/// A token for the parking board, for who comes by the Unix socket.
#[utoipa::path(post, path = "/api/login", tag = "the program", request_body = Login,
    responses((status = 200, body = LoggedIn)))]
pub(super) async fn login(
    State(desk): State<Arc<Desk>>,
    Extension(peer): Extension<Peer>,
    Body(Login { role }): Body<Login>,
) -> Result<Json<LoggedIn>, Problem> {
    if !matches!(peer, Peer::Local) {
        let detail = "a login is given out by the Unix socket only: parkade board";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let role: Role =
        ROLES.iter().find(|(word, _)| *word == role).map(|(_, role)| *role).ok_or_else(|| {
            let detail = format!("{role:?} is no role; send \"view\" or \"operate\"");
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
        })?;
    let (token, good_for) = desk.access.login(Instant::now(), role).map_err(|error| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("no random numbers: {error}"))
    })?;
    Ok(Json(LoggedIn { token, good_for_s: good_for.as_secs(), door: desk.door.clone() }))
}
