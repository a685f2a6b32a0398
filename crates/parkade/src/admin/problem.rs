//! Errors as problem documents (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went wrong with a request (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Problem {
    /// The kind of problem: `about:blank`, as the status says it all.
    #[schema(example = "about:blank")]
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The status in words.
    #[schema(example = "Not Found")]
    pub(crate) title: String,
    /// The HTTP status.
    #[schema(example = 404)]
    pub(crate) status: u16,
    /// What was read, what is expected, and what to do.
    pub(crate) detail: String,
}

impl Problem {
    /// With this status, and these words.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
        }
    }

    /// What the engine has refused: a status of SIP, which means in HTTP what it means there, where HTTP has it.
    pub(super) fn refused(status: u16, why: String) -> Problem {
        let status = match status {
            400 | 403 | 404 | 409 | 503 => StatusCode::from_u16(status).unwrap_or_default(),
            481 => StatusCode::NOT_FOUND,
            500.. => StatusCode::SERVICE_UNAVAILABLE,
            // Busy, temporarily unavailable, not acceptable here: right as asked, but not now.
            _ => StatusCode::CONFLICT,
        };
        Problem::new(status, why)
    }

    /// The program is ending.
    pub(super) fn ending() -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "parkade is ending")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}
