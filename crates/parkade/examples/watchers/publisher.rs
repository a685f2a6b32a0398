//! Whoever tells a presence server that a call is parked, and that it is parked no more.

use std::net::SocketAddr;
use std::time::Instant;

use sip_msg::{Compose, Message, Name};

use crate::phones::{DOMAIN, LOT};
use crate::wire::Wire;

/// One publication (RFC 3903), changed again and again.
pub(crate) struct Publisher {
    server: SocketAddr,
    socket: usize,
    tag: Option<String>,
    /// The final answer to the last PUBLISH.
    pub(crate) answered: Option<(u16, Instant)>,
}

impl Publisher {
    pub(crate) fn new(wire: &mut Wire, server: SocketAddr) -> Publisher {
        Publisher { server, socket: wire.open(None), tag: None, answered: None }
    }

    /// As Parkade tells of one parked call, or of none.
    pub(crate) fn publish(&mut self, wire: &mut Wire, parked: bool) {
        self.answered = None;
        let number = wire.next_number();
        let who = format!("<sip:{LOT}@{DOMAIN}>");
        let mut draft = Compose::request("PUBLISH", &format!("sip:{LOT}@{DOMAIN}"))
            .line(Name::From, format!("{who};tag=p{number}"))
            .line(Name::To, who)
            .line(Name::CallId, format!("publication{number}"))
            .line(Name::CSeq, format!("{number} PUBLISH"))
            .line(Name::MaxForwards, "70")
            .line(Name::Event, "dialog")
            .line(Name::Expires, "3600");
        // One that has ended cannot be changed: the next begins anew.
        if let Some(tag) = self.tag.take_if(|_| !parked) {
            draft = draft.other("SIP-If-Match", &tag);
        }
        let draft = draft.body("application/dialog-info+xml", body(parked)).finish();
        let bytes = wire.request(self.socket, &draft);
        wire.send(self.socket, self.server, &bytes);
    }

    pub(crate) fn hear(&mut self, message: &Message) {
        if !message.is_request() && message.status() >= 200 {
            assert_eq!(message.status(), 200, "{message:?}");
            self.tag = message.other("SIP-ETag").map(str::to_string);
            self.answered = Some((200, Instant::now()));
        }
    }
}

fn body(parked: bool) -> String {
    let state = if parked { "confirmed" } else { "terminated" };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"0\" state=\"full\" \
         entity=\"sip:{LOT}@{DOMAIN}\">\r\n\
         \x20 <dialog id=\"p1\" call-id=\"p1\" local-tag=\"p1-p\" remote-tag=\"p1-w\" direction=\"recipient\">\r\n\
         \x20   <state>{state}</state>\r\n\
         \x20   <local>\r\n\
         \x20     <identity display=\"Park 701\">sip:701@{DOMAIN}</identity>\r\n\
         \x20     <target uri=\"sip:701@{DOMAIN}\"><param pname=\"+sip.rendering\" pvalue=\"no\"/></target>\r\n\
         \x20   </local>\r\n\
         \x20   <remote>\r\n\
         \x20     <identity>sip:200@{DOMAIN}</identity>\r\n\
         \x20     <target uri=\"sip:701@{DOMAIN}\"/>\r\n\
         \x20   </remote>\r\n\
         \x20 </dialog>\r\n\
         </dialog-info>\r\n"
    )
}
