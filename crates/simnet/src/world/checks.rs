//! What must be true at a point of a story.

use dialects::NoticeKind;
use dialects::is_in_ranges;
use park_core::{Command, Counts, Fact, MOST_TOLD, ParkedView, Reply};

use super::hearing::Source;
use super::state::World;
use crate::phone::{CallState, Phone, calls_in, is_ours};

impl World {
    #[track_caller]
    fn must(&mut self, holds: bool, what: impl FnOnce(&World) -> String) -> &mut World {
        if !holds {
            let what = what(self);
            self.fail(&what);
        }
        self
    }

    /// Both have a call that is up, and hear each other and nobody else.
    #[track_caller]
    pub fn talking(&mut self, one: &str, other: &str) -> &mut World {
        for name in [one, other] {
            self.must(self.phone(name).is_up(), |_| format!("{name} has no call that is up"));
        }
        self.hears(one, other).hears(other, one)
    }

    /// Somebody hears exactly this.
    #[track_caller]
    pub fn hears(&mut self, name: &str, wanted: impl Into<Source>) -> &mut World {
        let (wanted, is) = (wanted.into(), self.heard_by(name));
        self.must(is == wanted, |_| format!("{name} hears {is:?} and not {wanted:?}"))
    }

    /// Somebody hears one source, or none; never two.
    #[track_caller]
    pub fn hears_one_at_most(&mut self, name: &str) -> &mut World {
        let is = self.heard_by(name);
        let standing = match is {
            Source::Noise => format!("{}\n{}", self.sources_of(name), self.standing()),
            _ => String::new(),
        };
        self.must(is != Source::Noise, |_| format!("{name} hears two at once\n{standing}\n"))
    }

    /// Somebody's call is there, and on music.
    #[track_caller]
    pub fn waits(&mut self, name: &str) -> &mut World {
        self.must(self.phone(name).is_up(), |_| format!("{name} has no call that is up"));
        self.hears(name, Source::Music)
    }

    /// Somebody's newest call was refused with this status.
    #[track_caller]
    pub fn refused(&mut self, name: &str, status: u16) -> &mut World {
        let is = self.phone(name).latest().and_then(|call| call.refused);
        self.must(is == Some(status), |_| {
            format!("{name} was refused with {is:?} and not {status}")
        })
    }

    /// Somebody's newest call was refused, with one of these statuses.
    #[track_caller]
    pub fn refused_with(&mut self, name: &str, statuses: &[u16]) -> &mut World {
        let is = self.phone(name).latest().and_then(|call| call.refused);
        self.must(is.is_some_and(|status| statuses.contains(&status)), |_| {
            format!("{name} was refused with {is:?} and not one of {statuses:?}")
        })
    }

    /// Somebody has no call any more.
    #[track_caller]
    pub fn ended(&mut self, name: &str) -> &mut World {
        let living = self.phone(name).living_calls();
        self.must(living == 0, |_| format!("{name} still has {living} calls"))
    }

    /// Somebody has exactly so many calls.
    #[track_caller]
    pub fn has_calls(&mut self, name: &str, wanted: usize) -> &mut World {
        let living = self.phone(name).living_calls();
        self.must(living == wanted, |_| format!("{name} has {living} calls and not {wanted}"))
    }

    /// Somebody's phone rings.
    #[track_caller]
    pub fn rings(&mut self, name: &str) -> &mut World {
        self.must(self.phone(name).rings(), |_| format!("{name} does not ring"))
    }

    /// Somebody's phone does not ring.
    #[track_caller]
    pub fn is_quiet(&mut self, name: &str) -> &mut World {
        self.must(!self.phone(name).rings(), |_| format!("{name} rings"))
    }

    /// Somebody who called hears that it rings there.
    #[track_caller]
    pub fn hears_ringing(&mut self, name: &str) -> &mut World {
        let rings = self.phone(name).current().map(|call| call.state);
        self.must(rings == Some(CallState::RingingThere), |_| {
            format!("{name}'s call is {rings:?}, not ringing")
        })
    }

