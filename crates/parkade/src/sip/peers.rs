//! By which names the addresses of the PBX are known, which its certificates must have (RFC 5922 §4).

use std::net::SocketAddr;

/// The hosts of the targets, and where each was found to be.
#[derive(Debug, Default)]
pub(super) struct Peers {
    targets: Vec<(String, Vec<SocketAddr>)>,
}

impl Peers {
    /// A target has been found to be there.
    pub(super) fn learn(&mut self, target: usize, host: &str, at: Vec<SocketAddr>) {
        if self.targets.len() <= target {
            self.targets.resize_with(target + 1, Default::default);
        }
        if let Some(known) = self.targets.get_mut(target)
            && !at.is_empty()
        {
            *known = (host.to_owned(), at);
        }
    }

    /// The hosts for any of which a certificate must be there, the one to be asked for first. An address
    /// that a Contact or a Route of the PBX names, and that is no target's, may be any host of the PBX.
    pub(super) fn hosts(&self, peer: SocketAddr) -> Vec<String> {
        let found = |fits: &dyn Fn(&SocketAddr) -> bool| -> Vec<String> {
            let there = self.targets.iter().filter(|(_, at)| at.iter().any(fits));
            there.map(|(host, _)| host.clone()).collect()
        };
        let exact = found(&|at| *at == peer);
        if !exact.is_empty() {
            return exact;
        }
        let alike = found(&|at| at.ip() == peer.ip());
        if !alike.is_empty() {
            return alike;
        }
        let all = self.targets.iter().map(|(host, _)| host.clone());
        std::iter::once(peer.ip().to_string()).chain(all).filter(|host| !host.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_the_name_of_its_target_and_a_stranger_any_or_its_own_address() {
        let mut peers = Peers::default();
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        peers.learn(1, "b.example", vec![at("192.0.2.2:5061")]);
        peers.learn(0, "a.example", vec![at("192.0.2.1:5061"), at("192.0.2.2:5071")]);
        // Nothing found leaves what was known.
        peers.learn(1, "b.example", Vec::new());
        assert_eq!(peers.hosts(at("192.0.2.1:5061")), ["a.example"]);
        assert_eq!(peers.hosts(at("192.0.2.2:5061")), ["b.example"]);
        assert_eq!(peers.hosts(at("192.0.2.2:9")), ["a.example", "b.example"]);
        assert_eq!(peers.hosts(at("192.0.2.9:5061")), ["192.0.2.9", "a.example", "b.example"]);
    }
}
