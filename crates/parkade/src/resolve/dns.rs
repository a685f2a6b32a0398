//! The DNS as the system has it: `/etc/resolv.conf` and `/etc/hosts`, read anew for every walk, so
//! that a change of either is noticed.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use base::Transport;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::rdata::NAPTR;
use hickory_resolver::proto::rr::{RData, RecordType};

use crate::resolve::names::{Answer, Names, Naptr, Srv};

/// The system's resolver.
pub(super) struct Dns(TokioResolver);

impl Dns {
    /// Reads the system's configuration. Without one, `/etc/hosts` alone knows names.
    pub(super) fn open() -> Result<Dns, NetError> {
        let mut builder = match TokioResolver::builder_tokio() {
            Ok(builder) => builder,
            Err(error) => {
                tracing::debug!(%error, "/etc/resolv.conf cannot be used");
                let empty = ResolverConfig::from_name_servers(Vec::new());
                TokioResolver::builder_with_config(empty, TokioRuntimeProvider::default())
            }
        };
        builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        Ok(Dns(builder.build()?))
    }

    async fn lookup(&self, name: &str, kind: RecordType) -> Option<Lookup> {
        match self.0.lookup(name, kind).await {
            Ok(lookup) => Some(lookup),
            Err(error) => {
                tracing::debug!(%name, %kind, %error, "no answer");
                None
            }
        }
    }
}

fn answer<T>(found: Option<Lookup>, read: impl Fn(&RData) -> Option<T>) -> Answer<T> {
    let Some(found) = found else { return nothing() };
    let list = found.answers().iter().filter_map(|record| read(&record.data)).collect();
    Answer { list, holds_for: until(found.valid_until()) }
}

fn nothing<T>() -> Answer<T> {
    Answer { list: Vec::new(), holds_for: Duration::ZERO }
}

fn until(instant: Instant) -> Duration {
    instant.saturating_duration_since(Instant::now())
}

fn naptr(record: &NAPTR) -> Option<Naptr> {
    let service = std::str::from_utf8(&record.services).ok()?.to_ascii_uppercase();
    let transport = match service.as_str() {
        "SIP+D2U" => Transport::Udp,
        "SIP+D2T" => Transport::Tcp,
        _ => return None,
    };
    record.flags.eq_ignore_ascii_case(b"s").then(|| Naptr {
        order: record.order,
        preference: record.preference,
        transport,
        replacement: record.replacement.to_ascii(),
    })
}

impl Names for Dns {
    async fn naptr(&self, domain: &str) -> Answer<Naptr> {
        answer(self.lookup(domain, RecordType::NAPTR).await, |data| match data {
            RData::NAPTR(record) => naptr(record),
            _ => None,
        })
    }

    async fn srv(&self, name: &str) -> Answer<Srv> {
        answer(self.lookup(name, RecordType::SRV).await, |data| match data {
            RData::SRV(record) => Some(Srv {
                priority: record.priority,
                weight: record.weight,
                port: record.port,
                host: record.target.to_ascii(),
            }),
            _ => None,
        })
    }

    async fn addresses(&self, host: &str) -> Answer<IpAddr> {
        match self.0.lookup_ip(host).await {
            Ok(found) => {
                Answer { list: found.iter().collect(), holds_for: until(found.valid_until()) }
            }
            Err(error) => {
                tracing::debug!(%host, %error, "no address");
                nothing()
            }
        }
    }
}
