//! Where one target stands: what is known of it, what has been told, and when to look again.

use std::time::Duration;

use tracing::{info, warn};

use crate::resolve::names::Failure;
use crate::resolve::walk::{Hop, Trouble, Walked};

/// After a walk that failed or led nowhere the next one follows in this time; twice as long each
/// time, up to [`SELDOM`].
const OFTEN: Duration = Duration::from_secs(5);

/// At most this much time passes between two such walks.
const SELDOM: Duration = Duration::from_secs(60);

/// Records of shorter life are not followed any faster.
const SHORTEST: Duration = Duration::from_secs(30);

/// What is known of one target.
#[derive(Debug)]
pub(super) struct Standing {
    uri: String,
    ranks: Vec<Vec<Hop>>,
    /// What the log was last told to be wrong.
    complaint: Option<String>,
    /// When to look again.
    pub(super) rest: Duration,
    pause: Duration,
}

impl Standing {
    pub(super) fn new(uri: String) -> Standing {
        let (ranks, complaint, rest) = (Vec::new(), None, Duration::ZERO);
        Standing { uri, ranks, complaint, rest, pause: OFTEN / 2 }
    }

    pub(super) fn uri(&self) -> &str {
        &self.uri
    }

    /// Takes over what a walk has found; tells whether that is another than was known. What was
    /// known stays if it has found nothing: a name server that is away for a while must not take
    /// the PBX away.
    pub(super) fn take(&mut self, walked: Walked) -> bool {
        let Walked { ranks, holds_for, trouble } = walked;
        let is_well = trouble.is_none() && !ranks.is_empty();
        self.pause = if is_well { OFTEN / 2 } else { (self.pause * 2).min(SELDOM) };
        self.rest = if is_well { holds_for.max(SHORTEST) } else { self.pause };
        // Servers of one rank change places at every walk: that is no change.
        let has_changed = !ranks.is_empty() && sorted(&ranks) != sorted(&self.ranks);
        let is_first = self.ranks.is_empty();
        if !ranks.is_empty() {
            self.ranks = ranks;
        }
        let was_wrong = if is_well { self.complaint.take().is_some() } else { false };
        if has_changed || was_wrong {
            let verb = if has_changed && !is_first { "has moved to" } else { "is at" };
            info!(side = "pbx", target = %self.uri, "PBX target {} {verb} {}", self.uri, self.ways());
        }
        if !is_well {
            self.complain(trouble.as_ref());
        }
        has_changed
    }

    /// All hops, best first.
    pub(super) fn hops(&self) -> Vec<Hop> {
        self.ranks.concat()
    }

    /// Says what is wrong, once.
    fn complain(&mut self, trouble: Option<&Trouble>) {
        let (what, remedy) = complaint(trouble);
        if self.complaint.as_ref() == Some(&what) {
            return;
        }
        let known = match self.ranks.is_empty() {
            true => String::new(),
            false => format!(", and keeps to {} until then", self.ways()),
        };
        let uri = &self.uri;
        warn!(side = "pbx", target = %uri, "PBX target {uri}: {what}; {remedy}; Parkade asks again soon{known}");
        self.complaint = Some(what);
    }

    fn ways(&self) -> String {
        let way = |(transport, peer): &Hop| format!("{}:{peer}", transport.in_uri());
        self.ranks.iter().flatten().map(way).collect::<Vec<_>>().join(", ")
    }
}

/// What was asked and what came, and what to do about it.
fn complaint(trouble: Option<&Trouble>) -> (String, &'static str) {
    let Some((question, failure)) = trouble else {
        let what = "the DNS has no records that lead to it (NAPTR, SRV, A, AAAA)".to_owned();
        return (what, "see whether pbx.target is spelt right");
    };
    let remedy = match failure {
        Failure::Silent | Failure::Unreached(_) => {
            "see whether the name servers in /etc/resolv.conf are up and can be reached"
        }
        Failure::Said(_) => "see what the name servers in /etc/resolv.conf have against it",
    };
    (format!("asked for {question}, {failure}"), remedy)
}

