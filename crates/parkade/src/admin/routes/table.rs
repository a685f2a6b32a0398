//! All routes, and the role that each one needs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};

use crate::admin::access::NotLetIn;
use crate::admin::desk::Desk;
use crate::admin::peer::Peer;
use crate::admin::problem::Problem;
use crate::admin::routes::{
    bans, board, calls, deeds, events, health, house, metrics, openapi, parked, places, steer,
    trace,
};
use crate::config::Role;

/// No body is longer, in bytes.
const LONGEST_BODY: usize = 64 * 1024;

/// Everything that can be asked.
pub(in crate::admin) fn all(desk: Arc<Desk>) -> Router {
    let seen = Router::new()
        .route("/api/parked", get(parked::list))
        .route("/api/parked/{park}", get(parked::one))
        .route("/api/lots", get(places::lots))
        .route("/api/slots", get(places::slots))
        .route("/api/groups", get(places::groups))
        .route("/api/calls", get(calls::list))
        .route("/api/streams", get(calls::streams))
        .route("/api/trace", get(trace::trace))
        .route("/api/trace.pcap", get(trace::file))
        .route("/api/bindings", get(house::bindings))
        .route("/api/subscriptions", get(house::subscriptions))
        .route("/api/counts", get(house::counts))
        .route("/api/bans", get(bans::list))
        .route("/events", get(events::events))
        .route("/api/role", get(steer::role))
        .route_layer(from_fn_with_state((Arc::clone(&desk), Role::View), admit));
    let counted = Router::new()
        .route("/metrics", get(metrics::metrics))
        .route_layer(from_fn_with_state((Arc::clone(&desk), Role::View), admit_to_metrics));
    let steered = Router::new()
        .route("/api/parked/{park}", delete(deeds::hang_up))
        .route("/api/parked/{park}/retrieve", post(deeds::retrieve))
        .route("/api/parked/{park}/recall", post(deeds::recall))
        .route("/api/parked/{park}/move", post(deeds::move_to))
        .route("/api/calls/{id}/park", post(deeds::park))
        .route("/api/calls/{id}", delete(deeds::end))
        .route("/api/bans/{address}", delete(bans::lift))
        .route("/api/drain", post(steer::drain).delete(steer::undrain))
        .route("/api/log", put(steer::log))
        .route("/api/reload", post(steer::reload))
        .route("/api/login", post(steer::login))
        .route_layer(from_fn_with_state((Arc::clone(&desk), Role::Operate), admit));
    let open = Router::new()
        .route("/", get(board::page))
        .route("/board/{file}", get(board::file))
        .route("/live", get(health::live))
        .route("/ready", get(health::ready))
        .route("/openapi.json", get(openapi::openapi));
    seen.merge(counted)
        .merge(steered)
        .merge(open)
        .fallback(nothing_there)
        .method_not_allowed_fallback(not_that_way)
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(from_fn(careful))
        .with_state(desk)
}

async fn nothing_there(uri: Uri) -> Problem {
    let detail = format!("there is no {}; /openapi.json tells what there is", uri.path());
    Problem::new(StatusCode::NOT_FOUND, detail)
}

async fn not_that_way(method: Method, uri: Uri) -> Problem {
    let detail = format!("{method} means nothing to {}; /openapi.json tells what does", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

/// Lets those through who may.
async fn admit(
    State((desk, needed)): State<(Arc<Desk>, Role)>,
    mut request: Request,
    next: Next,
) -> Response {
    match role(&desk, needed, &request) {
        Ok(role) => {
            request.extensions_mut().insert(role);
            next.run(request).await
        }
        Err(refused) => *refused,
    }
}

/// Lets everybody through where that is configured, else those who may.
async fn admit_to_metrics(
    asked: State<(Arc<Desk>, Role)>,
    request: Request,
    next: Next,
) -> Response {
    let (desk, _) = &asked.0;
    if desk.open_metrics.load(Ordering::Relaxed) {
        return next.run(request).await;
    }
    admit(asked, request, next).await
}

/// As what it is let in.
fn role(desk: &Desk, needed: Role, request: &Request) -> Result<Role, Box<Response>> {
    let ip = match request.extensions().get::<Peer>() {
        Some(Peer::Local) => return Ok(Role::Operate),
        Some(Peer::Remote(ip)) => *ip,
        None => return Err(Box::new(Problem::ending().into_response())),
    };
    let refused = match desk.access.role(Instant::now(), ip, bearer(request.headers())) {
        Ok(role) if role >= needed => return Ok(role),
        Ok(role) => {
            let detail = format!("this token's role is {role}; {needed} is needed for this");
            Problem::new(StatusCode::FORBIDDEN, detail).into_response()
        }
        Err(NotLetIn::TooMany(after)) => {
            let seconds = after.as_secs() + 1;
            let detail = format!("too many wrong tokens from {ip}; wait for {seconds} s");
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail);
            ([(header::RETRY_AFTER, seconds.to_string())], problem).into_response()
        }
        Err(why) => {
            let detail = match why {
                NotLetIn::NoToken => "send Authorization: Bearer TOKEN; parkade token makes one",
                _ => "this token is not known here, or no longer good",
            };
            let problem = Problem::new(StatusCode::UNAUTHORIZED, detail);
            ([(header::WWW_AUTHENTICATE, "Bearer")], problem).into_response()
        }
    };
    Err(Box::new(refused))
}

/// The token of `Authorization: Bearer TOKEN` (RFC 6750 §2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// What every answer says to browsers.
async fn careful(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let rules = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
             connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
        ),
    ];
    for (name, rule) in rules {
        headers.insert(name, HeaderValue::from_static(rule));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
