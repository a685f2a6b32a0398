//! The bodies and parameters of requests, read so that what is wrong with them is said.

use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use crate::admin::problem::Problem;

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let essence = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim());
        if !essence.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
            let what =
                kind.map_or_else(|| "no Content-Type".to_owned(), |kind| format!("{kind:?}"));
            let detail = format!("the body is of {what}; send application/json");
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let bytes = bytes::Bytes::from_request(request, state).await.map_err(|rejected| {
            Problem::new(rejected.status(), format!("the body cannot be read: {rejected}"))
        })?;
        serde_json::from_slice(&bytes).map(Body).map_err(|error| {
            let status = match error.classify() {
                serde_json::error::Category::Data => StatusCode::UNPROCESSABLE_ENTITY,
                _ => StatusCode::BAD_REQUEST,
            };
            Problem::new(status, format!("the body is not what is expected: {error}"))
        })
    }
}

/// The parameters of the URL.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Asked<T>, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Asked(asked)),
            Err(rejected) => {
                let detail = format!("the parameters are not what is expected: {rejected}");
                Err(Problem::new(StatusCode::BAD_REQUEST, detail))
            }
        }
    }
}
