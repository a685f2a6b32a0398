//! Which media of a leg we can read, and with which keys: found in the two descriptions that the leg has
//! exchanged (SDES, RFC 4568). Legs that share their keys are left to themselves.

use rtp_flow::{Master, Srtp, StreamKind, Suite};
use sip_msg::{Crypto, Description, Media};

use crate::calls::describe::Sdp;
use crate::calls::leg::Leg;
use crate::calls::media::Stream;
use crate::house::House;
use crate::keys::LegKey;

/// What two descriptions of one media line agree on.
#[derive(Debug, PartialEq, Eq)]
enum Agreed {
    /// RTP in the clear.
    Plain,
    /// SRTP by these keys.
    Keyed(Srtp),
    /// What we cannot read: keys by DTLS, another suite, no RTP.
    Unread,
    /// Nothing yet: an offer is open.
    Open,
}

/// The key of a line, if it can be used here.
pub(crate) fn master_of(line: &Crypto<'_>) -> Option<Master> {
    let key = line.key?;
    Master::new(Suite::by_name(line.suite)?, &key.bytes()?, &key.mki_bytes()?).ok()
}

/// The lines by which both ends have agreed: the answer has one, which names the offer's by its tag.
fn common<'a, 'b>(
    received: &'a Media<'_>,
    sent: &'b Media<'_>,
    is_first: bool,
) -> Option<(&'a Crypto<'a>, &'b Crypto<'b>)> {
    let (theirs, ours) = (&received.cryptos, &sent.cryptos);
    if theirs.len() > 1 && ours.len() > 1 && !is_first {
        // Two offers: the one that was answered is not there any more.
        return None;
    }
    theirs.iter().find_map(|line| {
        let same = |other: &&Crypto<'_>| {
            other.tag == line.tag && other.suite.eq_ignore_ascii_case(line.suite)
        };
        Some((line, ours.iter().find(same)?))
    })
}

fn agreed(received: &Media<'_>, sent: Option<&Media<'_>>, is_first: bool) -> Agreed {
    if !received.is_rtp() {
        return Agreed::Unread;
    }
    let Some(sent) = sent else {
        return if received.is_plain_rtp() { Agreed::Plain } else { Agreed::Open };
    };
    if let Some((theirs, ours)) = common(received, sent, is_first) {
        return match (master_of(theirs), master_of(ours)) {
            (Some(inbound), Some(outbound)) => Agreed::Keyed(Srtp { inbound, outbound }),
            _ => Agreed::Unread,
        };
    }
    if received.is_by_dtls() && sent.is_by_dtls() {
        return Agreed::Unread;
    }
    match (received.is_secure_rtp(), sent.is_secure_rtp()) {
        (false, false) => Agreed::Plain,
        _ => Agreed::Open,
    }
}

