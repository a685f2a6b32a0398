//! What comes by the sockets, from DNS and from the store: who is let in, and what the engine hears of it.

use base::{ConnId, Flow, Moment, Side};
use bytes::Bytes;
use park_core::Input;
use sip_msg::SipUri;
use tokio::net::TcpStream;

use crate::cluster::StoreNews;
use crate::config::Listen;
use crate::resolve::Found;
use crate::shell::nodes;
use crate::shell::task::Task;
use crate::sip::{Ended, StreamEvent, Verdict};

impl Task {
    pub(super) fn datagrams(&mut self, socket: usize) {
        let mut taken = std::mem::take(&mut self.taken);
        let (at, engine, guard) = (self.clock.now(), &self.engine, &mut self.guard);
        let dead = self.ends.udp.receive(socket, |flow, bytes| {
            if guard.judge(at, &flow, bytes, |flow, uri| engine.standing(flow, uri))
                == Verdict::Pass
            {
                taken.push((flow, Bytes::copy_from_slice(bytes)));
            }
        });
        self.tell_bans(at);
        self.pending.extend(dead.into_iter().map(|flow| Input::Unreachable { flow }));
        for (flow, bytes) in taken.drain(..) {
            self.turn(Input::Sip { flow, bytes });
        }
        self.taken = taken;
    }

    pub(super) fn stream(&mut self, event: StreamEvent) {
        match event {
            StreamEvent::Accepted { side, transport, local, peer, stream } => {
                self.accepted(Flow { side, transport, local, peer, conn: None }, stream);
            }
            StreamEvent::Secured { conn, shown } => self.ends.streams.secured(conn, shown),
            StreamEvent::Alias { conn, port } => self.ends.streams.alias(conn, port),
            StreamEvent::Sip { flow, bytes } => self.said(flow, bytes),
            StreamEvent::Closed { conn, unsent, ended } => self.closed(conn, &unsent, &ended),
        }
    }

    /// A message has come by a stream. Whoever is not heard is told so by the end of the connection.
    fn said(&mut self, flow: Flow, bytes: Bytes) {
        let (at, engine) = (self.clock.now(), &self.engine);
        match self.guard.judge(at, &flow, &bytes, |flow, uri| engine.standing(flow, uri)) {
            Verdict::Pass => self.turn(Input::Sip { flow, bytes }),
            Verdict::Turn(why) => {
                if let Some(conn) = flow.conn
                    && self.ends.streams.closed(conn, None).is_some()
                {
                    self.facts.stream_ended(at, flow.peer, why.as_str());
                    self.turn(Input::Closed { conn });
                }
            }
        }
        self.tell_bans(at);
    }

    pub(super) fn tell_bans(&mut self, at: Moment) {
        for news in self.guard.news() {
            if let Some(left_out) = self.facts.banned(at, &news) {
                self.tap.banned(at, news, left_out);
            }
        }
    }

    fn accepted(&mut self, flow: Flow, stream: TcpStream) {
        let (at, engine) = (self.clock.now(), &self.engine);
        let standing = |flow: &Flow, uri: Option<&str>| engine.standing(flow, uri);
        let open = (self.ends.streams.open(), self.ends.streams.len_from(flow.peer.ip()));
        let admitted = self.guard.admit_connection(at, &flow, open, standing);
        let taken = admitted.and_then(|()| self.ends.streams.accept(flow, stream));
        if let Err(why) = taken {
            self.facts.stream_ended(at, flow.peer, why);
        }
    }

    fn closed(&mut self, conn: ConnId, unsent: &[Flow], ended: &Ended) {
        let at = self.clock.now();
        let failed = match ended {
            Ended::NotSecured(failed) => Some(failed.failure),
            Ended::Quietly | Ended::For(_) => None,
        };
        let flow = self.ends.streams.closed(conn, failed);
        match (flow, ended) {
            (Some(flow), Ended::For(why)) => self.facts.stream_ended(at, flow.peer, why),
            (Some(flow), Ended::NotSecured(failed)) => {
                self.facts.not_secured(at, &flow, &failed.what);
            }
            _ => {}
        }
        self.turn(Input::Closed { conn });
        for (i, flow) in unsent.iter().enumerate() {
            if !unsent[..i].contains(flow) {
                self.turn(Input::Unreachable { flow: *flow });
            }
        }
    }

    pub(super) fn found(&mut self, found: Found) {
        let at = self.clock.now();
        let target = self.settings.engine.pbx_targets.get(found.target);
        if let Some(uri) = target.and_then(|uri| SipUri::read(uri)) {
            let there = found.hops.iter().map(|(_, peer)| *peer).collect();
            self.ends.learn(found.target, uri.host(), there);
        }
        let ends = &mut self.ends;
        let flow = |(transport, peer)| ends.flow_to(at, Side::Pbx, transport, peer);
        let hops = found.hops.into_iter().filter_map(flow).collect();
        self.turn(Input::Resolved { target: found.target, hops });
    }

    pub(super) fn store(&mut self, news: StoreNews) {
        let (at, ends) = (self.clock.now(), &mut self.ends);
        let reach = |there: Listen| ends.flow_to(at, Side::Pbx, there.transport, there.address);
        let news = nodes::in_words(news, reach);
        self.turn(Input::Cluster(news));
    }
}
