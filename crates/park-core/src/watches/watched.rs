//! What is watched, which calls it shows, and how they are written.

use base::{Domain, Extension, LotName, SlotName};
use dialects::{
    CALL_INFO, DIALOG, Dialled, ParkedDialog, Place, is_in_ranges, wants_callpark_info,
};
use serde::{Deserialize, Serialize};
use sip_msg::{Message, SipUri};

use crate::calls::event_of;
use crate::contacts::Aor;
use crate::house::House;
use crate::keys::ParkedKey;
use crate::lamps;
use crate::lots::{self, ParkedCall, SlotId};
use crate::settings::LotSettings;

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Watched {
    Slot(SlotId),
    /// All slots of a lot, as one domain sees them.
    Lot(LotName, Domain),
    /// What is parked for an extension: at it, for its group, or by itself where parkers are told.
    Line(Aor),
}

impl Watched {
    /// The event package in which it is told.
    pub(super) fn event(&self) -> &'static str {
        match self {
            Watched::Slot(_) | Watched::Lot(..) => DIALOG,
            Watched::Line(_) => CALL_INFO,
        }
    }
}

/// What a SUBSCRIBE of a phone is for, if it is ours: a slot, a lot by its park number, or what is
/// parked for an extension. Whoever asks for an extension's `call-info` without the body that tells
/// parked calls wants the appearances of a shared line: these are the PBX's.
pub(crate) fn watched(house: &House, request: &Message, aor: &Aor) -> Option<Watched> {
    place(house, request, aor).or_else(|| line(house, request, aor))
}

fn place(house: &House, request: &Message, aor: &Aor) -> Option<Watched> {
    let (lot, dialled) = lots::watch_ask(house, aor, request.uri())?;
    let lot = house.settings.lots.get(lot)?.name.clone();
    let slot = |slot: SlotName| SlotId { lot: lot.clone(), domain: aor.domain.clone(), slot };
    match dialled {
        Dialled::Number(number) => Some(Watched::Slot(slot(number))),
        // Keys that are set to "code and slot" watch what they dial.
        Dialled::Park(Place::Slot(number)) | Dialled::Retrieve(Place::Slot(number)) => {
            Some(Watched::Slot(slot(number)))
        }
        Dialled::Park(Place::Extension(extension))
        | Dialled::Retrieve(Place::Extension(extension)) => {
            Some(Watched::Slot(slot(SlotName::from(extension.as_str()))))
        }
        Dialled::AnySlot => Some(Watched::Lot(lot, aor.domain.clone())),
        _ => None,
    }
}

fn line(house: &House, request: &Message, asker: &Aor) -> Option<Watched> {
    if event_of(request) != CALL_INFO || !wants_callpark_info(request) {
        return None;
    }
    let named = Extension::from(&*SipUri::read(request.uri())?.user_decoded());
    // The phone may name the PBX by another name than it registers at; of another domain it is
    // told nothing.
    let line = Aor { extension: named, domain: asker.domain.clone() };
    let known = line.extension == asker.extension || lots::is_extension(house, &line);
    known.then_some(Watched::Line(line))
}

/// The parked calls that a subscription shows.
pub(super) fn calls_of(house: &House, watched: &Watched) -> Vec<ParkedKey> {
    let of = |shows: &dyn Fn(&SlotId) -> bool| {
        let calls = house.lots.told_of(|call| shows(&call.id));
        calls.map(|(key, _)| key).collect()
    };
    match watched {
        Watched::Slot(slot) => of(&|id| id == slot),
        Watched::Lot(lot, domain) => {
            let lot = house.settings.lots.iter().find(|known| known.name == *lot);
            let in_slots = |lot: &LotSettings, id: &SlotId| {
                id.lot == lot.name && is_in_ranges(&lot.slots, id.slot.as_str())
            };
            of(&|id| id.domain == *domain && lot.is_some_and(|lot| in_slots(lot, id)))
        }
        Watched::Line(aor) => lamps::visible(house, aor),
    }
}

/// A parked call as a dialog: by its ids, its target or its number it can be retrieved.
pub(crate) fn dialog_of(call: &ParkedCall) -> ParkedDialog {
    let (slot, domain) = (&call.id.slot, &call.id.domain);
    // The phone's profile has its say when this is written out.
    let parkee = call.shown(true);
    ParkedDialog {
        id: call.watch_id.to_string(),
        call_id: call.watch_id.to_string(),
        local_tag: format!("{}-p", call.watch_id),
        remote_tag: format!("{}-w", call.watch_id),
        parkee_uri: parkee.uri.to_string(),
        parkee_name: parkee.name.as_deref().map(Into::into),
        local_uri: format!("sip:{slot}@{domain}"),
        target: format!("sip:{}@{domain}", call.retrieve),
    }
}
