// SPDX-License-Identifier: GPL-2.0

//! Claims: links that a program holds.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::RecvFlags;

use crate::attr::Writer;
use crate::connection::only;
use crate::error::{Error, Result};
use crate::generic::{contents, Family};
use crate::link::Links;
use crate::message::{messages, Answer};
use crate::names::Set;
use crate::socket::{readable, Socket};
use crate::types::{ClaimState, Named};
use crate::uapi::{attr, claim, cmd, Reason, FAMILY, VERSION};

/// A request for a claim.
#[derive(Clone, Copy, Debug)]
pub struct ClaimRequest<'a> {
    /// The trunk, by interface index.
    pub trunk: u32,
    /// The port whose link it should be, by interface index.
    pub port: u32,
    /// The mark of the frames that are to leave by it, not 0. No other claim of the trunk may have
    /// it.
    pub mark: u32,
    /// What the holder calls itself, up to 31 bytes.
    pub name: Option<&'a str>,
}

/// A link of a trunk that this program holds: the wanted port or, while that has failed, the best
/// free spare. Frames with the claim's mark leave by it. The claim ends when this is dropped, when
/// the program ends in any way, and with its trunk.
///
/// The program sets the mark on its own sockets, for which it needs CAP_NET_ADMIN or CAP_NET_RAW:
///
/// ```no_run
/// use std::net::UdpSocket;
/// use std::os::fd::AsRawFd;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut links = trunk_nl::Links::open(None)?;
/// let request = trunk_nl::ClaimRequest {
///     trunk: links.trunk_by_name("trunk0")?.ifindex,
///     port: links.by_name("eth1")?.ifindex,
///     mark: 7,
///     name: Some("metering"),
/// };
/// let mut claim = trunk_nl::Claim::take(None, &request)?;
///
/// let socket = UdpSocket::bind("0.0.0.0:0")?;
/// let mark = claim.mark();
/// let done = unsafe {
///     libc::setsockopt(
///         socket.as_raw_fd(),
///         libc::SOL_SOCKET,
///         libc::SO_MARK,
///         (&raw const mark).cast(),
///         size_of_val(&mark) as libc::socklen_t,
///     )
/// };
/// assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
/// socket.send_to(b"by the claimed link", "192.0.2.1:5000")?;
///
/// // The link may change; the socket and its mark stay.
/// while let Some(change) = claim.next_change(None)? {
///     println!("{:?} -> {:?}: {}", change.old, change.new, change.reason);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Claim {
    socket: Socket,
    family: Family,
    /// Notifies when the trunk goes, which the family does not.
    links: Links,
    state: ClaimState,
    /// Received notifications that were not asked for yet.
    told: VecDeque<ClaimState>,
}

/// A change of a claim's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The port that it had, by interface index; none if no spare was free.
    pub old: Option<u32>,
    /// The port that it has, by interface index; none if no spare is free.
    pub new: Option<u32>,
    /// Number of that port at the peer, if it is known.
    pub peer_port: Option<u32>,
    /// Why it lost the old port; none if that did not fail, or if the reason is not known.
    pub reason: Named<Reason>,
}

impl Claim {
    /// Claims a link in a network namespace, by its name or path, or in the caller's own. The
    /// kernel first sends a round of probes, so this takes up to the trunk's reply-timeout. Needs
    /// CAP_NET_ADMIN there.
    pub fn take(namespace: Option<&str>, request: &ClaimRequest<'_>) -> Result<Self> {
        let mut socket = Socket::open(libc::NETLINK_GENERIC, namespace)?;
        let family = Family::find(&mut socket, FAMILY, VERSION, Set::TRUNK)?;
        // Before the claim, so that the end of the trunk cannot be missed.
        let mut links = Links::open(namespace)?;
        links.watch()?;
        let answers = socket.ask(family.once(cmd::CLAIM_ADD, |w| request.write(w)), |body| {
            only(ClaimState::read_all(contents(body)?)?)
        })?;
        Ok(Self {
            socket,
            family,
            links,
            state: only(answers)?,
            told: VecDeque::new(),
        })
    }

    /// Returns the mark to be set on sockets.
    pub fn mark(&self) -> u32 {
        self.state.mark
    }

    /// Returns the port of the claim, by interface index, after the last change that
    /// [`next_change`](Self::next_change) returned; none if no spare was free.
    pub fn link(&self) -> Option<u32> {
        self.state.link
    }

