//! Facts as events for operators: one JSON object each, which says by itself all that a board or a
//! record needs.

use std::time::Duration;

use base::Moment;
use bytes::Bytes;
use park_core::{Asked, Fact, Told};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Clock;
use crate::sip::{BanChange, News};

/// One event, written once for all who hear it.
#[derive(Debug)]
pub(crate) struct Event {
    /// Which it is, from 1.
    pub(crate) number: u64,
    /// Its kind, such as `parked`.
    pub(crate) kind: &'static str,
    /// The object, as JSON: one line.
    pub(crate) json: Bytes,
    /// The same as a server-sent event.
    pub(crate) frame: Bytes,
}

/// What has happened. Which of the optional fields are there depends on the kind of event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct EventView {
    /// Its kind: `parked`, `claimed`, `released`, `retrieved`, `recalling`, `delivering`, `waiting`,
    /// `recall-unanswered`, `reminded`, `moved`, `handed-over`, `abandoned`, `hung-up`, `failed`, `page`,
    /// `answered`, `ended`, `silent`, `heard-again`, `registered`, `unregistered`, `notice-refused`,
    /// `pbx-silent`, `no-ports`, `banned`, `unbanned`. Of the last two at most ten each are told in a second.
    pub(crate) event: String,
    /// When (RFC 3339).
    pub(crate) at: String,
    /// The Call-ID of the call that it is about; of a parked call the parkee's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) call_id: Option<String>,
    /// The name of the parked call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) park: Option<String>,
    /// Its lot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lot: Option<String>,
    /// Its SIP domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) domain: Option<String>,
    /// Its slot: where it is, or was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) slot: Option<String>,
    /// Where it was before it was moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from_slot: Option<String>,
    /// The parkee's number or user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parkee: Option<String>,
    /// Its display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parkee_name: Option<String>,
    /// Who parked it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parker: Option<String>,
    /// The park group, for a group park.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
    /// What a phone dials to take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retrieve: Option<String>,
    /// When it is recalled next (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recall_at: Option<String>,
    /// How many of the lot's slots are free now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) free: Option<usize>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
    /// To whom, or where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    /// Whether as the answer to a recall.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recall: Option<bool>,
    /// Which attempt at a recall, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attempt: Option<u32>,
    /// How many milliseconds it was parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waited_ms: Option<u64>,
    /// How many milliseconds it took from when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) took_ms: Option<u64>,
    /// What happens then: `stay`, `hangup`, or where the call goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) then: Option<String>,
    /// Why, in a few words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
    /// The SIP status that it was answered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// What was asked: `park` or `retrieve`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) asked: Option<String>,
    /// Who asked or answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) who: Option<String>,
    /// Who is to be paged, in the words of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) page: Option<String>,
    /// The extension of a phone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) extension: Option<String>,
    /// An address and port: of a phone, or of the PBX.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peer: Option<String>,
    /// The kind of notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) notice: Option<String>,
    /// The side of the leg: `phones` or `pbx`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) side: Option<String>,
    /// For how many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after_s: Option<u64>,
    /// Who is banned, or was: an address; with a port where phones are registered at that address; with `/64`
    /// for IPv6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// For how many seconds they are banned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lasts_s: Option<u64>,
    /// Which ban of this source it is, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) times: Option<u32>,
    /// How many of their messages and connections were turned away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) turned_away: Option<u64>,
    /// How many events of this kind were left out before this one, since there were too many in one second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) left_out: Option<u64>,
}

/// What a fact is as an event, if operators are told of it.
pub(super) fn of(clock: Clock, at: Moment, told: &Told) -> Option<(&'static str, EventView)> {
    let (kind, mut view) = said(clock, at, &told.fact)?;
    view.event = kind.to_owned();
    view.at = clock.date(at);
    view.call_id.clone_from(&told.call);
    if let Some(of) = told.fact.parked() {
        view.park = Some(of.park.clone());
        view.lot = Some(of.lot.clone());
        view.domain = Some(of.domain.clone());
        view.slot = Some(of.slot.clone());
    }
    Some((kind, view))
}

