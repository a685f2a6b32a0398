//! Networks of their own, joined by veth: nothing outside of them is touched, and they end with the
//! test.

use std::fs::File;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::{Command, Output};
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};

/// How long a packet may take; and how long it takes to say that none comes.
const SOON: Duration = Duration::from_secs(2);
const NEVER: Duration = Duration::from_millis(150);

/// The three networks. The thread of the test is in one of them at a time.
pub(crate) struct Net {
    /// 192.0.2.10 and 2001:db8:1::10 on `eth0`, with all else behind the host.
    pub(crate) phones: File,
    /// `phones` with 192.0.2.1 and 2001:db8:1::1, `pbx` with 198.51.100.1 and 2001:db8:2::1.
    pub(crate) host: File,
    /// 198.51.100.20 and 2001:db8:2::20 on `eth0`, with all else behind the host.
    pub(crate) pbx: File,
}

/// The three networks, or a word about why this machine has none; the test is over then.
pub(crate) fn net() -> Option<Net> {
    match made() {
        Ok(net) => Some(net),
        Err(why) => {
            eprintln!("SKIPPED, this machine makes no network namespaces of ours: {why}");
            None
        }
    }
}

fn made() -> Result<Net, String> {
    for program in ["ip", "nft"] {
        if tool(program, &["-V"]).is_err() {
            return Err(format!("{program} is not installed (scripts/setup installs it)"));
        }
    }
    let [phones, pbx, host] = [anew()?, anew()?, anew()?];
    let net = Net { phones, host, pbx };
    for (side, link) in [(&net.phones, "phones"), (&net.pbx, "pbx")] {
        let there = format!("/proc/{}/fd/{}", std::process::id(), side.as_raw_fd());
        ip(&format!("link add {link} type veth peer name eth0 netns {there}"))?;
    }
    ip("address add 192.0.2.1/24 dev phones")?;
    ip("address add 2001:db8:1::1/64 dev phones nodad")?;
    ip("address add 198.51.100.1/24 dev pbx")?;
    ip("address add 2001:db8:2::1/64 dev pbx nodad")?;
    for link in ["lo", "phones", "pbx"] {
        ip(&format!("link set {link} up"))?;
    }
    sysctl("net/ipv4/ip_forward", "1");
    sysctl("net/ipv6/conf/all/forwarding", "1");
    let ends = [
        (&net.phones, "192.0.2.10/24", "192.0.2.1", "2001:db8:1::10/64", "2001:db8:1::1"),
        (&net.pbx, "198.51.100.20/24", "198.51.100.1", "2001:db8:2::20/64", "2001:db8:2::1"),
    ];
    for (side, four, way4, six, way6) in ends {
        net.within(side, || {
            ip(&format!("address add {four} dev eth0"))?;
            ip(&format!("address add {six} dev eth0 nodad"))?;
            for link in ["lo", "eth0"] {
                ip(&format!("link set {link} up"))?;
            }
            ip(&format!("route add default via {way4}"))?;
            ip(&format!("route add default via {way6}"))
        })?;
    }
    Ok(net)
}

impl Net {
    /// Does something in one of the networks; the thread is in the host's again afterwards.
    pub(crate) fn within<T>(&self, side: &File, act: impl FnOnce() -> T) -> T {
        setns(side, CloneFlags::CLONE_NEWNET).unwrap();
        let done = act();
        setns(&self.host, CloneFlags::CLONE_NEWNET).unwrap();
        done
    }

    /// A socket in one of the networks.
    pub(crate) fn socket(&self, side: &File, address: &str) -> UdpSocket {
        self.within(side, || UdpSocket::bind(address).unwrap())
    }
}

/// Puts the thread in a new network.
fn anew() -> Result<File, String> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|error| error.to_string())?;
    File::open("/proc/thread-self/ns/net").map_err(|error| error.to_string())
}

/// Runs `ip` in the network that the thread is in.
pub(crate) fn ip(words: &str) -> Result<(), String> {
    tool("ip", &words.split(' ').collect::<Vec<_>>()).map(|_| ())
}

/// Has `nft` do something in the network that the thread is in.
#[track_caller]
pub(crate) fn nft(words: &str) -> String {
    tool("nft", &[words]).unwrap()
}

fn tool(program: &str, words: &[&str]) -> Result<String, String> {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let ran = Command::new(program).args(words).env("PATH", path).output();
    let Output { status, stdout, stderr } = ran.map_err(|error| error.to_string())?;
    let told = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if status.success() { Ok(told(&stdout)) } else { Err(told(&stderr)) }
}

/// Sets a value of the network that the thread is in.
#[track_caller]
pub(crate) fn sysctl(name: &str, value: &str) {
    std::fs::write(format!("/proc/sys/{name}"), value).unwrap();
}

/// An address that a test writes down.
#[track_caller]
pub(crate) fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The next packet, and who it says has sent it.
#[track_caller]
pub(crate) fn heard(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    socket.set_read_timeout(Some(SOON)).unwrap();
    let mut packet = vec![0; 65_536];
    let (len, from) = socket.recv_from(&mut packet).unwrap();
    packet.truncate(len);
    (packet, SocketAddr::new(from.ip(), from.port()))
}

/// That nothing has come, and nothing comes.
#[track_caller]
pub(crate) fn silent(socket: &UdpSocket) {
    socket.set_read_timeout(Some(NEVER)).unwrap();
    let mut packet = [0; 2048];
    let came = socket.recv_from(&mut packet).map(|(len, from)| (packet[..len].to_vec(), from));
    assert!(came.is_err(), "{came:?}");
}

/// The wildcard of an address's IP version.
pub(crate) fn any(ip: IpAddr) -> IpAddr {
    if ip.is_ipv4() { [0; 4].into() } else { [0u16; 8].into() }
}
