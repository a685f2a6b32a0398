//! Notices as they are written: one way of telling each.

use base::Flow;
use dialects::{
    Body, CALL_INFO, DIALOG, NoticeKind, PARK_INFO, ParkedDialog, PhoneDialog, StatusText,
    idle_appearances, status_line,
};
use sip_msg::{Compose, Draft, Name};

use crate::calls::is_sips;
use crate::house::House;
use crate::keys::{BindingKey, ParkedKey};
use crate::lamps::line::News;
use crate::lamps::seen::park_notice;
use crate::watches::{dialog_of, profile_of};

/// For how long the status line shows what waits, in seconds: the longest that there is.
const SHOWN_S: u8 = 60;

/// What a binding is told of these calls, by which way, and the flow by which it goes.
pub(super) fn draft(
    house: &mut House,
    key: BindingKey,
    kind: NoticeKind,
    calls: &[ParkedKey],
    gone: &[&str],
    news: Option<&News>,
) -> Option<(Flow, Draft)> {
    let (event, body) = match kind {
        NoticeKind::ParkInfo => (PARK_INFO, park_info(house, key, calls, news)?),
        NoticeKind::CallInfo => {
            let aor = &house.contacts.get(key)?.aor;
            (
                CALL_INFO,
                house.templates.callpark_info(&park_notice(house, Some(key), aor, calls, news)),
            )
        }
        NoticeKind::DialogInfo => (DIALOG, dialog_info(house, key, calls, gone)?),
        NoticeKind::CiscoRemoteCc => return status(house, key, calls),
    };
    let (call_id, tag) = (house.chance.token(24), house.chance.token(10));
    let binding = house.contacts.get_mut(key)?;
    let line = &mut binding.line;
    line.cseq += 1;
    let cseq = line.cseq;
    let (call_id, tag) = line.ids.get_or_insert_with(|| (call_id.into(), tag.into())).clone();
    let binding = house.contacts.get(key)?;
    let (aor, flow) = (&binding.aor, binding.flow);
    let own = house.contact(&flow, "park", is_sips(&binding.contact));
    let mut draft = Compose::request("NOTIFY", &binding.contact)
        .line(Name::From, format!("<sip:park@{}>;tag={tag}", aor.domain))
        .line(Name::To, format!("<sip:{}@{}>", aor.extension, aor.domain))
        .line(Name::CallId, &call_id)
        .line(Name::CSeq, format!("{cseq} NOTIFY"))
        .line(Name::Contact, format!("<{own}>"))
        .line(Name::MaxForwards, "70")
        .line(Name::Event, event)
        .line(Name::SubscriptionState, "active;expires=3600");
    if kind == NoticeKind::CallInfo {
        draft = draft.line(Name::CallInfo, idle_appearances(aor.domain.as_str()));
    }
    Some((flow, draft.body(&body.content_type, body.bytes).finish()))
}

fn park_info(
    house: &House,
    key: BindingKey,
    calls: &[ParkedKey],
    news: Option<&News>,
) -> Option<Body> {
    let binding = house.contacts.get(key)?;
    let agent = Some(&*binding.user_agent).filter(|agent| !agent.is_empty());
    let template = &profile_of(house, Some(key)).template;
    let notice = park_notice(house, Some(key), &binding.aor, calls, news);
    Some(house.templates.render(agent, template, &notice))
}

/// The dialogs of the phone's own extension, as far as they are parked calls.
fn dialog_info(
    house: &mut House,
    key: BindingKey,
    calls: &[ParkedKey],
    gone: &[&str],
) -> Option<Body> {
    let first = house.settings.first_version;
    let line = &mut house.contacts.get_mut(key)?.line;
    let version = first.wrapping_add(line.documents);
    line.documents = line.documents.wrapping_add(1);
    let aor = &house.contacts.get(key)?.aor;
    let entity = format!("sip:{}@{}", aor.extension, aor.domain);
    let dialogs: Vec<ParkedDialog> =
        calls.iter().filter_map(|key| house.lots.get(*key)).map(dialog_of).collect();
    let style = profile_of(house, Some(key)).extension_style();
    Some(style.write(&dialogs, gone).full(&entity, u64::from(version)))
}

fn status(house: &mut House, key: BindingKey, calls: &[ParkedKey]) -> Option<(Flow, Draft)> {
    let first = calls.first().and_then(|key| house.lots.get(*key));
    let text =
        first.map_or(StatusText::Cleared, |call| StatusText::ParkedAt(call.id.slot.as_str()));
    let body = status_line(PhoneDialog::NONE, text, SHOWN_S);
    status_refer(house, key, &body)
}

/// A REFER out of dialog that has a Cisco phone do something; it wants no subscription.
pub(crate) fn status_refer(
    house: &mut House,
    key: BindingKey,
    body: &Body,
) -> Option<(Flow, Draft)> {
    let (call_id, tag) = (house.chance.token(24), house.chance.token(10));
    let part = house.chance.token(12);
    let bound = house.contacts.get(key)?;
    let (aor, flow) = (&bound.aor, bound.flow);
    let id = format!("{part}@{}", aor.domain);
    let own = house.contact(&flow, "park", is_sips(&bound.contact));
    let draft = Compose::request("REFER", &bound.contact)
        .line(Name::From, format!("<sip:park@{}>;tag={tag}", aor.domain))
        .line(Name::To, format!("<sip:{}@{}>", aor.extension, aor.domain))
        .line(Name::CallId, call_id)
        .line(Name::CSeq, "1 REFER")
        .line(Name::Contact, format!("<{own}>"))
        .line(Name::MaxForwards, "70")
        .line(Name::ReferTo, format!("<cid:{id}>"))
        .other("Content-ID", format!("<{id}>"))
        .line(Name::Require, "norefersub")
        .line(Name::Expires, "0")
        .body(&body.content_type, body.bytes.clone())
        .finish();
    Some((flow, draft))
}