    /// Returns the claim after the last change that [`next_change`](Self::next_change) returned.
    pub fn state(&self) -> &ClaimState {
        &self.state
    }

    /// Returns the next change of its link, or `None` if there is none within the limit; without a
    /// limit, waits. Fails with [`Error::NoSuchDevice`] once the trunk has gone.
    pub fn next_change(&mut self, limit: Option<Duration>) -> Result<Option<Change>> {
        let end = limit.and_then(|limit| Instant::now().checked_add(limit));
        loop {
            for (kind, body) in std::mem::take(&mut self.socket.unasked) {
                if self.family.owns(kind) {
                    self.told.extend(ClaimState::read_all(contents(&body)?)?);
                }
            }
            while let Some(told) = self.told.pop_front() {
                if let Some(change) = change(&mut self.state, told) {
                    return Ok(Some(change));
                }
            }
            if self.links.has_gone(self.state.trunk)? {
                return Err(Error::NoSuchDevice(self.state.trunk_name.clone()));
            }
            let limit = end.map(|end| end.saturating_duration_since(Instant::now()));
            if !readable(&self.fds(), limit)? {
                return Ok(None);
            }
            match self.socket.datagram(RecvFlags::DONTWAIT) {
                Ok(datagram) => self.told.extend(read(datagram, &self.family)?),
                Err(Errno::NOBUFS) => self.ask_anew()?,
                Err(Errno::AGAIN) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Returns descriptors to poll for reading before [`next_change`](Self::next_change).
    pub fn fds(&self) -> [BorrowedFd<'_>; 2] {
        [self.socket.as_fd(), self.links.as_fd()]
    }

    /// Ends the claim, and waits until that is done. When a claim is dropped, it ends without an
    /// error if that fails.
    pub fn release(mut self) -> Result<()> {
        let (trunk, mark) = (self.state.trunk, self.state.mark);
        self.socket.order(self.family.once(cmd::CLAIM_DEL, |w| {
            w.u32(attr::IFINDEX, trunk);
            w.nest(attr::CLAIM, |w| w.u32(claim::MARK, mark));
        }))
    }

    /// Asks for the claim after notifications were lost. After a loss the kernel drops all until
    /// the socket is empty, so this empties the socket first.
    fn ask_anew(&mut self) -> Result<()> {
        loop {
            match self.socket.datagram(RecvFlags::DONTWAIT) {
                Ok(datagram) => self.told.extend(read(datagram, &self.family)?),
                Err(Errno::NOBUFS) => {}
                Err(Errno::AGAIN) => break,
                Err(errno) => return Err(errno.into()),
            }
        }
        let trunk = self.state.trunk;
        let request = self
            .family
            .dump(cmd::CLAIM_GET, |w| w.u32(attr::IFINDEX, trunk));
        let parts = self
            .socket
            .ask(request, |body| ClaimState::read_all(contents(body)?))?;
        self.told.extend(parts.concat());
        Ok(())
    }
}

impl ClaimRequest<'_> {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.u32(attr::IFINDEX, self.trunk);
        w.nest(attr::CLAIM, |w| {
            w.u32(claim::MARK, self.mark);
            w.u32(claim::PORT, self.port);
            if let Some(name) = self.name {
                w.string(claim::NAME, name);
            }
        });
    }
}

/// Applies a notification, and returns the change if there is one.
pub(crate) fn change(state: &mut ClaimState, told: ClaimState) -> Option<Change> {
    let own = (told.trunk, told.mark) == (state.trunk, state.mark);
    // The answer to the claim may contain one that was sent meanwhile.
    if !own || told.link == state.link {
        return None;
    }
    let change = Change {
        old: state.link,
        new: told.link,
        peer_port: told.peer_port,
        reason: told.reason.unwrap_or(Named::Known(Reason::None)),
    };
    (state.port, state.link, state.peer_port) = (told.port, told.link, told.peer_port);
    Some(change)
}

/// Returns the claims in a datagram.
fn read(datagram: &[u8], family: &Family) -> Result<Vec<ClaimState>> {
    let mut all = Vec::new();
    for message in messages(datagram) {
        if let Answer::Data(kind, body) = message?.answer {
            if family.owns(kind) {
                all.extend(ClaimState::read_all(contents(body)?)?);
            }
        }
    }
    Ok(all)
}
