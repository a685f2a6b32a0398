//! What is asked of the DNS, and in which shape it answers.

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use base::Transport;

/// An answer, and for how long it holds. A name that leads nowhere has an empty list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer<T> {
    pub(super) list: Vec<T>,
    pub(super) holds_for: Duration,
}

/// A NAPTR record for SIP over a transport that we speak (RFC 3263 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Naptr {
    pub(super) order: u16,
    pub(super) preference: u16,
    pub(super) transport: Transport,
    /// The name whose SRV records are to be asked for.
    pub(super) replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Srv {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) port: u16,
    pub(super) host: String,
}

/// Whoever knows names: the DNS, or a table in a test.
pub(super) trait Names: Send + Sync {
    fn naptr(&self, domain: &str) -> impl Future<Output = Answer<Naptr>> + Send;
    fn srv(&self, name: &str) -> impl Future<Output = Answer<Srv>> + Send;
    fn addresses(&self, host: &str) -> impl Future<Output = Answer<IpAddr>> + Send;
}
