//! What the keys of an earlier run of the program are called now.

use rustc_hash::FxHashMap;
use sip_core::{ClientKey, ServerKey};
use slotmap::Key;

use crate::calls::{Invite, Leg, With};
use crate::keys::{BindingKey, LegKey, Owner, ParkedKey, PassKey, WatchKey};
use crate::lots::{ParkedCall, Recall, Teller};

/// By what a thing was known, and by what it is now.
pub(super) type Renamed<K> = FxHashMap<K, K>;

/// The keys of all that was taken up.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) phones: Renamed<BindingKey>,
    pub(super) legs: Renamed<LegKey>,
    pub(super) calls: Renamed<ParkedKey>,
    pub(super) passes: Renamed<PassKey>,
    pub(super) watches: Renamed<WatchKey>,
    pub(super) clients: Renamed<ClientKey>,
    pub(super) servers: Renamed<ServerKey>,
}

impl Names {
    pub(super) fn phone(&self, key: BindingKey) -> Option<BindingKey> {
        self.phones.get(&key).copied()
    }

    pub(super) fn leg(&self, key: LegKey) -> Option<LegKey> {
        self.legs.get(&key).copied()
    }

    /// Who owns a transaction now. What has gone is named by a key that opens nothing.
    pub(super) fn owner(&self, owner: Owner) -> Owner {
        match owner {
            Owner::Pass(pass, within) => {
                Owner::Pass(self.passes.get(&pass).copied().unwrap_or(PassKey::null()), within)
            }
            Owner::Leg(leg, errand) => Owner::Leg(self.leg(leg).unwrap_or(LegKey::null()), errand),
            Owner::Lobby => Owner::Lobby,
            Owner::Notice(phone) => Owner::Notice(self.phone(phone).unwrap_or(BindingKey::null())),
            Owner::Watch(watch) => {
                Owner::Watch(self.watches.get(&watch).copied().unwrap_or(WatchKey::null()))
            }
        }
    }

    /// Has a leg name others as they are called now, and nobody who is not there any more.
    pub(super) fn leg_names(&self, leg: &mut Leg) {
        leg.binding = leg.binding.and_then(|phone| self.phone(phone));
        leg.refers.retain_mut(|refer| self.leg(refer.by).map(|by| refer.by = by).is_some());
        leg.heard = leg.heard.and_then(|heard| self.invite(heard, &self.servers));
        leg.sent = leg.sent.and_then(|sent| self.invite(sent, &self.clients));
        let call = |key: ParkedKey| self.calls.get(&key).copied();
        let with = match leg.with {
            With::Nobody => None,
            With::Leg(other) => self.leg(other).map(With::Leg),
            With::Parked(key) => call(key).map(With::Parked),
            With::Retrieving(key) => call(key).map(With::Retrieving),
            With::Rung(key) => call(key).map(With::Rung),
            With::Parking(other) => self.leg(other).map(With::Parking),
            With::Telling(other) => self.leg(other).map(With::Telling),
        };
        leg.with = with.unwrap_or(With::Nobody);
    }

    fn invite<K: Copy + Eq + std::hash::Hash>(
        &self,
        invite: Invite<K>,
        names: &Renamed<K>,
    ) -> Option<Invite<K>> {
        names.get(&invite.key).map(|key| Invite { key: *key, ..invite })
    }

    /// The same for a parked call, but for its leg.
    pub(super) fn call_names(&self, call: &mut ParkedCall) {
        call.parker_phone = call.parker_phone.and_then(|phone| self.phone(phone));
        if let Some(monitor) = &mut call.monitor {
            monitor.renamed(|phone| self.phone(phone));
        }
        call.teller = self.teller(std::mem::take(&mut call.teller));
        call.claim = call.claim.and_then(|mut claim| {
            claim.by = self.leg(claim.by)?;
            Some(claim)
        });
        if let Recall::Ringing { legs, .. } = &mut call.recall {
            *legs = legs.iter().filter_map(|leg| self.leg(*leg)).collect();
        }
        if let Some(delivery) = &mut call.delivery {
            delivery.legs = delivery.legs.iter().filter_map(|leg| self.leg(*leg)).collect();
        }
    }

    /// Who waits to hear of a park may have gone, and the park does not stand for that.
    fn teller(&self, teller: Teller) -> Teller {
        let leg = |key: LegKey| self.leg(key).unwrap_or(LegKey::null());
        match teller {
            Teller::Nobody => Teller::Nobody,
            Teller::Progress(parker) => Teller::Progress(leg(parker)),
            Teller::Apart { parker, telling } => {
                Teller::Apart { parker: leg(parker), telling: leg(telling) }
            }
            Teller::Answer(parker, server) => match self.servers.get(&server) {
                Some(server) => Teller::Answer(leg(parker), *server),
                None => Teller::Progress(leg(parker)),
            },
            Teller::Command(parker, command) => Teller::Command(leg(parker), command),
            Teller::SoftKey(parker) => Teller::SoftKey(leg(parker)),
            Teller::Keys(parker) => Teller::Keys(leg(parker)),
            Teller::Dialled(parker, dialled) => Teller::Dialled(leg(parker), leg(dialled)),
        }
    }
}