/// What a ban or its end is as an event; so many were left out before it.
pub(super) fn of_ban(
    clock: Clock,
    at: Moment,
    news: &News,
    left_out: u64,
) -> (&'static str, EventView) {
    let (kind, mut view) = match news.change {
        BanChange::Banned { why, lasts, times } => {
            let (why, lasts_s) = (Some(why.to_owned()), Some(lasts.as_secs()));
            ("banned", EventView { why, lasts_s, times: Some(times), ..EventView::default() })
        }
        BanChange::Over { why, turned_away } => {
            let (why, turned_away) = (Some(why.to_owned()), Some(turned_away));
            ("unbanned", EventView { why, turned_away, ..EventView::default() })
        }
    };
    view.event = kind.to_owned();
    view.at = clock.date(at);
    view.address = Some(news.address.clone());
    view.left_out = (left_out > 0).then_some(left_out);
    (kind, view)
}

fn said(clock: Clock, now: Moment, fact: &Fact) -> Option<(&'static str, EventView)> {
    let ms = |time: &Duration| Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    let due = |recall_in: &Option<Duration>| recall_in.map(|after| clock.date(now + after));
    let some = |text: &str| Some(text.to_owned());
    let empty = EventView::default;
    Some(match fact {
        Fact::Parked { parked, recall_in, took, free, .. } => {
            let view = EventView {
                parkee: some(&parked.parkee),
                parkee_name: parked.parkee_name.clone(),
                parker: some(&parked.parker),
                group: parked.group.clone(),
                retrieve: some(&parked.retrieve),
                recall_at: due(recall_in),
                took_ms: ms(took),
                free: *free,
                ..empty()
            };
            ("parked", view)
        }
        Fact::Page { page, retrieve, name, parkee, parker, .. } => {
            let view = EventView {
                page: some(page),
                retrieve: some(retrieve),
                parkee: some(parkee),
                parkee_name: name.clone(),
                parker: some(parker),
                ..empty()
            };
            ("page", view)
        }
        Fact::Claimed { by, recall, .. } => {
            ("claimed", EventView { by: some(by), recall: Some(*recall), ..empty() })
        }
        Fact::Released { .. } => ("released", empty()),
        Fact::Retrieved { by, recall, waited, took, .. } => {
            let (by, recall) = (some(by), Some(*recall));
            let (waited_ms, took_ms) = (ms(waited), ms(took));
            ("retrieved", EventView { by, recall, waited_ms, took_ms, ..empty() })
        }
        Fact::Recalling { to, attempt, .. } => {
            ("recalling", EventView { to: some(to), attempt: Some(*attempt), ..empty() })
        }
        Fact::Delivering { to, .. } => ("delivering", EventView { to: some(to), ..empty() }),
        Fact::Moved { from, group, retrieve, recall_in, .. } => {
            let view = EventView {
                from_slot: some(from),
                group: group.clone(),
                retrieve: some(retrieve),
                recall_at: due(recall_in),
                ..empty()
            };
            ("moved", view)
        }
        Fact::Waiting { recall_in, attempt, .. } => {
            let recall_at = due(recall_in);
            ("waiting", EventView { recall_at, attempt: Some(*attempt), ..empty() })
        }
        Fact::Reminded { parker, .. } => {
            ("reminded", EventView { parker: some(parker), ..empty() })
        }
        Fact::RecallUnanswered { then, .. } => {
            ("recall-unanswered", EventView { then: some(then), ..empty() })
        }
        Fact::HandedOver { to, .. } => ("handed-over", EventView { to: some(to), ..empty() }),
        Fact::Abandoned { .. } => ("abandoned", empty()),
        Fact::HungUp { why, .. } => ("hung-up", EventView { why: some(why), ..empty() }),
        Fact::Refused { status, asked: asked @ (Asked::Park | Asked::Retrieve), who, why } => {
            let (status, asked) = (Some(*status), Some(asked.to_string()));
            ("failed", EventView { status, asked, who: some(who), why: some(why), ..empty() })
        }
        Fact::Answered { by, who } => {
            ("answered", EventView { side: Some(by.to_string()), who: some(who), ..empty() })
        }
        Fact::Ended { leg, why } => {
            let side = leg.map(|leg| leg.to_string());
            ("ended", EventView { side, why: some(why), ..empty() })
        }
        Fact::Silent { side, after } => {
            let (side, after_s) = (Some(side.to_string()), Some(after.as_secs()));
            ("silent", EventView { side, after_s, ..empty() })
        }
        Fact::HeardAgain { side } => {
            ("heard-again", EventView { side: Some(side.to_string()), ..empty() })
        }
        // A refreshed binding is no news.
        Fact::Registered { extension, domain, at, fresh: true } => {
            let (extension, domain) = (some(extension), some(domain));
            let peer = Some(at.to_string());
            ("registered", EventView { extension, domain, peer, ..empty() })
        }
        Fact::Unregistered { extension, domain } => {
            let (extension, domain) = (some(extension), some(domain));
            ("unregistered", EventView { extension, domain, ..empty() })
        }
        Fact::NoticeRefused { extension, notice, status } => {
            let (extension, notice) = (some(extension), some(notice));
            ("notice-refused", EventView { extension, notice, status: Some(*status), ..empty() })
        }
        Fact::PbxSilent { at } => {
            ("pbx-silent", EventView { peer: Some(at.to_string()), ..empty() })
        }
        Fact::NoPorts { .. } => ("no-ports", EventView { why: Some(fact.to_string()), ..empty() }),
        Fact::Refused { .. }
        | Fact::Restored { .. }
        | Fact::StillParked { .. }
        | Fact::PortLost { .. }
        | Fact::Registered { .. }
        | Fact::Denied { .. }
        | Fact::Dropped { .. }
        | Fact::PbxUnresolved { .. }
        | Fact::StreamEnded { .. }
        | Fact::Cluster { .. }
        | Fact::Bug { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use park_core::ParkedAt;
    use rtp_flow::Dry;

    use super::*;
    use crate::config::EVENT_KINDS;

    fn told(fact: Fact) -> Told {
        Told { call: Some("a@b".into()), leg: None, fact }
    }

    fn at() -> ParkedAt {
        ParkedAt {
            park: "p1".into(),
            lot: "office".into(),
            domain: "pbx.example".into(),
            slot: "701".into(),
        }
    }

    #[tokio::test]
    async fn an_event_names_its_call_and_place_and_says_nothing_that_is_not_known() {
        let clock = Clock::start();
        let fact = Fact::Claimed { of: at(), by: "105".into(), recall: false };
        let (kind, view) = of(clock, clock.now(), &told(fact)).unwrap();
        assert_eq!(kind, "claimed");
        let mut json = serde_json::to_value(&view).unwrap();
        json["at"] = "now".into();
        assert_eq!(
            json,
            serde_json::json!({
                "event": "claimed", "at": "now", "call_id": "a@b", "park": "p1", "lot": "office",
                "domain": "pbx.example", "slot": "701", "by": "105", "recall": false,
            })
        );
    }

    #[tokio::test]
    async fn every_kind_can_be_asked_for() {
        let clock = Clock::start();
        for fact in [
            Fact::Released { of: at() },
            Fact::Abandoned { of: at() },
            Fact::Waiting { of: at(), recall_in: None, attempt: 1 },
            Fact::HungUp { of: at(), why: String::new() },
            Fact::Delivering { of: at(), to: "105".into() },
            Fact::Moved {
                of: at(),
                from: "702".into(),
                group: None,
                retrieve: "701".into(),
                recall_in: None,
            },
            Fact::NoPorts { why: Dry::UsedUp },
        ] {
            let (kind, _) = of(clock, clock.now(), &told(fact)).unwrap();
            assert!(EVENT_KINDS.contains(&kind), "{kind}");
        }
        for change in [
            BanChange::Banned { why: "scanner", lasts: Duration::from_secs(60), times: 1 },
            BanChange::Over { why: "expired", turned_away: 3 },
        ] {
            let news = News { address: "192.0.2.66".into(), change };
            let (kind, _) = of_ban(clock, clock.now(), &news, 0);
            assert!(EVENT_KINDS.contains(&kind), "{kind}");
        }
    }
}