    /// The latest transfer that somebody asked for came to this status.
    #[track_caller]
    pub fn transfer_came_to(&mut self, name: &str, status: u16) -> &mut World {
        let transfer = self.phone(name).latest_transfer().cloned();
        let outcome = transfer.as_ref().and_then(|transfer| transfer.outcome());
        self.must(outcome == Some(status), |_| {
            format!("{name}'s transfer came to {outcome:?} and not {status}: {transfer:?}")
        })
    }

    /// Somebody's latest REFER out of dialog came to this: its own final answer if that was a refusal
    /// or was to be all, else what the last NOTIFY told.
    #[track_caller]
    pub fn refer_came_to(&mut self, name: &str, status: u16) -> &mut World {
        let latest = self.phone(name).subscriptions().filter(|s| s.0 == "refer").last();
        let is =
            latest.and_then(|(_, answer, bodies, over)| match bodies.last().filter(|_| over) {
                Some(body) => body.split_whitespace().nth(1)?.parse().ok(),
                None => answer.filter(|_| over),
            });
        self.must(is == Some(status), |_| format!("{name}'s REFER came to {is:?} and not {status}"))
    }

    /// Somebody's newest call shows that it is with this person.
    #[track_caller]
    pub fn is_shown(&mut self, name: &str, whom: &str) -> &mut World {
        let shown = self.phone(name).latest().and_then(|call| call.shown.clone());
        let number = self.dialled(whom);
        self.must(shown.as_ref().is_some_and(|shown| shown.contains(&number)), |_| {
            format!("{name} is shown {shown:?} and not {whom} ({number})")
        })
    }

    /// The parked calls, as an operator sees them.
    #[track_caller]
    pub fn parked_calls(&mut self) -> Vec<ParkedView> {
        match self.command(Command::Parked) {
            Reply::Parked { calls, .. } => calls,
            _ => self.fail("no list of parked calls"),
        }
    }

    /// Exactly these slots have calls, in this order; a slot with two calls is named twice.
    #[track_caller]
    pub fn parked_at(&mut self, slots: &[&str]) -> &mut World {
        let mut slots: Vec<String> = slots.iter().map(|slot| self.dialled(slot)).collect();
        let mut is: Vec<String> =
            self.parked_calls().into_iter().map(|view| view.at.slot).collect();
        slots.sort();
        is.sort();
        self.must(is == slots, |_| format!("parked at {is:?} and not at {slots:?}"))
    }

    /// Nothing is parked.
    #[track_caller]
    pub fn nothing_parked(&mut self) -> &mut World {
        self.parked_at(&[])
    }

    /// Somebody's screen shows parked calls, and this person among them.
    #[track_caller]
    pub fn shows_parked(&mut self, name: &str, parkee: &str) -> &mut World {
        let shown = self.phone(name).parked_shown().map(str::to_owned);
        let number = self.dialled(parkee);
        self.must(shown.as_ref().is_some_and(|body| body.contains(&number)), |_| {
            format!("{name}'s screen shows {shown:?} and not {parkee} ({number})")
        })
    }

    /// Somebody's screen shows no parked call.
    #[track_caller]
    pub fn shows_nothing_parked(&mut self, name: &str) -> &mut World {
        let shown = self.phone(name).parked_shown().map(str::to_owned);
        self.must(shown.is_none(), |_| format!("{name}'s screen still shows {shown:?}"))
    }

    /// Every registered phone shows what is parked for its extension or its group, and nothing else,
    /// if it takes any of the notices that its kind is sent, or has subscribed.
    #[track_caller]
    pub fn screens_equal_lots(&mut self) -> &mut World {
        for at in 0..self.seats.len() {
            let (seat, phone) = (&self.seats[at], &self.seats[at].phone);
            let (name, user) = (seat.name.clone(), phone.account().user.clone());
            let has_subscribed =
                phone.watches().any(|(event, of, _)| event == "call-info" && of == user);
            let can_be_told = has_subscribed || self.takes_a_notice(phone);
            if !seat.is_phone || !phone.is_registered() || !can_be_told {
                continue;
            }
            let shown = phone.parked_shown().unwrap_or_default().to_owned();
            self.tells_of_line(&name, "screen", &user, &shown);
        }
        self
    }

