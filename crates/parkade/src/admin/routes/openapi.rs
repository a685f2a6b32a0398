//! The API's own description.

use axum::Json;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use crate::admin::event::EventView;
use crate::admin::problem::Problem;
use crate::admin::routes::{
    bans, calls, deeds, events, health, house, metrics, parked, places, steer, trace,
};

/// Parkade's API for operators.
///
/// Lists are of the moment at which they are made. Actions are answered at once; what becomes of them
/// is told by events. Errors are problem documents (RFC 9457).
#[derive(OpenApi)]
#[openapi(
    info(title = "Parkade", license(name = "MIT", identifier = "MIT")),
    paths(
        parked::list, parked::one,
        places::lots, places::slots, places::groups,
        calls::list, calls::streams,
        deeds::hang_up, deeds::retrieve, deeds::recall, deeds::move_to, deeds::park, deeds::end,
        trace::trace,
        trace::file,
        house::bindings, house::subscriptions, house::counts,
        bans::list, bans::lift,
        steer::drain, steer::undrain, steer::log, steer::reload, steer::login, steer::role,
        events::events, metrics::metrics, health::live, health::ready, openapi,
    ),
    components(schemas(Problem, EventView)),
    modifiers(&Tokens, &Problems),
    security(("token" = [])),
)]
pub(super) struct Api;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut Document) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("token", scheme);
    }
}

/// Everything can go wrong in the same way.
struct Problems;

impl Modify for Problems {
    fn modify(&self, document: &mut Document) {
        let items = document.paths.paths.values_mut();
        for item in items {
            let all = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
            for operation in all.into_iter().flatten() {
                can_fail(operation);
            }
        }
    }
}

fn can_fail(operation: &mut Operation) {
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let whose = [
        ("4XX", "It was asked in a wrong way, or is not possible as things stand."),
        ("5XX", "It is right, but cannot be done now."),
    ];
    for (status, description) in whose {
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/problem+json", body.clone())
            .build();
        operation.responses.responses.insert(status.to_owned(), RefOr::T(response));
    }
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "the program", security(()),
    responses((status = 200, body = Object)))]
pub(super) async fn openapi() -> Json<Document> {
    Json(Api::openapi())
}
