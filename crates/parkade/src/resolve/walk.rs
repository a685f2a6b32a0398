//! From a SIP URI to addresses (RFC 3263 §4): NAPTR, SRV, A and AAAA.

use std::net::SocketAddr;
use std::time::Duration;

use base::{Chance, Transport};
use sip_msg::SipUri;

use crate::resolve::names::{Answer, Names, Srv};
use crate::resolve::order::in_order;

/// The port where none is said (RFC 3261 §19.1.2).
const DEFAULT_PORT: u16 = 5060;

/// One way to a server.
pub(super) type Hop = (Transport, SocketAddr);

/// The hop of a URI that needs no DNS: its host is an address.
pub(super) fn literal(uri: &str) -> Option<Hop> {
    let uri = SipUri::read(uri)?;
    let ip = uri.host_ip()?;
    let transport = asked_transport(&uri).unwrap_or(Transport::Udp);
    Some((transport, SocketAddr::new(ip.to_canonical(), uri.port().unwrap_or(DEFAULT_PORT))))
}

fn asked_transport(uri: &SipUri<'_>) -> Option<Transport> {
    uri.param("transport").map(|t| match t.eq_ignore_ascii_case("tcp") {
        true => Transport::Tcp,
        false => Transport::Udp,
    })
}

/// All hops of a URI, best first.
pub(super) async fn walk(uri: &str, names: &impl Names, chance: &mut Chance) -> Answer<Hop> {
    let mut walk = Walk { names, chance, hops: Vec::new(), holds_for: LONGEST };
    if let Some(read) = SipUri::read(uri) {
        let host = read.host().to_owned();
        match (read.port(), asked_transport(&read)) {
            (Some(port), transport) => {
                walk.host(transport.unwrap_or(Transport::Udp), &host, port).await;
            }
            (None, Some(transport)) => {
                if !walk.service(transport, &service_name(transport, &host)).await {
                    walk.host(transport, &host, DEFAULT_PORT).await;
                }
            }
            (None, None) => walk.domain(&host).await,
        }
    }
    Answer { list: walk.hops, holds_for: walk.holds_for }
}

/// However long the DNS says that something holds.
const LONGEST: Duration = Duration::from_secs(3600);

fn service_name(transport: Transport, domain: &str) -> String {
    format!("_sip._{}.{domain}", transport.in_uri())
}

struct Walk<'w, N: Names> {
    names: &'w N,
    chance: &'w mut Chance,
    hops: Vec<Hop>,
    holds_for: Duration,
}