    /// Whether a phone takes one of the notices that its kind is sent unasked.
    fn takes_a_notice(&self, phone: &Phone) -> bool {
        let profile = self.settings.profiles.of(Some(&phone.account().user_agent));
        profile.notices.iter().any(|kind| match kind {
            NoticeKind::ParkInfo => phone.takes_notice("park-info"),
            NoticeKind::CallInfo => phone.takes_notice("call-info"),
            NoticeKind::DialogInfo => phone.takes_notice("dialog"),
            NoticeKind::CiscoRemoteCc => phone.has_status_line(),
        })
    }

    /// A body tells of all calls that are parked for an extension, and of no others.
    #[track_caller]
    fn tells_of_line(&mut self, name: &str, where_: &str, user: &str, body: &str) {
        let lots = self.settings.lots.clone();
        let is_for = |view: &&ParkedView| {
            let lot = lots.iter().find(|lot| lot.name.as_str() == view.at.lot);
            let mut groups = lot.into_iter().flat_map(|lot| &lot.groups);
            let group = groups.find(|group| Some(&group.name) == view.parked.group.as_ref());
            let is_member =
                group.is_some_and(|group| group.members.iter().any(|m| m.as_str() == user));
            let tells_parker = lot.is_some_and(|lot| lot.notify_parker);
            let is_parker = view.parked.parker == user;
            view.at.slot == user || (tells_parker && is_parker) || (is_member && !is_parker)
        };
        let parked = self.parked_calls();
        let wanted: Vec<&str> =
            parked.iter().filter(is_for).map(|view| view.parked.parkee.as_str()).collect();
        let fits = match body.contains("<statustext>") {
            true => (calls_in(body) > 0) != wanted.is_empty(),
            false => {
                calls_in(body) == wanted.len() && wanted.iter().all(|user| body.contains(user))
            }
        };
        self.must(fits, |_| {
            format!("{name}'s {where_} shows {body:?} of {user} and not {wanted:?}")
        });
    }

    /// Somebody's lamp for `user` shows this many parked calls, and this many of the PBX's.
    #[track_caller]
    pub fn lamp_shows(&mut self, name: &str, user: &str, parked: usize, pbx: usize) -> &mut World {
        let last = self.phone(name).watched(user).and_then(|bodies| bodies.last()).cloned();
        let is = last.as_deref().map(lamps_in);
        self.must(is == Some((parked, pbx)), |_| {
            format!("{name}'s lamp for {user} shows {is:?} and not {parked}, {pbx}: {last:?}")
        })
    }

    /// The versions of what somebody was told of `user` rise one by one (RFC 4235 §4.1.1).
    #[track_caller]
    pub fn versions_rise(&mut self, name: &str, user: &str) -> &mut World {
        let bodies = self.phone(name).watched(user).unwrap_or_default();
        let bodies = || bodies.iter().filter(|body| !body.is_empty());
        let versions: Vec<u64> = bodies().filter_map(|body| version_in(body)).collect();
        let rise = versions.windows(2).all(|pair| pair[1] == pair[0] + 1);
        let whole = versions.len() == bodies().count();
        self.must(rise && whole, |_| format!("{name} was told versions {versions:?} of {user}"))
    }

    /// Every lamp for a slot, a lot or an extension shows as many parked calls as wait there, and who
    /// has subscribed to what is parked for an extension is told of exactly that.
    #[track_caller]
    pub fn lamps_equal_lots(&mut self) -> &mut World {
        let parked = self.parked_calls();
        let names: Vec<String> = self.seats.iter().map(|seat| seat.name.clone()).collect();
        for name in names {
            // One that has gone out of the house's sight shows what it showed.
            if !self.phone(&name).is_registered() {
                continue;
            }
            let owned = |(event, user, body): (&str, &str, &str)| {
                (event.to_owned(), user.to_owned(), body.to_owned())
            };
            let shown: Vec<_> = self.phone(&name).watches().map(owned).collect();
            for (event, user, body) in shown {
                match event.as_str() {
                    "dialog" => {
                        let there = parked.iter().filter(|call| self.is_at(call, &user)).count();
                        let there = there.min(MOST_TOLD);
                        let is = lamps_in(&body).0;
                        self.must(is == there, |_| {
                            format!("{name}'s lamp for {user} shows {is} of {there} calls: {body}")
                        });
                    }
                    "call-info" if body.contains("callpark-info") => {
                        self.tells_of_line(&name, "list", &user, &body);
                    }
                    _ => {}
                }
            }
        }
        self
    }

