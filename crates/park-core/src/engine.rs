//! The house's one door: one input in, then outputs out until idle. An input climbs to the room that
//! decides; its effects are on the tray when `handle` returns.

use std::time::Duration;

use base::{Chance, Flow, Moment, Side};
use bytes::Bytes;
use dialects::{Template, Templates};
use rtp_flow::Leases;
use sip_core::{Heard, Layer, Timing};
use sip_msg::{KeepAlive, Message};

use crate::alarms::Alarms;
use crate::calls::{self, Legs, Passes, Rebinding};
use crate::cluster::{self, Cluster};
use crate::contacts::Contacts;
use crate::house::{House, codes_of};
use crate::journal::{self, RecordKey, Written};
use crate::keys::{Alarm, Owner};
use crate::lobby::{self, Lobby};
use crate::lots::{self, Lots};
use crate::patience::Taken;
use crate::settings::Settings;
use crate::standing::{self, Standing};
use crate::tally::Tally;
use crate::told::Fact;
use crate::uplink::{LOOK_AGAIN, LOOK_SOON, Uplink};
use crate::watches::Watches;
use crate::words::{Input, Output};
use crate::{caps, lamps, operator, register, watches};

/// The whole signalling of Parkade as one machine.
pub struct Engine {
    pub(crate) house: House,
    drained: bool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("at", &self.house.at).finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the house. Poll at once: it resolves the PBX and orders port pairs first.
    pub fn new(settings: Settings, chance: Chance, at: Moment) -> Engine {
        Engine::restore(settings, chance, at, Vec::new())
    }

    /// Opens the house as these records tell it, which an earlier run of the program has written
    /// ([`Output::Journal`]). `at` must be of a clock that has gone on meanwhile.
    pub fn restore(
        settings: Settings,
        mut chance: Chance,
        at: Moment,
        records: Vec<(RecordKey, Vec<u8>)>,
    ) -> Engine {
        let layer_chance = Chance::from_seed(chance.u64());
        let mut house = House {
            at,
            codes: settings.lots.iter().map(codes_of).collect(),
            templates: templates(&settings),
            uplink: Uplink::new(&settings),
            settings,
            chance,
            layer: Layer::new(Timing::default(), layer_chance),
            leases: Leases::default(),
            alarms: Alarms::default(),
            tray: std::collections::VecDeque::new(),
            legs: Legs::default(),
            passes: Passes::default(),
            contacts: Contacts::default(),
            to_greet: Vec::new(),
            lots: Lots::default(),
            cluster: Cluster::default(),
            watches: Watches::default(),
            surveys: Vec::new(),
            rebinding: Rebinding::default(),
            lobby: Lobby::default(),
            written: Written::default(),
            draining: false,
            dropped: 0,
            notices_refused: 0,
            bugs: 0,
            tally: Tally::default(),
        };
        let targets: Vec<usize> = house.uplink.uris().map(|(number, _)| number).collect();
        for target in targets {
            resolve(&mut house, target);
        }
        // Before any port is ordered that is not one of theirs.
        if !records.is_empty() {
            journal::restore(&mut house, records);
            // What the earlier run has written stands until then.
            journal::keep(&mut house);
        }
        for side in [Side::Phones, Side::Pbx] {
            calls::order_pairs(&mut house, side);
        }
        Engine { house, drained: false }
    }

    /// Takes one input. Poll until [`Output::Idle`] before the next.
    pub fn handle(&mut self, at: Moment, input: Input) {
        debug_assert!(self.drained, "poll until idle before the next input");
        self.drained = false;
        let house = &mut self.house;
        house.at = house.at.max(at);
        match input {
            Input::Sip { flow, bytes } => hear(house, flow, bytes),
            Input::Closed { conn } => {
                for heard in house.layer.closed(house.at, conn) {
                    take(house, heard);
                }
            }
            Input::Unreachable { flow } => {
                for heard in house.layer.unreachable(house.at, &flow) {
                    take(house, heard);
                }
            }
            Input::Media(notice) => calls::hear_media(house, notice),
            Input::Resolved { target, hops } => resolved(house, target, hops),
            Input::Command { ticket, command } => {
                if let Some(reply) = operator::obey(house, ticket, &command) {
                    house.tray.push_back(Output::Reply { ticket, reply });
                }
            }
            Input::Cluster(news) => cluster::hear(house, news),
            Input::Reload(settings) => reload(house, *settings),
            Input::Wake => {}
            Input::Keep => house.written.hurry(),
        }
        lobby::serve(house);
        // Alarms that are due come after the input that came at the same moment.
        wake(house);
        register::greet(house);
        journal::keep(house);
    }