/// Takes note of what a leg's descriptions agree on by now.
pub(crate) fn settle(house: &mut House, key: LegKey) {
    let Some(leg) = house.legs.get(key).filter(|leg| has_keys(leg)) else { return };
    let Some(received) = leg.media.received.clone() else { return };
    let sent = leg.media.sent.clone();
    let Some(received) = Sdp::read(&received) else { return };
    let sent = sent.as_deref().and_then(Sdp::read);
    let sent: &[Media<'_>] = sent.as_ref().map_or(&[], |sdp| sdp.description.media());
    let Some(leg) = house.legs.get_mut(key) else { return };
    for (index, media) in received.description.media().iter().enumerate() {
        let stream = leg.media.stream(index);
        match agreed(media, sent.get(index), stream.srtp.is_none()) {
            Agreed::Plain => (stream.is_rtp, stream.srtp) = (true, None),
            Agreed::Keyed(srtp) => (stream.is_rtp, stream.srtp) = (true, Some(Box::new(srtp))),
            Agreed::Unread => (stream.is_rtp, stream.srtp) = (false, None),
            Agreed::Open => stream.is_rtp = stream.srtp.is_some(),
        }
    }
}

/// Whether any word about keys has been exchanged on a leg: most have none, and cost nothing.
fn has_keys(leg: &Leg) -> bool {
    let said = |sdp: &Option<bytes::Bytes>| {
        sdp.as_ref().is_some_and(|sdp| memchr::memmem::find(sdp, b"a=crypto").is_some())
    };
    leg.media.streams.iter().any(|stream| stream.srtp.is_some())
        || said(&leg.media.received)
        || said(&leg.media.sent)
}

/// How the packets of a leg's media line are to be treated. What its partner shares the keys of is
/// nobody else's, unless it is `watched`.
pub(crate) fn treatment(
    house: &House,
    leg: &Leg,
    index: usize,
    watched: bool,
) -> (StreamKind, Option<Box<Srtp>>) {
    let stream = &leg.media.streams[index];
    if !stream.is_rtp {
        return (StreamKind::Opaque, None);
    }
    let partner = leg.partner().and_then(|key| house.legs.get(key));
    let other = partner.and_then(|other| other.media.streams.get(index));
    if !watched && other.is_some_and(|other| share_keys(stream, other)) {
        return (StreamKind::Opaque, None);
    }
    (StreamKind::Rtp, stream.srtp.clone())
}

/// Whether nothing may be sent to a leg: it must be encrypted, and its far end has named no key for it. What
/// the other leg says is in the clear by then.
pub(crate) fn is_mute(leg: &Leg, stream: &Stream) -> bool {
    (leg.media.ends_here || leg.joined) && stream.is_audio && !stream.is_rtp
}

fn share_keys(one: &Stream, other: &Stream) -> bool {
    match (&one.srtp, &other.srtp) {
        (Some(one), Some(other)) => one.inbound == other.outbound && one.outbound == other.inbound,
        _ => false,
    }
}

/// Whether music can be given to the audio of a leg: in the clear, or by keys that we know.
pub(crate) fn can_be_read(leg: &Leg, received: &Description<'_>) -> bool {
    let sent = leg.media.sent.as_deref().and_then(Sdp::read);
    let sent: &[Media<'_>] = sent.as_ref().map_or(&[], |sdp| sdp.description.media());
    let Some((index, media)) = received.audio() else { return false };
    let known = leg.media.streams.get(index).is_some_and(|stream| stream.srtp.is_some());
    match agreed(media, sent.get(index), !known) {
        Agreed::Plain | Agreed::Keyed(_) => true,
        Agreed::Unread => false,
        Agreed::Open => known,
    }
}

#[cfg(test)]
mod tests {
    use rtp_flow::Suite;
    use sip_msg::{Description, crypto_line};

    use super::{Agreed, agreed};

    fn said(proto: &str, lines: &[(u32, Suite, u8)]) -> String {
        let mut text = format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\nm=audio 9 {proto} 0\r\n");
        for (tag, suite, byte) in lines {
            let key = vec![*byte; suite.key_len() + suite.salt_len()];
            text += &format!("{}\r\n", crypto_line(*tag, suite.name(), &key));
        }
        text
    }

    fn between(received: &str, sent: Option<&str>, is_first: bool) -> Agreed {
        let received = Description::read(received.as_bytes()).unwrap();
        let sent = sent.map(|sent| Description::read(sent.as_bytes()).unwrap());
        agreed(&received.media()[0], sent.as_ref().map(|sent| &sent.media()[0]), is_first)
    }

    const LONG: Suite = Suite::AesCm128HmacSha1_80;
    const GCM: Suite = Suite::AeadAes128Gcm;

    #[test]
    fn the_answers_tag_says_which_keys_hold() {
        let offer = said("RTP/SAVP", &[(1, GCM, 1), (2, LONG, 2)]);
        let answer = said("RTP/SAVP", &[(2, LONG, 3)]);
        for (received, sent, inbound) in [(&offer, &answer, 2), (&answer, &offer, 3)] {
            let Agreed::Keyed(srtp) = between(received, Some(sent), true) else { panic!() };
            assert_eq!((srtp.inbound.suite(), srtp.inbound.key_and_salt()[0]), (LONG, inbound));
            assert_eq!(srtp.outbound.key_and_salt()[0], 5 - inbound);
        }
        assert_eq!(between(&offer, None, true), Agreed::Open);
        let other = said("RTP/SAVP", &[(2, GCM, 3)]);
        assert_eq!(between(&offer, Some(&other), true), Agreed::Open, "another suite by that tag");
        assert_eq!(between(&offer, Some(&offer), false), Agreed::Open, "two offers");
    }

    #[test]
    fn keys_that_are_offered_and_not_taken_leave_it_plain_but_never_where_they_must_be() {
        let optional = said("RTP/AVP", &[(1, LONG, 1)]);
        let plain = said("RTP/AVP", &[]);
        assert_eq!(between(&optional, Some(&plain), true), Agreed::Plain);
        assert_eq!(between(&plain, Some(&optional), true), Agreed::Plain);
        assert!(matches!(between(&optional, Some(&optional), true), Agreed::Keyed(_)));
        let secure = said("RTP/SAVP", &[(1, LONG, 1)]);
        assert_eq!(between(&plain, Some(&secure), true), Agreed::Open);
        assert_eq!(between(&secure, Some(&plain), true), Agreed::Open);
    }

    #[test]
    fn what_is_keyed_by_dtls_or_by_a_suite_that_is_not_spoken_here_is_not_read() {
        let dtls = said("UDP/TLS/RTP/SAVPF", &[]);
        assert_eq!(between(&dtls, Some(&dtls), true), Agreed::Unread);
        let foreign = said("RTP/SAVP", &[(1, LONG, 1)]).replace("AES_CM_128", "F8_128");
        assert_eq!(between(&foreign, Some(&foreign), true), Agreed::Unread);
    }
}
