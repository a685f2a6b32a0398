//! Who is there: five phones and a caller from outside, each at an address of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use base::{Chance, Transport};
use simnet::{Account, Habits, Phone, frequency};

/// The domain of the PBX and its phones.
pub(super) const DOMAIN: &str = "pbx.example";

/// Somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Who {
    /// What the ladder calls it.
    pub(super) label: &'static str,
    /// Its name.
    pub(super) name: &'static str,
    /// What is dialled to reach it.
    pub(super) number: &'static str,
    /// The last byte of its address.
    pub(super) host: u8,
}

const fn phone(number: &'static str, name: &'static str, host: u8) -> Who {
    Who { label: number, name, number, host }
}

/// Everybody; the last one is the caller, behind the PBX.
pub(super) const EVERYBODY: [Who; 6] = [
    phone("101", "Carol", 101),
    phone("102", "Dave", 102),
    phone("103", "James", 103),
    phone("104", "Bob", 104),
    phone("105", "Alice", 105),
    Who { label: "caller", name: "Jane", number: "+33176000001", host: 201 },
];

/// The place of the caller in [`EVERYBODY`]; before it are the phones.
pub(super) const CALLER: usize = 5;

/// Where the house speaks with the phones, and where with the PBX.
pub(super) const HOUSE: [IpAddr; 2] = [host(1), host(2)];

/// Where the PBX is.
pub(super) const PBX: IpAddr = host(50);

pub(super) const fn host(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))
}

impl Who {
    /// Its phone: it speaks from `sip`, hears from `rtp` on, and has `proxy` for all that it sends.
    pub(super) fn phone(
        &self,
        seat: usize,
        sip: SocketAddr,
        rtp: SocketAddr,
        proxy: SocketAddr,
        password: String,
    ) -> Phone {
        let account = Account {
            name: self.label.to_owned(),
            user: self.number.to_owned(),
            display: self.name.to_owned(),
            domain: DOMAIN.to_owned(),
            address: sip,
            proxy,
            transport: Transport::Udp,
            is_sips: false,
            rtp_base: rtp.port(),
            frequency: frequency(seat),
            password,
            user_agent: "Parkade demo phone".to_owned(),
        };
        Phone::new(account, Habits::default(), Chance::from_seed(1000 + seat as u64))
    }
}