    /// The next thing to do outside.
    pub fn poll(&mut self) -> Output {
        let house = &mut self.house;
        if let Some(output) = house.tray.pop_front() {
            return output;
        }
        if let Some((flow, bytes)) = house.layer.poll() {
            return Output::Send { flow, bytes };
        }
        self.drained = true;
        let ours = house.alarms.next().map(|(at, alarm)| (house.lobby.held(house.at, at), alarm));
        let next = [
            house.layer.next().map(|at| (at, "transaction")),
            ours.map(|(at, alarm)| (at, name_of(alarm))),
            house.written.due().map(|at| (at, "journal")),
            house.lobby.next().map(|at| (at, "ports")),
        ];
        match next.into_iter().flatten().min_by_key(|(at, _)| *at) {
            Some((at, why)) => idle(Some(at), why),
            None => idle(None, "nothing"),
        }
    }
}

fn idle(wake_at: Option<Moment>, why: &'static str) -> Output {
    Output::Idle { wake_at, why }
}

fn name_of(alarm: Alarm) -> &'static str {
    match alarm {
        Alarm::Silent(_) => "failover",
        Alarm::Binding(_) => "binding",
        Alarm::Bye(_) => "grace",
        Alarm::Offer(_) => "glare",
        Alarm::Refresh(_) => "session",
        Alarm::Events(_) => "subscription",
        Alarm::Recall(_) => "recall",
        Alarm::Ring(_) => "ring",
        Alarm::HandOver(_) => "hand-over",
        Alarm::Keys(_) => "keys",
        Alarm::Resolve(_) => "resolve",
        Alarm::Watch(_) | Alarm::Watches => "watch",
        Alarm::Notice(_) => "notice",
        Alarm::Remind(_) => "reminder",
        Alarm::Probe(_) => "probe",
        Alarm::Stake(_) | Alarm::Mirror => "store",
    }
}

fn templates(settings: &Settings) -> Templates {
    let own: Vec<Template> = settings
        .templates
        .iter()
        .map(|template| Template {
            user_agent: template.user_agent.clone(),
            content_type: template.content_type.clone(),
            template: template.template.clone(),
        })
        .collect();
    // The program has checked them; should one be broken all the same, the built-in one serves.
    Templates::new(&own).or_else(|_| Templates::new(&[])).unwrap_or_default()
}

fn hear(house: &mut House, flow: Flow, bytes: Bytes) {
    match KeepAlive::read(&bytes, flow.peer) {
        // In a stream there are no STUN messages between those of SIP (RFC 5626 §4.4).
        Some(KeepAlive::Ping(answer)) if !flow.transport.is_reliable() => {
            return house.tray.push_back(Output::Send { flow, bytes: answer.into() });
        }
        Some(KeepAlive::Silent) => return,
        _ => {}
    }
    match Message::read(bytes) {
        Ok(message) => {
            // Its answer would tell a stranger that somebody is here. Responses are known by their branches.
            let uri = message.is_request().then(|| message.uri());
            if uri.is_some() && standing::of(house, &flow, uri) == Standing::Foreign {
                return house.drop_message(flow.peer, "not the PBX, on its side");
            }
            if uri.is_some_and(|uri| caps::is_overrun(house, &flow, uri)) {
                return house.drop_message(flow.peer, "too many transactions");
            }
            let heard = house.layer.hear(house.at, flow, message);
            take(house, heard);
        }
        Err(malformed) => {
            if let Some(bytes) = malformed.answer() {
                house.tray.push_back(Output::Send { flow, bytes });
            }
            house.tally.malformed(malformed.why);
            house.drop_message(flow.peer, &malformed.to_string());
        }
    }
}

