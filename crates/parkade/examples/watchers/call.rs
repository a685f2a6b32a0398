//! The call that is parked: the parker's phone and the PBX, both ends of Parkade.

use std::net::SocketAddr;
use std::time::Instant;

use sip_msg::{Compose, Message, Name};

use crate::phones::DOMAIN;
use crate::wire::Wire;

/// The parker.
const PARKER: &str = "103";

/// Both ends of one call after another.
pub(crate) struct Call {
    server: SocketAddr,
    phone: usize,
    pbx: usize,
    /// Nobody listens to the music.
    media: u16,
    registered: bool,
    /// The answer to the parker's INVITE.
    phones_side: Option<Message>,
    /// The INVITE as the PBX has got it, and who has sent it.
    pbxs_side: Option<(SocketAddr, Message)>,
    number: u64,
    cseq: u32,
    /// The final answer to what has changed the state.
    pub(crate) answered: Option<(u16, Instant)>,
}

impl Call {
    pub(crate) fn new(wire: &mut Wire, server: SocketAddr, pbx: SocketAddr) -> Call {
        let (phone, pbx, media) = (wire.open(None), wire.open(Some(pbx)), wire.open(None));
        Call {
            server,
            phone,
            pbx,
            media: wire.address(media).port(),
            registered: false,
            phones_side: None,
            pbxs_side: None,
            number: 0,
            cseq: 1,
            answered: None,
        }
    }

    fn sdp(&self, wire: &Wire, socket: usize) -> String {
        let ip = wire.address(socket).ip();
        format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio {} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n",
            self.media
        )
    }

    fn of_parker(&self, wire: &Wire, method: &str, uri: &str, cseq: u32) -> Compose {
        Compose::request(method, uri)
            .line(Name::From, format!("<sip:{PARKER}@{DOMAIN}>;tag=parker{}", self.number))
            .line(Name::CallId, format!("parker{}", self.number))
            .line(Name::CSeq, format!("{cseq} {method}"))
            .line(Name::Contact, format!("<sip:{PARKER}@{}>", wire.address(self.phone)))
            .line(Name::MaxForwards, "70")
    }

    /// The parker registers if it has not, and calls somebody outside.
    pub(crate) fn dial(&mut self, wire: &mut Wire) {
        self.number = wire.next_number();
        self.cseq = 1;
        (self.phones_side, self.pbxs_side) = (None, None);
        let draft = if self.registered {
            let body = self.sdp(wire, self.phone);
            self.of_parker(wire, "INVITE", &format!("sip:200@{DOMAIN}"), 1)
                .line(Name::To, format!("<sip:200@{DOMAIN}>"))
                .body("application/sdp", body)
        } else {
            self.of_parker(wire, "REGISTER", &format!("sip:{DOMAIN}"), 1)
                .line(Name::To, format!("<sip:{PARKER}@{DOMAIN}>"))
                .line(Name::Expires, "3600")
        };
        let bytes = wire.request(self.phone, &draft.finish());
        wire.send(self.phone, self.server, &bytes);
    }

    pub(crate) fn is_up(&self) -> bool {
        self.phones_side.is_some() && self.pbxs_side.is_some()
    }

    /// A request of the parker in the call.
    fn within(&mut self, wire: &mut Wire, method: &str) {
        let answer = self.phones_side.as_ref().unwrap();
        let target = answer.contacts().next().unwrap().uri().to_string();
        let cseq = if method == "ACK" { 1 } else { self.cseq + 1 };
        self.cseq = cseq;
        let mut draft = self.of_parker(wire, method, &target, cseq).copy(answer, Name::To);
        if method == "REFER" {
            draft = draft.line(Name::ReferTo, format!("<sip:701@{DOMAIN}>"));
        }
        let bytes = wire.request(self.phone, &draft.finish());
        wire.send(self.phone, self.server, &bytes);
    }

    /// The parker transfers the call to a slot.
    pub(crate) fn park(&mut self, wire: &mut Wire) {
        self.answered = None;
        self.within(wire, "REFER");
    }

    /// The parkee hangs up.
    pub(crate) fn hang_up(&mut self, wire: &mut Wire) {
        self.answered = None;
        let (from, invite) = self.pbxs_side.take().unwrap();
        let to = invite.get(Name::To).unwrap();
        let draft = Compose::request("BYE", invite.contacts().next().unwrap().uri())
            .line(Name::From, format!("{to};tag=outside"))
            .line(Name::To, invite.get(Name::From).unwrap())
            .line(Name::CallId, invite.call_id())
            .line(Name::CSeq, "1 BYE")
            .line(Name::MaxForwards, "70")
            .finish();
        let bytes = wire.request(self.pbx, &draft);
        wire.send(self.pbx, from, &bytes);
    }

    pub(crate) fn hear(
        &mut self,
        wire: &mut Wire,
        socket: usize,
        from: SocketAddr,
        message: &Message,
    ) {
        let method = message.cseq().1;
        if message.is_request() {
            return self.asked(wire, socket, from, message, method);
        }
        match (method, message.status()) {
            (_, 100..=199) => {}
            ("REGISTER", 200) if socket == self.phone => {
                self.registered = true;
                self.dial(wire);
            }
            ("INVITE", 200) => {
                self.phones_side = Some(message.clone());
                self.within(wire, "ACK");
            }
            ("REFER" | "BYE", status) => self.answered = Some((status, Instant::now())),
            (_, status) => assert!(status < 300, "{message:?}"),
        }
    }

    fn asked(
        &mut self,
        wire: &mut Wire,
        socket: usize,
        from: SocketAddr,
        request: &Message,
        method: &str,
    ) {
        let answer = Compose::response_to(request, 200, None);
        let answer = match method {
            "ACK" => return,
            "REGISTER" => {
                answer.to_tag("r").copy(request, Name::Contact).line(Name::Expires, "3600")
            }
            "INVITE" => {
                self.pbxs_side = Some((from, request.clone()));
                answer
                    .to_tag("outside")
                    .line(Name::Contact, format!("<sip:200@{}>", wire.address(self.pbx)))
                    .body("application/sdp", self.sdp(wire, self.pbx))
            }
            _ => answer,
        };
        wire.answer(socket, from, request, &answer.finish());
    }
}
