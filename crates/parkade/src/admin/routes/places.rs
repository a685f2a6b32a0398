//! Lots, their slots, and groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use park_core::{Command, Reply};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::admin::desk::{Desk, something_else};
use crate::admin::problem::Problem;
use crate::admin::routes::body::Asked;
use crate::admin::views::{GroupList, LotList, SlotList, SlotView};

/// No list of slots is longer.
const MOST_SLOTS: usize = 100_000;

/// The lots, and how full they are.
#[utoipa::path(get, path = "/api/lots", tag = "lots", responses((status = 200, body = LotList)))]
pub(super) async fn lots(State(desk): State<Arc<Desk>>) -> Result<Json<LotList>, Problem> {
    let lots = desk.board().await?.lots.to_vec();
    Ok(Json(LotList { lots }))
}

/// Which slots are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Those of this lot only.
    lot: Option<String>,
    /// Those of this SIP domain only.
    domain: Option<String>,
}

/// All numbered slots, and the extensions at which something is parked.
#[utoipa::path(get, path = "/api/slots", tag = "lots", params(Which),
    responses((status = 200, body = SlotList)))]
pub(super) async fn slots(
    State(desk): State<Arc<Desk>>,
    Asked(which): Asked<Which>,
) -> Result<Json<SlotList>, Problem> {
    let board = desk.board().await?;
    let wanted = |lot: &str, domain: &str| {
        which.lot.as_deref().is_none_or(|wanted| wanted == lot)
            && which.domain.as_deref().is_none_or(|wanted| wanted == domain)
    };
    let mut slots: BTreeMap<(&str, &str, String), Vec<String>> = BTreeMap::new();
    for lot in board.lots.iter().filter(|lot| wanted(&lot.lot, &lot.domain)) {
        for number in lot.ranges.iter().flat_map(|range| numbers(range)) {
            slots.insert((&lot.lot, &lot.domain, number), Vec::new());
            if slots.len() > MOST_SLOTS {
                let detail = format!("there are more than {MOST_SLOTS} slots; ask for one lot");
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
            }
        }
    }
    for dated in board.calls.iter().filter(|d| wanted(&d.call.at.lot, &d.call.at.domain)) {
        let call = &dated.call;
        let key = (call.at.lot.as_str(), call.at.domain.as_str(), call.at.slot.clone());
        slots.entry(key).or_default().push(call.at.park.clone());
    }
    let view = |((lot, domain, slot), parked): ((&str, &str, String), _)| SlotView {
        lot: lot.to_owned(),
        domain: domain.to_owned(),
        slot,
        parked,
    };
    Ok(Json(SlotList { slots: slots.into_iter().map(view).collect() }))
}

/// The numbers of `701-720`, or of `701`, as wide as they are written.
fn numbers(range: &str) -> impl Iterator<Item = String> + use<> {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let width = first.len();
    let read = |text: &str| text.parse::<u64>().ok();
    let all = read(first).zip(read(last)).map(|(first, last)| first..=last);
    all.into_iter().flatten().map(move |number| format!("{number:0width$}"))
}

/// The park groups.
#[utoipa::path(get, path = "/api/groups", tag = "lots", responses((status = 200, body = GroupList)))]
pub(super) async fn groups(State(desk): State<Arc<Desk>>) -> Result<Json<GroupList>, Problem> {
    match desk.ask(Command::Groups).await? {
        Reply::Groups { groups } => Ok(Json(GroupList { groups })),
        other => Err(something_else(&other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_all_its_numbers_as_wide_as_they_are_written() {
        let all = |range| numbers(range).collect::<Vec<_>>();
        assert_eq!(all("701-703"), ["701", "702", "703"]);
        assert_eq!(all("7"), ["7"]);
        assert_eq!(all("008-010"), ["008", "009", "010"]);
        assert!(all("x-y").is_empty());
    }
}