impl<N: Names> Walk<'_, N> {
    /// Takes note of how long an answer holds, and hands out its list.
    fn list<T>(&mut self, answer: Answer<T>) -> Vec<T> {
        if !answer.list.is_empty() {
            self.holds_for = self.holds_for.min(answer.holds_for);
        }
        answer.list
    }

    /// Neither port nor transport is said: the domain says both (§4.1).
    async fn domain(&mut self, domain: &str) {
        let answer = self.names.naptr(domain).await;
        let mut ways = self.list(answer);
        ways.sort_by_key(|way| (way.order, way.preference));
        let mut found = false;
        for way in ways {
            found |= self.service(way.transport, &way.replacement).await;
        }
        if !found {
            for transport in [Transport::Udp, Transport::Tcp] {
                found |= self.service(transport, &service_name(transport, domain)).await;
            }
        }
        if !found {
            self.host(Transport::Udp, domain, DEFAULT_PORT).await;
        }
    }

    /// The servers of a service (§4.2); tells whether there are any.
    async fn service(&mut self, transport: Transport, name: &str) -> bool {
        let answer = self.names.srv(name).await;
        let servers = self.list(answer);
        // A lone "." says that there is no such service (RFC 2782, "Target").
        let offered = |s: &Srv| !s.host.is_empty() && s.host != ".";
        let servers: Vec<Srv> = servers.into_iter().filter(offered).collect();
        let found = !servers.is_empty();
        for server in in_order(servers, self.chance) {
            self.host(transport, &server.host, server.port).await;
        }
        found
    }

    async fn host(&mut self, transport: Transport, host: &str, port: u16) {
        let answer = self.names.addresses(host).await;
        for ip in self.list(answer) {
            let hop = (transport, SocketAddr::new(ip, port));
            if !self.hops.contains(&hop) {
                self.hops.push(hop);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::IpAddr;

    use super::*;
    use crate::resolve::names::Naptr;

    #[derive(Debug, Default)]
    struct Table {
        naptr: HashMap<String, Vec<Naptr>>,
        srv: HashMap<String, Vec<Srv>>,
        hosts: HashMap<String, Vec<IpAddr>>,
    }

    fn answer<T: Clone>(table: &HashMap<String, Vec<T>>, name: &str, holds_for: u64) -> Answer<T> {
        let list = table.get(name).cloned().unwrap_or_default();
        Answer { list, holds_for: Duration::from_secs(holds_for) }
    }

    impl Names for Table {
        async fn naptr(&self, domain: &str) -> Answer<Naptr> {
            answer(&self.naptr, domain, 900)
        }
        async fn srv(&self, name: &str) -> Answer<Srv> {
            answer(&self.srv, name, 300)
        }
        async fn addresses(&self, host: &str) -> Answer<IpAddr> {
            answer(&self.hosts, host, 600)
        }
    }

    fn table() -> Table {
        let mut table = Table::default();
        let mut host = |name: &str, ips: &[&str]| {
            let ips = ips.iter().map(|ip| ip.parse().unwrap()).collect();
            table.hosts.insert(name.to_owned(), ips);
        };
        host("pbx.example", &["192.0.2.1"]);
        host("a.example", &["192.0.2.10", "2001:db8::10"]);
        host("b.example", &["192.0.2.11"]);
        table
    }

    fn server(priority: u16, host: &str, port: u16) -> Srv {
        Srv { priority, weight: 0, port, host: host.to_owned() }
    }

    fn hops(table: &Table, uri: &str) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(walk(uri, table, &mut Chance::from_seed(1)));
        found.list.iter().map(|(t, a)| format!("{} {a}", t.in_uri())).collect()
    }

    #[test]
    fn a_port_asks_for_addresses_only() {
        let mut table = table();
        table.srv.insert("_sip._udp.pbx.example".into(), vec![server(1, "b.example", 9)]);
        assert_eq!(hops(&table, "sip:pbx.example:5070"), ["udp 192.0.2.1:5070"]);
        assert_eq!(hops(&table, "sip:pbx.example:5070;transport=tcp"), ["tcp 192.0.2.1:5070"]);
    }

    #[test]
    fn a_transport_asks_for_its_servers_and_falls_back_to_addresses() {
        let mut table = table();
        assert_eq!(hops(&table, "sip:pbx.example;transport=tcp"), ["tcp 192.0.2.1:5060"]);
        let servers = vec![server(2, "b.example", 5062), server(1, "a.example", 5061)];
        table.srv.insert("_sip._tcp.pbx.example".into(), servers);
        assert_eq!(
            hops(&table, "sip:pbx.example;transport=tcp"),
            ["tcp 192.0.2.10:5061", "tcp [2001:db8::10]:5061", "tcp 192.0.2.11:5062"]
        );
    }

    #[test]
    fn naptr_records_choose_the_transport_by_order_and_preference() {
        let mut table = table();
        let way = |preference, transport, replacement: &str| Naptr {
            order: 10,
            preference,
            transport,
            replacement: replacement.to_owned(),
        };
        let ways = vec![way(20, Transport::Udp, "udp.srv"), way(10, Transport::Tcp, "tcp.srv")];
        table.naptr.insert("pbx.example".into(), ways);
        table.srv.insert("udp.srv".into(), vec![server(1, "b.example", 5060)]);
        table.srv.insert("tcp.srv".into(), vec![server(1, "a.example", 5060)]);
        assert_eq!(
            hops(&table, "sip:pbx.example"),
            ["tcp 192.0.2.10:5060", "tcp [2001:db8::10]:5060", "udp 192.0.2.11:5060"]
        );
    }

    #[test]
    fn without_naptr_the_servers_of_both_transports_are_asked_for_then_the_address() {
        let mut table = table();
        assert_eq!(hops(&table, "sip:pbx.example"), ["udp 192.0.2.1:5060"]);
        table.srv.insert("_sip._tcp.pbx.example".into(), vec![server(1, "b.example", 5066)]);
        assert_eq!(hops(&table, "sip:pbx.example"), ["tcp 192.0.2.11:5066"]);
        table.srv.insert("_sip._udp.pbx.example".into(), vec![server(1, ".", 0)]);
        assert_eq!(hops(&table, "sip:pbx.example"), ["tcp 192.0.2.11:5066"]);
    }

    #[test]
    fn a_name_that_leads_nowhere_has_no_hops() {
        assert!(hops(&table(), "sip:nowhere.example").is_empty());
    }

    #[test]
    fn an_answer_holds_as_long_as_its_shortest_part() {
        let mut table = table();
        table.srv.insert("_sip._udp.pbx.example".into(), vec![server(1, "b.example", 5060)]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut chance = Chance::from_seed(1);
        let walked = walk("sip:pbx.example", &table, &mut chance);
        assert_eq!(runtime.block_on(walked).holds_for, Duration::from_secs(300));
    }

    #[test]
    fn an_address_needs_no_names() {
        let udp = |text: &str| Some((Transport::Udp, text.parse().unwrap()));
        assert_eq!(literal("sip:192.0.2.50"), udp("192.0.2.50:5060"));
        assert_eq!(literal("sip:[2001:db8::1]:5070"), udp("[2001:db8::1]:5070"));
        let tcp = Some((Transport::Tcp, "192.0.2.50:5061".parse().unwrap()));
        assert_eq!(literal("sip:192.0.2.50:5061;transport=TCP"), tcp);
        assert_eq!(literal("sip:pbx.example"), None);
    }
}
