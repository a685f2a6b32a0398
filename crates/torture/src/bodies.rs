//! What phones say in bodies: INFO, and XML.

use bytes::Bytes;
use dialects::{
    InfoAsk, InfoMatcher, InfoRule, InfoVerb, LampState, ParkedDialog, RemoteCc,
    dialog_info_version, info_status, weave,
};
use sip_msg::Message;

use crate::bytes::Choices;

const INFO_TYPES: [&str; 6] = [
    "application/json",
    "application/dtmf-relay",
    "application/dtmf",
    "application/x-broadworks-callpark-info+xml",
    "text/plain",
    "application/x-desk",
];

fn request(method: &str, kind: &str, body: &[u8]) -> Option<Message> {
    let head = format!(
        "{method} sip:x@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx\r\n\
         From: <sip:103@a>;tag=1\r\nTo: <sip:105@a>;tag=2\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\
         Max-Forwards: 70\r\nRefer-To: <cid:p@a>\r\nContact: <sip:103@192.0.2.9>\r\nContent-Type: {kind}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    Message::read(Bytes::from([head.as_bytes(), body].concat())).ok()
}

/// An INFO body: the first byte says of which type, another rule of the configuration reads it too.
///
/// # Panics
/// If a promise is broken.
pub fn info(bytes: &[u8]) {
    let mut choices = Choices::of(bytes);
    let Some(kind) = choices.one(&INFO_TYPES) else { return };
    let Some(request) = request("INFO", kind, &bytes[1..]) else { return };
    let rule = InfoRule {
        content_type: "application/x-desk".into(),
        package: None,
        pointer: None,
        equals: None,
        regex: Some("^park ([0-9]+)$".into()),
        slot: Some("1".into()),
        asks: InfoVerb::Park,
    };
    let rules: Vec<InfoMatcher> = InfoMatcher::new(&rule).into_iter().collect();
    assert_eq!(rules.len(), 1);
    if let Err(bad) = InfoAsk::read(&request, &rules) {
        assert!((400..500).contains(&bad.status));
    }
    let _ = info_status(&request);
}

/// XML of Cisco's phones, and the dialogs that a PBX tells, into which ours are woven.
///
/// # Panics
/// If a promise is broken.
pub fn xml(bytes: &[u8]) {
    if let Some(request) = request("REFER", "application/x-cisco-remotecc-request+xml", bytes)
        && let Err(bad) = RemoteCc::read(&request)
    {
        assert!((400..500).contains(&bad.status));
    }
    let _ = dialog_info_version(bytes);
    let parked: [ParkedDialog; 0] = [];
    if let Some(woven) = weave(bytes, Some(7), LampState::Early, &parked) {
        assert!(woven.len() < bytes.len() + 64);
        assert!(
            weave(&woven, None, LampState::Early, &parked).is_some(),
            "understood once, not twice"
        );
    }
}