fn sorted(ranks: &[Vec<Hop>]) -> Vec<Vec<Hop>> {
    let mut ranks = ranks.to_vec();
    ranks.iter_mut().for_each(|rank| rank.sort_unstable());
    ranks
}

#[cfg(test)]
mod tests {
    use base::Chance;

    use super::*;
    use crate::resolve::memory::Memory;
    use crate::resolve::names::{Kind, Srv};
    use crate::resolve::table::{Table, server, table};
    use crate::resolve::walk::walk;

    const SRV: &str = "_sip._udp.pbx.example.";

    /// A target and all that its watcher has.
    struct Watched(Standing, Memory, Chance);

    fn watched() -> Watched {
        let standing = Standing::new("sip:pbx.example".to_owned());
        Watched(standing, Memory::default(), Chance::from_seed(1))
    }

    impl Watched {
        fn look(&mut self, table: &Table) -> bool {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let Watched(standing, memory, chance) = self;
            let uri = standing.uri().to_owned();
            standing.take(runtime.block_on(walk(&uri, table, memory, chance)))
        }

        fn ports(&self) -> Vec<u16> {
            self.0.hops().iter().map(|(_, peer)| peer.port()).collect()
        }
    }

    #[test]
    fn a_change_of_priorities_alone_is_a_change() {
        let (mut watched, mut table) = (watched(), table());
        table.srv(SRV, &[server(10, "pbx.example.", 1), server(20, "b.example.", 2)]);
        assert!(watched.look(&table));
        assert!(!watched.look(&table));
        table.srv(SRV, &[server(20, "pbx.example.", 1), server(10, "b.example.", 2)]);
        assert!(watched.look(&table));
        assert_eq!(watched.ports(), [2, 1]);
    }

    #[test]
    fn servers_of_equal_priority_that_change_places_are_no_change() {
        let (mut watched, mut table) = (watched(), table());
        let weighty = |host, port| Srv { weight: 1, ..server(10, host, port) };
        table.srv(SRV, &[weighty("pbx.example.", 1), weighty("b.example.", 2)]);
        watched.look(&table);
        let mut firsts = Vec::new();
        for _ in 0..20 {
            assert!(!watched.look(&table));
            firsts.push(watched.ports()[0]);
        }
        assert!(firsts.contains(&1) && firsts.contains(&2), "{firsts:?}");
    }

    #[test]
    fn what_is_known_stays_while_a_question_fails_and_is_asked_for_again_soon() {
        let (mut watched, mut table) = (watched(), table());
        table.srv(SRV, &[server(10, "b.example.", 5)]);
        watched.look(&table);
        assert_eq!(watched.0.rest, Duration::from_secs(300));
        table.fail(Kind::Srv, SRV, Failure::Said("Server Failure".into()));
        for seconds in [5, 10, 20, 40, 60, 60] {
            assert!(!watched.look(&table));
            assert_eq!(watched.ports(), [5]);
            assert_eq!(watched.0.rest, Duration::from_secs(seconds));
        }
        table.srv(SRV, &[server(10, "b.example.", 6)]);
        assert!(watched.look(&table));
        assert_eq!(watched.ports(), [6]);
        assert_eq!(watched.0.rest, Duration::from_secs(300));
    }

    #[test]
    fn what_is_known_stays_when_the_name_leads_nowhere_any_more() {
        let mut watched = watched();
        watched.look(&table());
        assert!(!watched.look(&Table::default()));
        assert_eq!(watched.ports(), [5060]);
    }

    #[test]
    fn a_complaint_says_what_was_asked_what_came_and_what_to_do() {
        let (mut watched, mut table) = (watched(), table());
        table.is_dead = true;
        watched.look(&table);
        let said = watched.0.complaint.clone().unwrap();
        assert_eq!(said, "asked for NAPTR pbx.example, no name server answers");
        table.is_dead = false;
        table.fail(Kind::Srv, SRV, Failure::Said("Server Failure".into()));
        watched.look(&table);
        let said = watched.0.complaint.clone().unwrap();
        assert_eq!(
            said,
            "asked for SRV _sip._udp.pbx.example, the name server says: Server Failure"
        );
        watched.look(&self::table());
        assert_eq!(watched.0.complaint, None);
    }
}
