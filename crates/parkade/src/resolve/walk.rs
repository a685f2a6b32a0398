//! From a SIP URI to addresses (RFC 3263 §4): NAPTR, SRV, A and AAAA.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base::{Chance, Transport};
use sip_msg::SipUri;

use crate::resolve::memory::Memory;
use crate::resolve::names::{Failure, Kind, Names, Naptr, Question, Record, Srv};
use crate::resolve::order::in_order;

/// However long the DNS says that something holds.
const LONGEST: Duration = Duration::from_secs(3600);

/// One way to a server.
pub(super) type Hop = (Transport, SocketAddr);

/// A question that has no answer, and why.
pub(super) type Trouble = (Question, Failure);

/// Where a walk has led.
#[derive(Debug)]
pub(super) struct Walked {
    /// Best first, in ranks: within one, chance says which is first.
    pub(super) ranks: Vec<Vec<Hop>>,
    pub(super) holds_for: Duration,
    /// The first thing that went wrong. What had been said before was taken in its stead, if
    /// anything had.
    pub(super) trouble: Option<Trouble>,
}

/// The hop of a URI that needs no DNS: its host is an address.
pub(super) fn literal(uri: &str) -> Option<Hop> {
    let uri = SipUri::read(uri)?;
    let ip = uri.host_ip()?;
    let transport = asked_transport(&uri).unwrap_or(Transport::Udp);
    let port = uri.port().unwrap_or(transport.default_port());
    Some((transport, SocketAddr::new(ip.to_canonical(), port)))
}

fn asked_transport(uri: &SipUri<'_>) -> Option<Transport> {
    Transport::of_uri(uri.is_sips(), uri.param("transport"))
}

/// All hops of a URI.
pub(super) async fn walk(
    uri: &str,
    names: &impl Names,
    memory: &mut Memory,
    chance: &mut Chance,
) -> Walked {
    memory.begin();
    let walked = Walked { ranks: Vec::new(), holds_for: LONGEST, trouble: None };
    let mut walk = Walk { names, memory, chance, walked, is_lost: false, is_unheard: false };
    if let Some(read) = SipUri::read(uri) {
        let host = in_full(read.host());
        match (read.port(), asked_transport(&read)) {
            (Some(port), transport) => {
                walk.domain_itself(transport.unwrap_or(Transport::Udp), &host, port).await;
            }
            // The scheme has said that it is TLS, and not how it is carried.
            (None, _) if read.is_sips() => walk.domain(&host, &[Transport::Tls]).await,
            (None, Some(transport)) => {
                if !walk.service(transport, &service_name(transport, &host)).await {
                    walk.domain_itself(transport, &host, transport.default_port()).await;
                }
            }
            (None, None) => walk.domain(&host, &[Transport::Udp, Transport::Tcp]).await,
        }
    }
    if walk.walked.trouble.is_none() {
        walk.memory.end();
    }
    walk.walked.ranks.retain(|rank| !rank.is_empty());
    walk.walked
}

/// A name of several labels is whole; only a single label stands for one of the search list.
fn in_full(host: &str) -> String {
    let is_whole = host.contains('.') && !host.ends_with('.');
    format!("{host}{}", if is_whole { "." } else { "" })
}

fn service_name(transport: Transport, domain: &str) -> String {
    match transport {
        Transport::Tls => format!("_sips._tcp.{domain}"),
        plain => format!("_sip._{}.{domain}", plain.in_uri()),
    }
}

struct Walk<'w, N: Names> {
    names: &'w N,
    memory: &'w mut Memory,
    chance: &'w mut Chance,
    walked: Walked,
    /// Whether nobody knows if there are records. Where there may be, the next step down is not to
    /// be taken: only where there are none (§4.1, §4.2).
    is_lost: bool,
    /// Whether no name server is heard. Then what was said before is taken without waiting again.
    is_unheard: bool,
}

