//! Other readers say the same of plain messages and descriptions.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use rsip::prelude::{HasHeaders, HeadersExt, ToTypedHeader, UntypedHeader};
use sip_msg::{Compose, Description, Direction, Edit, Message, Name, Rewrite};
use webrtc_sdp::attribute_type::SdpAttributeType;
use webrtc_sdp::parse_sdp;

const INVITE: &str = include_str!("../benches/invite.txt");

fn invite() -> String {
    INVITE.replace('\n', "\r\n")
}

// Both readers on the same bytes.
fn both(bytes: Bytes) -> (Message, rsip::SipMessage) {
    let theirs = rsip::SipMessage::try_from(&bytes[..]).unwrap();
    (Message::read(bytes).unwrap(), theirs)
}

fn same(ours: &Message, theirs: &rsip::SipMessage) {
    assert_eq!(ours.call_id(), theirs.call_id_header().unwrap().value());
    let cseq = theirs.cseq_header().unwrap().typed().unwrap();
    assert_eq!(ours.cseq(), (cseq.seq, &*cseq.method.to_string()));
    let from = theirs.from_header().unwrap().typed().unwrap();
    assert_eq!(ours.from_tag(), from.tag().map(|tag| tag.value()));
    assert_eq!(ours.from().uri(), from.uri.to_string());
    let to = theirs.to_header().unwrap().typed().unwrap();
    assert_eq!(ours.to_tag(), to.tag().map(|tag| tag.value()));
    let via = theirs.via_header().unwrap().typed().unwrap();
    assert_eq!(ours.via().branch(), via.branch().map(|branch| branch.value()));
    assert_eq!(ours.via().transport(), via.transport.to_string());
    assert_eq!(ours.body(), theirs.body());
}

#[test]
fn rsip_reads_the_same_from_what_came_and_from_what_goes_out() {
    let (ours, theirs) = both(invite().into());
    same(&ours, &theirs);
    assert_eq!(ours.lines().count(), theirs.headers().iter().count());
    let via = ["SIP/2.0/UDP 198.51.100.1:5080;branch=z9hG4bKx"];
    let edit = Edit::of(&ours)
        .request_line("sip:105@192.0.2.50")
        .set(Name::Contact, "<sip:t@198.51.100.1>")
        .set(Name::MaxForwards, "69")
        .finish();
    let (edited, theirs) = both(edit.with_vias(&via));
    same(&edited, &theirs);
    assert_eq!(edited.uri(), "sip:105@192.0.2.50");
    let answer = Compose::response_to(&ours, 486, None).to_tag("t").finish();
    let (answer, theirs) = both(answer.with_vias(&via));
    same(&answer, &theirs);
    assert_eq!(answer.status(), 486);
}

#[test]
fn webrtc_sdp_reads_the_rewritten_description() {
    let message = Message::read(invite().into()).unwrap();
    let sdp = message.sdp().unwrap();
    let description = Description::read(&sdp).unwrap();
    let new = Rewrite::of(&description)
        .anchor(0, "2001:db8::7".parse().unwrap(), 30000)
        .direction(0, Direction::SendOnly)
        .finish();
    let before = parse_sdp(std::str::from_utf8(&sdp).unwrap(), false).unwrap();
    let after = parse_sdp(std::str::from_utf8(&new).unwrap(), false).unwrap();
    let (before, after) = (&before.media[0], &after.media[0]);
    assert_eq!(after.get_port(), 30000);
    assert_eq!(before.get_formats().to_string(), after.get_formats().to_string());
    assert!(after.get_attribute(SdpAttributeType::Sendonly).is_some());
    assert!(after.get_attribute(SdpAttributeType::Sendrecv).is_none());
    assert_eq!(
        before.get_attributes_of_type(SdpAttributeType::Rtpmap).len(),
        after.get_attributes_of_type(SdpAttributeType::Rtpmap).len()
    );
    let ours = Description::read(&new).unwrap();
    assert_eq!(ours.media()[0].connection_ip(), "2001:db8::7".parse().ok());
}
