//! The way to the PBX: its targets in order of preference, their addresses, and which of them has
//! kept silent lately (RFC 3263 §4.3).

use std::net::IpAddr;
use std::time::Duration;

use base::{Flow, Moment};

use crate::settings::{Network, Settings};

/// How often names are looked up again.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// How soon, when a name led nowhere.
pub(crate) const LOOK_SOON: Duration = Duration::from_secs(5);

#[derive(Debug, Default, Clone)]
struct Target {
    uri: String,
    hops: Vec<Flow>,
    /// The last look-up led nowhere.
    lost: bool,
}

/// The PBX's targets and their addresses.
#[derive(Debug, Default)]
pub(crate) struct Uplink {
    targets: Vec<Target>,
    silent: Vec<(Flow, Moment)>,
}

impl Uplink {
    /// The targets as configured; nothing is resolved yet.
    pub(crate) fn new(settings: &Settings) -> Uplink {
        let target = |uri: &String| Target { uri: uri.clone(), ..Target::default() };
        Uplink { targets: settings.pbx_targets.iter().map(target).collect(), silent: Vec::new() }
    }

    /// The URIs, by number.
    pub(crate) fn uris(&self) -> impl Iterator<Item = (usize, &str)> {
        self.targets.iter().enumerate().map(|(number, target)| (number, target.uri.as_str()))
    }

    /// The URI of one target.
    pub(crate) fn uri(&self, number: usize) -> Option<&str> {
        self.targets.get(number).map(|target| target.uri.as_str())
    }

    /// Where a target has been found to be. An empty answer leaves what was known; says whether that is
    /// news.
    pub(crate) fn resolved(&mut self, number: usize, hops: Vec<Flow>) -> bool {
        let Some(target) = self.targets.get_mut(number) else { return false };
        let was_lost = std::mem::replace(&mut target.lost, hops.is_empty());
        if !hops.is_empty() {
            target.hops = hops;
        }
        target.lost && !was_lost
    }

    /// The hops to try, best first: those that have kept silent lately come last.
    pub(crate) fn hops(&self, now: Moment) -> Vec<Flow> {
        let rests =
            |hop: &Flow| self.silent.iter().any(|(flow, until)| flow == hop && *until > now);
        let all = || self.targets.iter().flat_map(|target| target.hops.iter().copied());
        let awake = all().filter(|hop| !rests(hop));
        awake.chain(all().filter(|hop| rests(hop))).collect()
    }

    /// The URI of the target that a hop belongs to.
    pub(crate) fn target_of(&self, hop: &Flow) -> Option<&str> {
        let target = self.targets.iter().find(|target| target.hops.contains(hop))?;
        Some(&target.uri)
    }

    /// This hop has kept silent: it is passed over for `rest`.
    pub(crate) fn fell_silent(&mut self, hop: Flow, now: Moment, rest: Duration) {
        self.silent.retain(|(flow, until)| *flow != hop && *until > now);
        self.silent.push((hop, now + rest));
    }

    /// This hop has answered.
    pub(crate) fn spoke(&mut self, hop: &Flow) {
        if !self.silent.is_empty() {
            self.silent.retain(|(flow, _)| flow != hop);
        }
    }

    /// Whether `address` may speak on the PBX's side.
    pub(crate) fn trusts(&self, address: IpAddr, trusted: Option<&[Network]>) -> bool {
        match trusted {
            Some(networks) => networks.iter().any(|network| network.contains(address)),
            None => self
                .targets
                .iter()
                .flat_map(|target| &target.hops)
                .any(|hop| hop.peer.ip().to_canonical() == address.to_canonical()),
        }
    }
}