fn take(house: &mut House, heard: Heard<Owner>) {
    match heard {
        Heard::Request { server, request, flow } => {
            if let Some(watch) = watches::of_uri(house, request.uri()) {
                return watches::within(house, server, &request, flow, watch);
            }
            let named = calls::leg_of(house, request.uri());
            match (named, request.to_tag().is_some()) {
                (Some(leg), _) => calls::in_dialog(house, server, request, flow, leg),
                (None, true) if request.cseq().1 != "REGISTER" => {
                    house.answer(server, &request, 481);
                }
                (None, _) => lobby::receive(house, server, request, flow),
            }
        }
        Heard::Ack { request, .. } => match calls::leg_of(house, request.uri()) {
            Some(leg) => calls::ack(house, &request, leg),
            None => calls::late_ack(house, &request),
        },
        Heard::Cancel { owner, request, invite } => match owner {
            Some(Owner::Pass(pass, _)) => calls::cancelled(house, pass, &request),
            Some(Owner::Leg(leg, _)) => calls::retrieve_cancelled(house, leg),
            Some(Owner::Lobby) => lobby::cancelled(house, invite),
            Some(Owner::Notice(_) | Owner::Watch(_)) | None => {}
        },
        Heard::Response { client, owner, response, flow } => match owner {
            Owner::Pass(pass, within) => {
                calls::passed_response(house, (pass, within), client, &response, flow);
            }
            Owner::Leg(leg, errand) => {
                calls::own_response(house, leg, errand, client, &response, flow);
            }
            Owner::Notice(binding) if response.status() >= 200 => {
                lamps::answered(house, binding, Taken::of(&response));
            }
            Owner::Watch(watch) if response.status() >= 200 => {
                watches::answered(house, watch, Taken::of(&response));
            }
            Owner::Notice(_) | Owner::Watch(_) | Owner::Lobby => {}
        },
        Heard::Failed { client, owner, why } => match owner {
            Owner::Pass(pass, _) => calls::pass_failed(house, pass, client, why),
            Owner::Leg(leg, errand) => calls::own_failed(house, leg, errand),
            Owner::Notice(binding) => lamps::answered(house, binding, Taken::NOT_ANSWERED),
            Owner::Watch(watch) => watches::answered(house, watch, Taken::NOT_ANSWERED),
            Owner::Lobby => {}
        },
        Heard::Unacknowledged { server, .. } => calls::unacknowledged(house, server),
        Heard::Absorbed => {}
    }
}

fn wake(house: &mut House) {
    while let Some(heard) = house.layer.wake(house.at) {
        take(house, heard);
    }
    while let Some(alarm) = due(house) {
        match alarm {
            Alarm::Silent(pass) => calls::kept_silent(house, pass),
            Alarm::Binding(key) => register::unbind(house, key),
            Alarm::Bye(leg) => calls::bye(house, leg, None),
            Alarm::Offer(leg) => calls::offer_again(house, leg),
            Alarm::Refresh(leg) => calls::refresh(house, leg),
            Alarm::Events(leg) => calls::events_over(house, leg),
            Alarm::Recall(parked) => calls::recall_due(house, parked),
            Alarm::Ring(parked) => calls::rung_out(house, parked),
            Alarm::HandOver(parked) => calls::hand_over_failed(house, parked),
            Alarm::Keys(leg) => calls::keys_pause_over(house, leg),
            Alarm::Resolve(target) => resolve(house, target),
            Alarm::Probe(leg) => calls::probe(house, leg),
            Alarm::Watch(watch) => watches::due(house, watch),
            Alarm::Watches => watches::tell_some(house),
            Alarm::Notice(key) => lamps::rested(house, key),
            Alarm::Remind(parked) => calls::remind(house, parked),
            Alarm::Stake(parked) => cluster::unanswered(house, parked),
            Alarm::Mirror => cluster::forget_others(house),
        }
    }
}

/// An alarm that has gone off; what needs ports, and what comes after it, waits for them.
fn due(house: &mut House) -> Option<Alarm> {
    let (_, alarm) = house.alarms.next().filter(|(at, _)| *at <= house.at)?;
    // Before an earlier run's ports are there again, no other is to take their places.
    let needs_ports = matches!(alarm, Alarm::Recall(_) | Alarm::Offer(_) | Alarm::Refresh(_));
    if (needs_ports || !house.rebinding.is_empty()) && lobby::holds(house) {
        return None;
    }
    house.alarms.expired(house.at)
}

fn resolve(house: &mut House, target: usize) {
    let Some(uri) = house.uplink.uri(target).map(ToString::to_string) else { return };
    house.tray.push_back(Output::Resolve { target, uri });
}

fn resolved(house: &mut House, target: usize, hops: Vec<Flow>) {
    let after: Duration = if hops.is_empty() { LOOK_SOON } else { LOOK_AGAIN };
    if house.uplink.resolved(target, hops)
        && let Some(target) = house.uplink.uri(target).map(ToString::to_string)
    {
        house.tell(None, Fact::PbxUnresolved { target });
    }
    house.alarms.set(Alarm::Resolve(target), house.at + after);
}

/// Takes over what can change without dropping a call. The PBX's targets stay as they are.
fn reload(house: &mut House, settings: Settings) {
    house.codes = settings.lots.iter().map(codes_of).collect();
    house.templates = templates(&settings);
    let pbx_targets = std::mem::take(&mut house.settings.pbx_targets);
    let cluster = house.settings.cluster.take();
    house.settings = Settings { pbx_targets, cluster, ..settings };
    lots::resolve_policies(house);
    lamps::refresh_all(house);
}