impl<N: Names> Walk<'_, N> {
    /// What the DNS says, or has said before.
    async fn ask(&mut self, kind: Kind, name: &str) -> Result<Vec<Record>, Trouble> {
        let question = Question { kind, name: name.to_owned() };
        let asked =
            if self.is_unheard { Err(Failure::Silent) } else { self.names.ask(&question).await };
        match asked {
            Ok(answer) => {
                if !answer.list.is_empty() {
                    self.walked.holds_for = self.walked.holds_for.min(answer.holds_for);
                }
                self.memory.keep(question, &answer.list);
                Ok(answer.list)
            }
            Err(failure) => {
                self.is_unheard |= !matches!(failure, Failure::Said(_));
                let Some(known) = self.memory.recall(&question) else {
                    return Err((question, failure));
                };
                self.note((question, failure));
                Ok(known)
            }
        }
    }

    fn note(&mut self, trouble: Trouble) {
        self.walked.trouble.get_or_insert(trouble);
    }

    fn lose(&mut self, trouble: Trouble) {
        self.is_lost = true;
        self.note(trouble);
    }

    /// Neither port nor transport is said: the domain says both (§4.1). Where it says nothing it is one
    /// of `usual`; whoever asks for TLS gets nothing else.
    async fn domain(&mut self, domain: &str, usual: &[Transport]) {
        let may_be = |way: &Naptr| usual != [Transport::Tls] || way.transport == Transport::Tls;
        let mut ways = match self.ask(Kind::Naptr, domain).await {
            Ok(records) => all_naptr(records),
            Err(trouble) => return self.lose(trouble),
        };
        // The name, so that the order is the same however the records come.
        ways.sort_by(|a, b| rank(a).cmp(&rank(b)));
        let mut found = false;
        for way in ways.into_iter().filter(may_be) {
            found |= self.service(way.transport, &way.replacement).await;
        }
        if !found && !self.is_lost {
            for transport in usual {
                found |= self.service(*transport, &service_name(*transport, domain)).await;
            }
        }
        if let (false, Some(transport)) = (found, usual.first()) {
            self.domain_itself(*transport, domain, transport.default_port()).await;
        }
    }

    /// The servers of a service (§4.2); tells whether there are any.
    async fn service(&mut self, transport: Transport, name: &str) -> bool {
        let servers = match self.ask(Kind::Srv, name).await {
            Ok(records) => all_srv(records),
            Err(trouble) => {
                self.lose(trouble);
                return false;
            }
        };
        let found = !servers.is_empty();
        let mut priority = None;
        for server in in_order(servers, self.chance) {
            if priority.replace(server.priority) != Some(server.priority) {
                self.walked.ranks.push(Vec::new());
            }
            self.host(transport, &server.host, server.port).await;
        }
        found
    }

    /// The domain's own addresses, where it has no services.
    async fn domain_itself(&mut self, transport: Transport, domain: &str, port: u16) {
        if !self.is_lost {
            self.walked.ranks.push(Vec::new());
            self.host(transport, domain, port).await;
        }
    }

    /// The addresses of a host, into the last rank. IPv4 comes first.
    async fn host(&mut self, transport: Transport, host: &str, port: u16) {
        let mut addresses = Vec::new();
        let mut failed = None;
        for kind in [Kind::A, Kind::Aaaa] {
            match self.ask(kind, host).await {
                Ok(records) => addresses.extend(records.into_iter().filter_map(address)),
                Err(trouble) => failed = failed.or(Some(trouble)),
            }
        }
        // Many a name server fails only where it is asked for AAAA.
        if let Some(trouble) = failed.filter(|_| addresses.is_empty()) {
            self.note(trouble);
        }
        for ip in addresses {
            let hop = (transport, SocketAddr::new(ip, port));
            let ranks = &mut self.walked.ranks;
            if !ranks.iter().any(|rank| rank.contains(&hop))
                && let Some(last) = ranks.last_mut()
            {
                last.push(hop);
            }
        }
    }
}

fn rank(way: &Naptr) -> (u16, u16, &str) {
    (way.order, way.preference, &way.replacement)
}

