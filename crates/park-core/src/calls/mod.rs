//! Calls: legs and what joins them; requests passed from one to the other; park, retrieve, recall.

mod acks;
mod answer;
mod describe;
mod dialled;
mod ending;
mod ids;
mod info;
mod leaving;
mod leg;
mod listening;
mod media;
mod outcome;
mod own;
mod park;
mod park_server;
mod parked;
mod pass;
mod progress;
mod quirks;
mod recall;
mod reminder;
mod report;
mod retrieve;
mod route;
mod send;
mod setup;
mod soft_key;
mod weave;
mod within;

pub(crate) use acks::{ack, late_ack, unacknowledged};
pub(crate) use answer::only_sdp;
pub(crate) use dialled::{by_dial, has_call, held_call, reserve};
pub(crate) use ending::{call_id, end_all};
pub(crate) use ids::find_parked as find_by_ids;
pub(crate) use info::pause_over as keys_pause_over;
pub(crate) use leg::{Identity, Leg, Legs, Stage, Usage, With};
pub(crate) use listening::{Survey, survey};
pub(crate) use media::{agreed_codec, hear as hear_media, order_pairs, plan as plan_media};
pub(crate) use own::{bye, failed as own_failed, refresh, response as own_response};
pub(crate) use park_server::take as by_park_server;
pub(crate) use parked::offer_again;
pub(crate) use pass::{
    Pass, PassKind, Passes, failed as pass_failed, kept_silent, response as passed_response, start,
};
pub(crate) use recall::{due as recall_due, hand_over_failed, rung_out};
pub(crate) use reminder::{begin as begin_reminders, due as remind};
pub(crate) use retrieve::{by_invite, cancelled as retrieve_cancelled};
pub(crate) use route::{pbx_domain, uri_towards_pbx};
pub(crate) use send::ALLOW;
pub(crate) use setup::{Callee, cancelled, open};
pub(crate) use soft_key::{Monitor, meant as meant_by_soft_key, park as by_soft_key};
pub(crate) use weave::{changed as weave_changed, views as woven_views};
pub(crate) use within::{event_of, events_over, in_dialog, leg_of};
