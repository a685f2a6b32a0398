//! What was said in a call.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::admin::desk::Desk;
use crate::admin::problem::Problem;
use crate::admin::routes::body::Asked;
use crate::admin::trace::{Seen, TraceView, pcap};
use crate::lock::{lock, read};

/// Which call is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Its Call-ID.
    call_id: String,
}

/// The recent messages of a call, for a ladder: credentials are taken out.
#[utoipa::path(get, path = "/api/trace", tag = "calls", params(Which),
    responses((status = 200, body = TraceView)))]
pub(super) async fn trace(
    State(desk): State<Arc<Desk>>,
    Asked(Which { call_id }): Asked<Which>,
) -> Result<Json<TraceView>, Problem> {
    let (messages, left_out) = messages(&desk, &call_id)?;
    let redactor = read(&desk.redactor);
    Ok(Json(TraceView::of(&call_id, messages.iter(), left_out, &redactor, desk.clock)))
}

/// The same as a capture file, for Wireshark.
#[utoipa::path(get, path = "/api/trace.pcap", tag = "calls", params(Which),
    responses((status = 200, body = Vec<u8>, content_type = "application/vnd.tcpdump.pcap")))]
pub(super) async fn file(
    State(desk): State<Arc<Desk>>,
    Asked(Which { call_id }): Asked<Which>,
) -> Result<Response, Problem> {
    let (messages, _) = messages(&desk, &call_id)?;
    let redactor = read(&desk.redactor);
    let file = pcap(messages.iter(), &redactor, desk.clock).map_err(|error| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("no file can be made: {error}"))
    })?;
    let headers = [
        (header::CONTENT_TYPE, "application/vnd.tcpdump.pcap"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"call.pcap\""),
    ];
    Ok((headers, file).into_response())
}

fn messages(desk: &Desk, call_id: &str) -> Result<(Vec<Seen>, u64), Problem> {
    let traces = lock(&desk.traces);
    if traces.is_off() {
        let detail = "no messages are kept here; write memory under [trace]";
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    let found =
        traces.of(call_id).map(|(messages, left_out)| (messages.cloned().collect(), left_out));
    found.ok_or_else(|| {
        let detail =
            format!("nothing is known of a call with the Call-ID {call_id:?}, or no longer");
        Problem::new(StatusCode::NOT_FOUND, detail)
    })
}
