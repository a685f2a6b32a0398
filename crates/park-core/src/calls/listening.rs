//! How the sound of calls is doing: whose far side has fallen silent, and what a stream was like, when
//! it ends and when an operator asks.

use rtp_flow::{Label, PairId, Plan, Quality, SilenceWatch};
use slotmap::Key as _;

use crate::calls::leg::{Leg, Stage};
use crate::command::{Reply, StreamView};
use crate::house::House;
use crate::keys::LegKey;
use crate::told::Fact;
use crate::words::Output;

/// An operator's question that is not answered yet.
#[derive(Debug)]
pub(crate) struct Survey {
    ticket: u64,
    /// The streams that have not been measured yet, with their labels.
    awaited: Vec<(PairId, Label)>,
    measured: Vec<StreamView>,
}

/// Whether the silence of whoever is at a leg is to be told: where offer and answer have been
/// exchanged, and neither is on hold.
pub(crate) fn silence(house: &House, key: LegKey, leg: &Leg) -> Option<SilenceWatch> {
    let after = house.settings.silence?;
    let partner = leg.partner().and_then(|other| house.legs.get(other))?;
    let is_agreed = leg.media.sent.is_some() && leg.media.received.is_some();
    let is_held = leg.held.is_some() || partner.held.is_some();
    (is_agreed && !is_held).then_some(SilenceWatch { after, mark: key.data().as_ffi() })
}

/// A far side has fallen silent, or is heard again.
pub(crate) fn silent(house: &mut House, key: LegKey, silent: bool) {
    let Some(leg) = house.legs.get_mut(key) else { return };
    // Before the answer nobody need speak.
    if leg.stage != Stage::Up || leg.media.silent == silent {
        return;
    }
    leg.media.silent = silent;
    let (call, side) = (leg.dialog.call_id().to_owned(), leg.side);
    let after = house.settings.silence.unwrap_or_default();
    let fact = if silent { Fact::Silent { side, after } } else { Fact::HeardAgain { side } };
    house.tell(Some(&call), fact);
}

/// Asks what the streams of one call, or of all, are like.
pub(crate) fn survey(house: &mut House, ticket: u64, call: Option<&str>) {
    let mut awaited = Vec::new();
    for (_, leg) in house.legs.iter() {
        let call_id = leg.dialog.call_id();
        if call.is_some_and(|call| call != call_id) {
            continue;
        }
        if let Some(pair) = leg.media.sound() {
            awaited.push((pair, Label { call: call_id.into(), side: leg.side }));
        }
    }
    for (pair, _) in &awaited {
        house.tray.push_back(Output::Media(Plan::Measure(*pair)));
    }
    house.surveys.push(Survey { ticket, awaited, measured: Vec::new() });
    answer(house);
}

/// A stream has been measured: because it has ended, or because it was asked for.
pub(crate) fn measured(
    house: &mut House,
    pair: PairId,
    label: Option<Box<Label>>,
    quality: &Quality,
) {
    if let Some(label) = label {
        let fact = Fact::StreamEnded { side: label.side, quality: *quality };
        return house.tell(Some(&label.call), fact);
    }
    for survey in &mut house.surveys {
        let Some(at) = survey.awaited.iter().position(|(awaited, _)| *awaited == pair) else {
            continue;
        };
        let (_, Label { call, side }) = survey.awaited.swap_remove(at);
        survey.measured.push(StreamView::of(call.into(), side, quality));
    }
    answer(house);
}

/// Answers whoever has all that was asked for.
fn answer(house: &mut House) {
    let surveys = std::mem::take(&mut house.surveys);
    for mut survey in surveys {
        if !survey.awaited.is_empty() {
            house.surveys.push(survey);
            continue;
        }
        survey.measured.sort_by(|a, b| (&a.call_id, &a.side).cmp(&(&b.call_id, &b.side)));
        let reply = Reply::Streams { streams: survey.measured };
        house.tray.push_back(Output::Reply { ticket: survey.ticket, reply });
    }
}