fn all_naptr(records: Vec<Record>) -> Vec<Naptr> {
    let naptr = |record| match record {
        Record::Naptr(naptr) => Some(naptr),
        Record::Srv(_) | Record::Address(_) => None,
    };
    records.into_iter().filter_map(naptr).collect()
}

fn all_srv(records: Vec<Record>) -> Vec<Srv> {
    let srv = |record| match record {
        // A lone "." says that there is no such service (RFC 2782, "Target").
        Record::Srv(srv) => (!srv.host.is_empty() && srv.host != ".").then_some(srv),
        Record::Naptr(_) | Record::Address(_) => None,
    };
    records.into_iter().filter_map(srv).collect()
}

fn address(record: Record) -> Option<IpAddr> {
    match record {
        Record::Address(ip) => Some(ip),
        Record::Naptr(_) | Record::Srv(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::table::{Table, naptr, server, table};

    fn run(table: &Table, memory: &mut Memory, uri: &str) -> Walked {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(walk(uri, table, memory, &mut Chance::from_seed(1)))
    }

    fn written(walked: &Walked) -> Vec<String> {
        let hops = walked.ranks.iter().flatten();
        hops.map(|(t, a)| format!("{} {a}", t.in_uri())).collect()
    }

    fn hops(table: &Table, uri: &str) -> Vec<String> {
        let walked = run(table, &mut Memory::default(), uri);
        assert_eq!(walked.trouble, None);
        written(&walked)
    }

    #[test]
    fn a_port_asks_for_addresses_only() {
        let mut table = table();
        table.srv("_sip._udp.pbx.example.", &[server(1, "b.example.", 9)]);
        assert_eq!(hops(&table, "sip:pbx.example:5070"), ["udp 192.0.2.1:5070"]);
        assert_eq!(hops(&table, "sip:pbx.example:5070;transport=tcp"), ["tcp 192.0.2.1:5070"]);
    }

    #[test]
    fn a_transport_asks_for_its_servers_and_falls_back_to_addresses() {
        let mut table = table();
        assert_eq!(hops(&table, "sip:pbx.example;transport=tcp"), ["tcp 192.0.2.1:5060"]);
        let servers = [server(2, "b.example.", 5062), server(1, "a.example.", 5061)];
        table.srv("_sip._tcp.pbx.example.", &servers);
        assert_eq!(
            hops(&table, "sip:pbx.example;transport=tcp"),
            ["tcp 192.0.2.10:5061", "tcp [2001:db8::10]:5061", "tcp 192.0.2.11:5062"]
        );
    }

    #[test]
    fn naptr_records_choose_the_transport_by_order_and_preference() {
        let mut table = table();
        let ways = [naptr(20, Transport::Udp, "udp.srv."), naptr(10, Transport::Tcp, "tcp.srv.")];
        table.naptr("pbx.example.", &ways);
        table.srv("udp.srv.", &[server(1, "b.example.", 5060)]);
        table.srv("tcp.srv.", &[server(1, "a.example.", 5060)]);
        assert_eq!(
            hops(&table, "sip:pbx.example"),
            ["tcp 192.0.2.10:5060", "tcp [2001:db8::10]:5060", "udp 192.0.2.11:5060"]
        );
    }

    #[test]
    fn tls_has_services_and_a_port_of_its_own_and_who_asks_for_it_gets_nothing_else() {
        let mut table = table();
        assert_eq!(hops(&table, "sips:pbx.example"), ["tls 192.0.2.1:5061"]);
        assert_eq!(hops(&table, "sip:pbx.example;transport=tls"), ["tls 192.0.2.1:5061"]);
        assert_eq!(hops(&table, "sips:pbx.example:5071"), ["tls 192.0.2.1:5071"]);
        table.srv("_sips._tcp.pbx.example.", &[server(1, "b.example.", 5063)]);
        assert_eq!(hops(&table, "sips:pbx.example"), ["tls 192.0.2.11:5063"]);
        assert_eq!(hops(&table, "sip:pbx.example;transport=tls"), ["tls 192.0.2.11:5063"]);
        let ways = [naptr(10, Transport::Udp, "udp.srv."), naptr(20, Transport::Tls, "tls.srv.")];
        table.naptr("pbx.example.", &ways);
        table.srv("udp.srv.", &[server(1, "b.example.", 5060)]);
        table.srv("tls.srv.", &[server(1, "b.example.", 5065)]);
        assert_eq!(hops(&table, "sips:pbx.example"), ["tls 192.0.2.11:5065"]);
        let all = ["udp 192.0.2.11:5060", "tls 192.0.2.11:5065"];
        assert_eq!(hops(&table, "sip:pbx.example"), all);
    }

    #[test]
    fn without_naptr_the_servers_of_both_transports_are_asked_for_then_the_address() {
        let mut table = table();
        assert_eq!(hops(&table, "sip:pbx.example"), ["udp 192.0.2.1:5060"]);
        table.srv("_sip._tcp.pbx.example.", &[server(1, "b.example.", 5066)]);
        assert_eq!(hops(&table, "sip:pbx.example"), ["tcp 192.0.2.11:5066"]);
        table.srv("_sip._udp.pbx.example.", &[server(1, ".", 0)]);
        assert_eq!(hops(&table, "sip:pbx.example"), ["tcp 192.0.2.11:5066"]);
    }

    #[test]
    fn a_name_that_leads_nowhere_has_no_hops() {
        assert!(hops(&table(), "sip:nowhere.example").is_empty());
    }

    #[test]
    fn only_a_single_label_is_looked_for_in_the_search_list() {
        let table = table();
        for uri in ["sip:pbx.example", "sip:pbx.example.", "sip:pbx.example:5070"] {
            hops(&table, uri);
        }
        assert!(table.asked().iter().all(|name| name.ends_with('.')), "{:?}", table.asked());
        let table = self::table();
        assert_eq!(hops(&table, "sip:pbx"), ["udp 192.0.2.2:5060"]);
        assert!(table.asked().iter().all(|name| name.ends_with("pbx")), "{:?}", table.asked());
    }

    #[test]
    fn servers_of_one_priority_are_one_rank() {
        let mut table = table();
        let servers = [server(1, "a.example.", 1), server(2, "b.example.", 2)];
        table.srv("_sip._udp.pbx.example.", &servers);
        let ranks = |table: &Table| -> Vec<usize> {
            let walked = run(table, &mut Memory::default(), "sip:pbx.example");
            walked.ranks.iter().map(Vec::len).collect()
        };
        assert_eq!(ranks(&table), [2, 1]);
        let servers = [server(1, "a.example.", 1), server(1, "b.example.", 2)];
        table.srv("_sip._udp.pbx.example.", &servers);
        assert_eq!(ranks(&table), [3]);
    }

    #[test]
    fn an_answer_holds_as_long_as_its_shortest_part() {
        let mut table = table();
        table.srv("_sip._udp.pbx.example.", &[server(1, "b.example.", 5060)]);
        let walked = run(&table, &mut Memory::default(), "sip:pbx.example");
        assert_eq!(walked.holds_for, Duration::from_secs(300));
    }

    #[test]
    fn a_question_that_fails_is_no_reason_to_take_the_domain_s_own_address() {
        for failure in [Failure::Silent, Failure::Said("Server Failure".into())] {
            for (kind, name) in [
                (Kind::Naptr, "pbx.example."),
                (Kind::Srv, "_sip._udp.pbx.example."),
                (Kind::Srv, "_sip._tcp.pbx.example."),
            ] {
                let mut table = table();
                table.fail(kind, name, failure.clone());
                let walked = run(&table, &mut Memory::default(), "sip:pbx.example");
                assert!(walked.ranks.is_empty(), "{kind} {name} {:?}", walked.ranks);
                let question = Question { kind, name: name.to_owned() };
                assert_eq!(walked.trouble, Some((question, failure.clone())));
            }
            let mut table = table();
            table.fail(Kind::Srv, "_sip._tcp.pbx.example.", failure);
            let walked = run(&table, &mut Memory::default(), "sip:pbx.example;transport=tcp");
            assert!(walked.ranks.is_empty());
        }
    }

    #[test]
    fn what_was_said_before_stands_in_for_an_answer_that_fails() {
        let mut memory = Memory::default();
        let mut table = table();
        table.srv("_sip._udp.pbx.example.", &[server(1, "b.example.", 5062)]);
        assert_eq!(written(&run(&table, &mut memory, "sip:pbx.example")), ["udp 192.0.2.11:5062"]);
        let failure = Failure::Said("Server Failure".into());
        table.fail(Kind::Srv, "_sip._udp.pbx.example.", failure);
        // What is still said is followed.
        table.address("b.example.", &["192.0.2.12"]);
        let walked = run(&table, &mut memory, "sip:pbx.example");
        assert_eq!(written(&walked), ["udp 192.0.2.12:5062"]);
        assert_eq!(walked.trouble.unwrap().0.kind, Kind::Srv);
    }

    #[test]
    fn a_name_server_that_is_not_heard_is_waited_for_once_in_a_walk() {
        let mut memory = Memory::default();
        let mut table = table();
        table.srv("_sip._udp.pbx.example.", &[server(1, "a.example.", 5062)]);
        let before = written(&run(&table, &mut memory, "sip:pbx.example"));
        let mut dead = self::table();
        dead.is_dead = true;
        let walked = run(&dead, &mut memory, "sip:pbx.example");
        assert_eq!(written(&walked), before);
        assert_eq!(dead.asked(), ["pbx.example."]);
        assert_eq!(walked.trouble.unwrap().1, Failure::Silent);
    }

    #[test]
    fn a_host_without_an_answer_does_not_take_the_others_away() {
        let mut table = table();
        let servers = [server(1, "a.example.", 5061), server(2, "b.example.", 5062)];
        table.srv("_sip._udp.pbx.example.", &servers);
        for kind in [Kind::A, Kind::Aaaa] {
            table.fail(kind, "a.example.", Failure::Said("Server Failure".into()));
        }
        let walked = run(&table, &mut Memory::default(), "sip:pbx.example");
        assert_eq!(written(&walked), ["udp 192.0.2.11:5062"]);
        assert_eq!(walked.trouble.unwrap().0.name, "a.example.");
    }

    #[test]
    fn a_name_server_that_fails_for_aaaa_only_is_good_enough() {
        let mut table = table();
        table.fail(Kind::Aaaa, "pbx.example.", Failure::Said("Server Failure".into()));
        assert_eq!(hops(&table, "sip:pbx.example:5060"), ["udp 192.0.2.1:5060"]);
    }

    #[test]
    fn what_is_asked_no_more_is_forgotten() {
        let mut memory = Memory::default();
        run(&table(), &mut memory, "sip:pbx.example");
        run(&table(), &mut memory, "sip:pbx.example:5070");
        let recalls =
            |kind| memory.recall(&Question { kind, name: "pbx.example.".to_owned() }).is_some();
        assert!(recalls(Kind::A) && !recalls(Kind::Naptr));
    }

    #[test]
    fn an_address_needs_no_names() {
        let udp = |text: &str| Some((Transport::Udp, text.parse().unwrap()));
        assert_eq!(literal("sip:192.0.2.50"), udp("192.0.2.50:5060"));
        assert_eq!(literal("sip:[2001:db8::1]:5070"), udp("[2001:db8::1]:5070"));
        let tcp = Some((Transport::Tcp, "192.0.2.50:5061".parse().unwrap()));
        assert_eq!(literal("sip:192.0.2.50:5061;transport=TCP"), tcp);
        let tls = |text: &str| Some((Transport::Tls, text.parse().unwrap()));
        assert_eq!(literal("sips:192.0.2.50"), tls("192.0.2.50:5061"));
        assert_eq!(literal("sip:192.0.2.50:5071;transport=tls"), tls("192.0.2.50:5071"));
        assert_eq!(literal("sip:pbx.example"), None);
    }
}
