//! The SRTP of one pair: what its far side sends us, and what we send it.

use std::time::Duration;

use base::{Chance, Moment};

use crate::srtp::master::Srtp;
use crate::srtp::receiver::{Rejected, SrtpReceiver};
use crate::srtp::sender::SrtpSender;

/// For how long what comes with the former key is still taken: until the far side has had the answer to
/// the offer that names the new one.
const FORMER: Duration = Duration::from_secs(32);

/// Both directions of one pair.
#[derive(Debug)]
pub(crate) struct Session {
    keys: Srtp,
    receiver: SrtpReceiver,
    former: Option<(SrtpReceiver, Moment)>,
    pub(crate) sender: SrtpSender,
}

impl Session {
    /// With these keys.
    pub(crate) fn new(keys: &Srtp, chance: &mut Chance) -> Session {
        Session {
            keys: keys.clone(),
            receiver: SrtpReceiver::new(&keys.inbound),
            former: None,
            sender: SrtpSender::new(&keys.outbound, chance),
        }
    }

    /// Goes on with these keys. Whether those for what we send are others than before: then another
    /// stream begins, since nobody can tell how its receiver would count on.
    pub(crate) fn rekey(&mut self, now: Moment, keys: &Srtp, chance: &mut Chance) -> bool {
        if self.keys.inbound != keys.inbound {
            let receiver = SrtpReceiver::new(&keys.inbound);
            let former = std::mem::replace(&mut self.receiver, receiver);
            self.former = Some((former, now + FORMER));
        }
        let sends_anew = self.keys.outbound != keys.outbound;
        if sends_anew {
            self.sender = SrtpSender::new(&keys.outbound, chance);
        }
        self.keys = keys.clone();
        sends_anew
    }

    /// Checks and decrypts what has come; gives how many bytes are left.
    pub(crate) fn open(
        &mut self,
        now: Moment,
        rtcp: bool,
        packet: &mut [u8],
    ) -> Result<usize, Rejected> {
        let open = |receiver: &mut SrtpReceiver, packet: &mut [u8]| match rtcp {
            true => receiver.rtcp(packet),
            false => receiver.rtp(now, packet),
        };
        let opened = open(&mut self.receiver, packet);
        match &mut self.former {
            Some((former, until)) if opened == Err(Rejected::Forged) && now < *until => {
                open(former, packet)
            }
            _ => opened,
        }
    }
}
