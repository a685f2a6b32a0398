//! Who may speak into one port of a pair, and so where that port's answers go (symmetric RTP,
//! RFC 4961): the first guarded address that sends is latched; nobody else is heard.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base::Moment;

/// How long the latched source must have been silent before another address of the same guard may
/// take its place: longer than any packet spacing, shorter than a listener's patience.
const SILENCE: Duration = Duration::from_millis(300);

/// The source of one port.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Latch {
    source: Option<SocketAddr>,
    /// Since when that is the source.
    since: Moment,
    heard_at: Moment,
    /// The source before the far side signalled another address, and until when it is only heard
    /// but not latched: what is still under way from there must not draw the stream back.
    former: Option<(SocketAddr, Moment)>,
}

/// What a latch says to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is heard.
    Heard,
    /// It is heard, and from now on this is the source.
    Latched,
    /// It is not heard.
    Refused,
}

impl Latch {
    /// Where the source is, once it has spoken.
    pub(crate) fn source(&self) -> Option<SocketAddr> {
        self.source
    }

    /// When it was last heard.
    pub(crate) fn heard_at(&self) -> Moment {
        self.heard_at
    }

    /// It has been heard, by somebody else.
    pub(crate) fn hear(&mut self, now: Moment) {
        self.heard_at = now;
    }

    /// The source, if it has been the same for so long and nothing else is under way.
    pub(crate) fn settled(&self, now: Moment, calm: Duration) -> Option<SocketAddr> {
        self.source.filter(|_| now.since(self.since) >= calm)
    }

    /// Judges a packet that came from `from`, an address in canonical form. The signalled address
    /// latches at once, any other address of the guard as soon as the source is silent.
    pub(crate) fn admit(
        &mut self,
        now: Moment,
        from: SocketAddr,
        guard: &[IpAddr],
        signalled: Option<SocketAddr>,
    ) -> Admission {
        if self.source == Some(from) {
            self.heard_at = now;
            return Admission::Heard;
        }
        if !guard.contains(&from.ip()) {
            return Admission::Refused;
        }
        if self.former.is_some_and(|(former, until)| former == from && now < until) {
            return Admission::Heard;
        }
        let speaking = self.source.is_some() && now.since(self.heard_at) < SILENCE;
        if speaking && signalled != Some(from) {
            return Admission::Refused;
        }
        *self = Latch { source: Some(from), since: now, heard_at: now, former: None };
        Admission::Latched
    }

    /// The far side has signalled another address: the source is learnt anew.
    pub(crate) fn learn_anew(&mut self, now: Moment) {
        let former = self.source.map(|source| (source, now + SILENCE));
        *self = Latch { former, ..Latch::default() };
    }
}

/// The address with an IPv4 address mapped into IPv6 taken out of it, so that one peer has one form.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::new(IpAddr::V4(v4), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// The address if something can be sent to it: a hold of RFC 2543 says `0.0.0.0`, a refused stream
/// port 0.
pub(crate) fn reachable(address: Option<SocketAddr>) -> Option<SocketAddr> {
    address.map(canonical).filter(|a| !a.ip().is_unspecified() && a.port() != 0)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};
    use std::time::Duration;

    use base::Moment;

    use super::{Admission, Latch, canonical, reachable};

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn guard() -> Vec<IpAddr> {
        vec!["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()]
    }

    fn ms(ms: u64) -> Moment {
        Moment::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn the_first_guarded_address_latches_and_a_stranger_never_does() {
        let mut latch = Latch::default();
        assert_eq!(latch.admit(ms(0), at("198.51.100.9:4000"), &guard(), None), Admission::Refused);
        assert_eq!(latch.admit(ms(0), at("192.0.2.1:4000"), &guard(), None), Admission::Latched);
        assert_eq!(latch.admit(ms(20), at("192.0.2.1:4000"), &guard(), None), Admission::Heard);
        assert_eq!(latch.source(), Some(at("192.0.2.1:4000")));
    }

    #[test]
    fn a_second_guarded_address_waits_until_the_first_is_silent() {
        let mut latch = Latch::default();
        latch.admit(ms(0), at("192.0.2.1:4000"), &guard(), None);
        assert_eq!(latch.admit(ms(299), at("192.0.2.2:1"), &guard(), None), Admission::Refused);
        assert_eq!(latch.admit(ms(300), at("192.0.2.2:1"), &guard(), None), Admission::Latched);
    }

    #[test]
    fn the_signalled_address_need_not_wait() {
        let mut latch = Latch::default();
        let signalled = at("192.0.2.2:4000");
        latch.admit(ms(0), at("192.0.2.1:4000"), &guard(), Some(signalled));
        assert_eq!(latch.admit(ms(1), signalled, &guard(), Some(signalled)), Admission::Latched);
    }

    #[test]
    fn packets_under_way_from_the_old_address_are_heard_but_do_not_latch() {
        let mut latch = Latch::default();
        let (old, new) = (at("192.0.2.1:4000"), at("192.0.2.1:5000"));
        latch.admit(ms(0), old, &guard(), None);
        latch.learn_anew(ms(10));
        assert_eq!(latch.admit(ms(15), old, &guard(), Some(new)), Admission::Heard);
        assert_eq!(latch.source(), None);
        assert_eq!(latch.admit(ms(30), new, &guard(), Some(new)), Admission::Latched);
        assert_eq!(latch.admit(ms(31), old, &guard(), Some(new)), Admission::Refused);
    }

    #[test]
    fn a_peer_that_stays_where_it_was_latches_again_after_a_while() {
        let mut latch = Latch::default();
        let old = at("192.0.2.1:4000");
        latch.admit(ms(0), old, &guard(), None);
        latch.learn_anew(ms(10));
        assert_eq!(latch.admit(ms(310), old, &guard(), None), Admission::Latched);
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address_and_nowhere_is_not_reachable() {
        assert_eq!(canonical(at("[::ffff:192.0.2.1]:9")), at("192.0.2.1:9"));
        assert_eq!(reachable(Some(at("0.0.0.0:4000"))), None);
        assert_eq!(reachable(Some(at("192.0.2.1:0"))), None);
        assert_eq!(reachable(Some(at("192.0.2.1:9"))), Some(at("192.0.2.1:9")));
    }
}
