//! The DNS as the system has it: `/etc/resolv.conf` and `/etc/hosts`, read anew for every walk, so
//! that a change of either is noticed.

use std::time::{Duration, Instant};

use base::Transport;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::ResolverConfig;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::rdata::NAPTR;
use hickory_resolver::proto::rr::{RData, RecordType};

use crate::resolve::names::{Answer, Failure, Kind, Names, Naptr, Question, Record, Srv};

/// How long the name servers have for one answer; it is asked for again at once, as often as
/// [`AGAIN`] says.
const PATIENCE: Duration = Duration::from_secs(2);

/// More would only put off what is to be told: the walk is soon made again as a whole.
const AGAIN: usize = 2;

/// The system's resolver, or why there is none.
pub(super) struct Dns(Result<TokioResolver, NetError>);

impl Dns {
    /// Reads the system's configuration. Without one, `/etc/hosts` alone knows names.
    pub(super) fn open() -> Dns {
        let mut builder = match TokioResolver::builder_tokio() {
            Ok(builder) => builder,
            Err(error) => {
                tracing::debug!(%error, "/etc/resolv.conf cannot be used");
                let empty = ResolverConfig::from_name_servers(Vec::new());
                TokioResolver::builder_with_config(empty, TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        options.timeout = options.timeout.min(PATIENCE);
        options.attempts = options.attempts.min(AGAIN);
        Dns(builder.build())
    }
}

impl Names for Dns {
    async fn ask(&self, question: &Question) -> Result<Answer, Failure> {
        let kind = match question.kind {
            Kind::Naptr => RecordType::NAPTR,
            Kind::Srv => RecordType::SRV,
            Kind::A => RecordType::A,
            Kind::Aaaa => RecordType::AAAA,
        };
        let resolver = match &self.0 {
            Ok(resolver) => resolver,
            Err(error) => return Err(Failure::Unreached(error.to_string())),
        };
        match resolver.lookup(question.name.as_str(), kind).await {
            Ok(found) => Ok(Answer {
                list: found.answers().iter().filter_map(|record| read(&record.data)).collect(),
                holds_for: found.valid_until().saturating_duration_since(Instant::now()),
            }),
            Err(error) => {
                tracing::debug!(%question, %error, "no answer");
                failure(&error)
                    .map_or_else(|| Ok(Answer { list: Vec::new(), holds_for: Duration::ZERO }), Err)
            }
        }
    }
}

/// What went wrong; nothing if the answer is that there are no such records.
fn failure(error: &NetError) -> Option<Failure> {
    Some(match error {
        // Who knows no such type has no such records.
        NetError::Dns(
            DnsError::NoRecordsFound(_) | DnsError::ResponseCode(ResponseCode::NotImp),
        ) => return None,
        NetError::Dns(DnsError::ResponseCode(code)) => Failure::Said(code.to_string()),
        NetError::Timeout => Failure::Silent,
        NetError::NoConnections => Failure::Unreached("/etc/resolv.conf names none".to_owned()),
        NetError::Io(error) => Failure::Unreached(error.to_string()),
        other => Failure::Said(other.to_string()),
    })
}

fn read(data: &RData) -> Option<Record> {
    match data {
        RData::NAPTR(record) => naptr(record).map(Record::Naptr),
        RData::SRV(record) => Some(Record::Srv(Srv {
            priority: record.priority,
            weight: record.weight,
            port: record.port,
            host: record.target.to_ascii(),
        })),
        RData::A(address) => Some(Record::Address(address.0.into())),
        RData::AAAA(address) => Some(Record::Address(address.0.into())),
        _ => None,
    }
}

fn naptr(record: &NAPTR) -> Option<Naptr> {
    let service = std::str::from_utf8(&record.services).ok()?.to_ascii_uppercase();
    let transport = match service.as_str() {
        "SIP+D2U" => Transport::Udp,
        "SIP+D2T" => Transport::Tcp,
        "SIPS+D2T" => Transport::Tls,
        _ => return None,
    };
    record.flags.eq_ignore_ascii_case(b"s").then(|| Naptr {
        order: record.order,
        preference: record.preference,
        transport,
        replacement: record.replacement.to_ascii(),
    })
}