    /// Whether a call waits at what a key is set to: a slot, an extension, a code with one of them, or
    /// the number of the whole lot.
    fn is_at(&self, call: &ParkedView, user: &str) -> bool {
        let lot = self.settings.lots.iter().find(|lot| lot.name.as_str() == call.at.lot);
        let codes = lot.map(|lot| [lot.retrieve.as_str(), lot.park.as_str()]);
        let user = user.strip_prefix("park+").unwrap_or(user);
        let behind = |code: &str| user.strip_prefix(code) == Some(call.at.slot.as_str());
        call.at.slot == user
            || lot.is_some_and(|lot| {
                lot.any_slot.as_deref() == Some(user) && is_in_ranges(&lot.slots, &call.at.slot)
            })
            || codes.is_some_and(|codes| codes.into_iter().any(behind))
    }

    /// Somebody has had this many park-info notices.
    #[track_caller]
    pub fn had_notices(&mut self, name: &str, wanted: usize) -> &mut World {
        let notices = self.phone(name).notices();
        let is = notices.iter().filter(|notice| notice.event == "park-info").count();
        self.must(is == wanted, |_| format!("{name} had {is} notices and not {wanted}"))
    }

    /// The latest errand with this method was answered with this status.
    #[track_caller]
    pub fn answered_with(&mut self, name: &str, method: &str, status: u16) -> &mut World {
        let is = self.phone(name).latest_errand(method).map(|answer| answer.status());
        self.must(is == Some(status), |_| {
            format!("{name}'s {method} was answered with {is:?} and not {status}")
        })
    }

    /// How much is in the house.
    #[track_caller]
    pub fn counts(&mut self) -> Counts {
        match self.command(Command::Counts) {
            Reply::Counts(counts) => counts,
            _ => self.fail("no counts"),
        }
    }

    /// The facts that the house has told, newest last.
    pub fn facts(&self) -> impl DoubleEndedIterator<Item = &Fact> {
        self.told.iter().map(|(_, told)| &told.fact)
    }

    /// The house has told a fact that fits.
    #[track_caller]
    pub fn was_told(&mut self, fits: impl Fn(&Fact) -> bool) -> &mut World {
        let found = self.facts().any(fits);
        self.must(found, |world| {
            let told: Vec<String> = world.facts().map(ToString::to_string).collect();
            format!("what should be told was not; told were {told:?}")
        })
    }

    /// How things stand: equal endings have equal words, whatever happened on the way.
    pub fn standing(&mut self) -> String {
        let mut lines = Vec::new();
        let names: Vec<String> = self.seats.iter().map(|seat| seat.name.clone()).collect();
        let real = std::mem::replace(&mut self.real_media, false);
        for name in &names {
            let heard = self.heard_by(name);
            let phone = self.phone(name);
            let mut states: Vec<String> = phone
                .calls()
                .iter()
                .filter(|call| call.is_alive())
                .map(|call| format!("{:?}{}", call.state, if call.holds() { " held" } else { "" }))
                .collect();
            states.sort();
            let shown = phone.parked_shown().is_some();
            lines.push(format!("{name}: {states:?}, hears {heard:?}, shows parked: {shown}"));
        }
        self.real_media = real;
        let mut slots: Vec<String> = self
            .parked_calls()
            .into_iter()
            .map(|v| format!("{} {}", v.at.slot, v.parked.parkee))
            .collect();
        slots.sort();
        lines.push(format!("parked: {slots:?}"));
        lines.join("\n")
    }
}

/// How many living dialogs a body has: of ours, which have a Call-ID here, and of the PBX's.
fn lamps_in(body: &str) -> (usize, usize) {
    let dialogs = body.split("<dialog ").skip(1);
    let theirs = dialogs.filter(|text| !is_ours(text) && !text.contains(">terminated<"));
    (calls_in(body), theirs.count())
}

fn version_in(body: &str) -> Option<u64> {
    let root = body.split("<dialog-info").nth(1)?;
    root.split("version=\"").nth(1)?.split('"').next()?.parse().ok()
}
