//! What is asked of the DNS, and in which shape it answers.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use base::Transport;

/// The types of record that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Naptr,
    Srv,
    A,
    Aaaa,
}

/// One question. A name that ends in a dot is asked for as it is, any other in the search list too.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) kind: Kind,
    pub(super) name: String,
}

/// An answer, and for how long it holds. Where there are no such records the list is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) list: Vec<Record>,
    pub(super) holds_for: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    Naptr(Naptr),
    Srv(Srv),
    Address(IpAddr),
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

/// Why a question has no answer: something else than that there are no such records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// No name server answered in time.
    Silent,
    /// No name server could be asked, and why.
    Unreached(String),
    /// The name server said that it cannot tell, in these words.
    Said(String),
}

/// Whoever knows names: the DNS, or a table in a test.
pub(super) trait Names: Send + Sync {
    fn ask(&self, question: &Question) -> impl Future<Output = Result<Answer, Failure>> + Send;
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Naptr => "NAPTR",
            Kind::Srv => "SRV",
            Kind::A => "A",
            Kind::Aaaa => "AAAA",
        })
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name.trim_end_matches('.'))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Silent => f.write_str("no name server answers"),
            Failure::Unreached(why) => write!(f, "no name server can be asked ({why})"),
            Failure::Said(what) => write!(f, "the name server says: {what}"),
        }
    }
}
