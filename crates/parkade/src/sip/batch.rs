//! Many datagrams in one system call, each with the local address to which it was sent.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};

/// How many datagrams one call may bring.
pub(super) const BATCH: usize = 32;

/// No UDP payload is longer.
const LONGEST: usize = 65_536;

/// Room for one `in6_pktinfo` or `in_pktinfo` with its header.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; 64]);

/// Room for one batch; the pages that no datagram has needed stay untouched.
pub(super) struct Batch {
    bytes: Vec<u8>,
    names: Box<[libc::sockaddr_storage; BATCH]>,
    controls: Box<[Control; BATCH]>,
    lengths: [usize; BATCH],
    control_lengths: [usize; BATCH],
}

/// One datagram of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Datagram<'b> {
    /// What it holds.
    pub(super) bytes: &'b [u8],
    /// Who sent it.
    pub(super) from: SocketAddr,
    /// To which of our addresses, if the socket tells.
    pub(super) to: Option<IpAddr>,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").finish_non_exhaustive()
    }
}

impl Batch {
    pub(super) fn new() -> Batch {
        // SAFETY: all-zero is a valid sockaddr_storage (family AF_UNSPEC).
        let name: libc::sockaddr_storage = unsafe { mem::zeroed() };
        Batch {
            bytes: vec![0; BATCH * LONGEST],
            names: Box::new([name; BATCH]),
            controls: Box::new([Control([0; 64]); BATCH]),
            lengths: [0; BATCH],
            control_lengths: [0; BATCH],
        }
    }

    /// Takes what lies at the socket, without waiting; tells how many datagrams.
    ///
    /// # Errors
    /// `WouldBlock` if there is none; what the system says otherwise.
    #[allow(clippy::unnecessary_cast, reason = "C libraries differ in the width of lengths")]
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        // SAFETY: all-zero is a valid mmsghdr and iovec (null pointers with length zero).
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        let mut slices: [libc::iovec; BATCH] = unsafe { mem::zeroed() };
        let buffers = self.bytes.chunks_exact_mut(LONGEST);
        for (i, (header, buffer)) in headers.iter_mut().zip(buffers).enumerate() {
            slices[i] = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
            let header = &mut header.msg_hdr;
            header.msg_iov = &raw mut slices[i];
            header.msg_iovlen = 1;
            header.msg_name = (&raw mut self.names[i]).cast();
            header.msg_namelen = mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_control = (&raw mut self.controls[i]).cast();
            header.msg_controllen = mem::size_of::<Control>() as _;
        }
        // SAFETY: every header points at its own slice, name and control room, all of which outlive
        // the call; the kernel writes no further than the lengths given.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as _,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        for (i, header) in headers.iter().take(count).enumerate() {
            self.lengths[i] = (header.msg_len as usize).min(LONGEST);
            self.control_lengths[i] = (header.msg_hdr.msg_controllen as usize).min(64);
        }
        Ok(count)
    }

    /// The datagram at `i`, below the count that [`Batch::receive`] told; none if its sender has no
    /// IP address.
    pub(super) fn get(&self, i: usize) -> Option<Datagram<'_>> {
        let start = i * LONGEST;
        Some(Datagram {
            bytes: self.bytes.get(start..start + self.lengths[i])?,
            from: address(&self.names[i])?,
            to: local(&self.controls[i].0[..self.control_lengths[i]]),
        })
    }
}

/// Reads a socket address as the system writes it.
fn address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that it is a sockaddr_in, which is smaller than the storage.
            let v4 = unsafe { &*std::ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above, with sockaddr_in6.
            let v6 = unsafe { &*std::ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let port = u16::from_be(v6.sin6_port);
            Some(match ip.to_ipv4_mapped() {
                Some(v4) => SocketAddrV4::new(v4, port).into(),
                None => SocketAddrV6::new(ip, port, 0, v6.sin6_scope_id).into(),
            })
        }
        _ => None,
    }
}

#[allow(clippy::useless_conversion, reason = "C libraries differ in the width of lengths")]
/// The local address in the control messages (ip(7) `IP_PKTINFO`, ipv6(7) `IPV6_PKTINFO`).
fn local(mut control: &[u8]) -> Option<IpAddr> {
    const HEADER: usize = mem::size_of::<libc::cmsghdr>();
    while control.len() >= HEADER {
        // SAFETY: there are at least so many bytes, and a cmsghdr is plain numbers.
        let header: libc::cmsghdr = unsafe { std::ptr::read_unaligned(control.as_ptr().cast()) };
        let whole = usize::try_from(header.cmsg_len).ok()?;
        let data = control.get(HEADER..whole)?;
        match (header.cmsg_level, header.cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // ifindex, then the local address, then the destination in the packet.
                let octets: [u8; 4] = data.get(4..8)?.try_into().ok()?;
                return Some(IpAddr::from(octets));
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let octets: [u8; 16] = data.get(..16)?.try_into().ok()?;
                return Some(IpAddr::from(octets).to_canonical());
            }
            _ => {}
        }
        control = control.get(whole.next_multiple_of(mem::size_of::<usize>())..)?;
    }
    None
}

/// Sends one datagram without waiting, from this local address if one is given (for a socket that
/// is bound to a wildcard).
///
/// # Errors
/// `WouldBlock` if the socket is full; what the system says otherwise.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    to: SocketAddr,
    from: Option<IpAddr>,
) -> io::Result<()> {
    let name = socket2::SockAddr::from(to);
    let mut control = Control([0; 64]);
    let mut slice =
        libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: all-zero is a valid msghdr.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_name = name.as_ptr().cast_mut().cast();
    header.msg_namelen = name.len();
    header.msg_iov = &raw mut slice;
    header.msg_iovlen = 1;
    if let Some(from) = from {
        header.msg_controllen = write_local(&mut control, from, to.is_ipv6()) as _;
        header.msg_control = (&raw mut control).cast();
    }
    // SAFETY: name, slice and control outlive the call and are only read.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, libc::MSG_DONTWAIT) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Writes the control message that sets the source address; tells its length.
fn write_local(control: &mut Control, from: IpAddr, over_v6: bool) -> usize {
    const HEADER: usize = mem::size_of::<libc::cmsghdr>();
    let (level, kind, length) = if over_v6 {
        let octets = match from {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        control.0[HEADER..HEADER + 16].copy_from_slice(&octets);
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, mem::size_of::<libc::in6_pktinfo>())
    } else {
        if let IpAddr::V4(v4) = from {
            control.0[HEADER + 4..HEADER + 8].copy_from_slice(&v4.octets());
        }
        (libc::IPPROTO_IP, libc::IP_PKTINFO, mem::size_of::<libc::in_pktinfo>())
    };
    let header =
        libc::cmsghdr { cmsg_len: (HEADER + length) as _, cmsg_level: level, cmsg_type: kind };
    // SAFETY: a cmsghdr fits at the start of the room, which is aligned for it.
    unsafe { std::ptr::write(control.0.as_mut_ptr().cast(), header) };
    HEADER + length.next_multiple_of(mem::size_of::<usize>())
}
