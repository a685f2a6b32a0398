//! Who forwards beside the workers: the nftables table, or, where each far side is to hear one stream,
//! the program that shifts.

use base::Moment;
use rtp_flow::{FastPath, Passed, Relay};

use crate::media::kernel::{Applied, Count, Kernel, NotHere, Refused, Way, WayOrder};
use crate::media::shifter::{Shifted, Shifter};

/// Either of them.
#[derive(Debug)]
pub(crate) enum Forwarder {
    /// The table, which forwards packets as they are.
    Table(Kernel),
    /// The program, which makes one stream of them.
    Program(Box<Shifter>),
}

/// What orders have come to.
#[derive(Debug)]
pub(super) struct Obeyed {
    /// Ways that are not taken, and why.
    pub(super) refused: Vec<(Way, NotHere)>,
    /// Ways that have ended, and what went them.
    pub(super) ended: Vec<(Way, Passed)>,
}

impl Forwarder {
    /// A relay that leaves to it what it can do.
    pub(super) fn beside(&self, relay: Relay) -> Relay {
        match self {
            Forwarder::Table(_) => relay.by_fast_paths(),
            Forwarder::Program(_) => relay.by_shifting_paths(),
        }
    }

    /// Does what is ordered: it is in effect when this returns.
    ///
    /// # Errors
    /// If nothing is forwarded any more.
    pub(super) fn apply(
        &self,
        now: Moment,
        orders: &[(WayOrder, FastPath)],
    ) -> Result<Obeyed, Refused> {
        match self {
            Forwarder::Table(kernel) => {
                let ways: Vec<WayOrder> = orders.iter().map(|(order, _)| *order).collect();
                let Applied { refused, ended } = kernel.apply(&ways)?;
                let passed = |(way, count): (Way, Count)| {
                    let Count { packets: came, bytes } = count;
                    (way, Passed { came, left: came, bytes, last: None })
                };
                Ok(Obeyed { refused, ended: ended.into_iter().map(passed).collect() })
            }
            Forwarder::Program(shifter) => {
                let ways: Vec<_> =
                    orders.iter().map(|(order, path)| (*order, path.shift)).collect();
                let Shifted { refused, ended } = shifter.apply(now, &ways);
                Ok(Obeyed { refused, ended })
            }
        }
    }

    /// What forwards goes on when this ends, if it can, for the process that takes over.
    pub(crate) fn stay(&self) {
        match self {
            Forwarder::Table(kernel) => kernel.stay(),
            // Its links end with the process.
            Forwarder::Program(_) => {}
        }
    }

    /// What has gone each way since it was opened, as far as it has been counted.
    ///
    /// # Errors
    /// If nothing is forwarded any more.
    pub(super) fn passed(&self) -> Result<Vec<(Way, Passed)>, Refused> {
        match self {
            Forwarder::Table(kernel) => kernel.passed(),
            Forwarder::Program(shifter) => Ok(shifter.passed()),
        }
    }
}
