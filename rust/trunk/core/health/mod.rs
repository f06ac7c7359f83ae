// SPDX-License-Identifier: GPL-2.0

//! Finds out which links work in both directions, by tests on all of them, all the time.
//!
//! Time comes in as a value, in ns of one monotonic clock. Probes come in and go out as values.
//! [`Health::tick`] returns when it is to be called again, and on which ports tests are due.
//! [`Health::verdict`] says whether a link works, and if not, why.
//!
//! A message is **trusted** if it echoes the nonce of one of the last tests that left by the same
//! port. Its sender has seen that test, so it is at the other end of the link. Only trusted
//! messages are answers, and only they say something about the peer. A trusted message that comes
//! in after a later one of its kind still counts as an answer, but says nothing new.
//!
//! A link is **dead** if nothing shows for some rounds that tests get through, and **late** if
//! something does, but answers take too long. Only the former takes it out of use.
//! A link that works may still lose some kind of data, see `paths`.

mod damping;
mod link;
mod messages;
mod paths;
mod reasons;
mod ring;
mod rounds;
#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
mod tests;

use self::{
    paths::Paths,
    ring::TESTS, //
};
use super::port::{
    PortId,
    PortSet, //
};
pub use super::uapi::{
    Peers,
    ProbeMode,
    Reason, //
};
use super::wire::Identity;
use super::MAX_PORTS;
use ::core::{
    borrow::{
        Borrow,
        BorrowMut, //
    },
    ops::DerefMut, //
};
pub use link::{
    Counts,
    Link,
    Peer,
    RoundTrip, //
};

/// The least time from one reply to the next on one port, in ns: 2,000 replies a second.
const REPLY_EVERY: u64 = 500_000;

/// How much earlier replies may leave after a time without replies, in ns: a burst of 32.
const REPLY_BURST: u64 = 31 * REPLY_EVERY;

/// How links are tested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Whether links are tested.
    pub mode: ProbeMode,
    /// The time from one round of tests to the next, in µs. 0 counts as 1.
    pub interval: u32,
    /// How long after its test a reply is in time, in µs, at most the interval.
    pub reply_timeout: u32,
    /// A link that misses so many rounds in a row is not alive any more. 0 counts as 1.
    pub misses: u8,
    /// A link that answers so many rounds in a row is alive again. 0 counts as 1.
    pub hits: u8,
    /// The longest time that a link which fails again and again is held down, in ms. 0 is never.
    pub hold_down: u32,
    /// Whether all links lead to one trunk.
    pub peers: Peers,
}

impl Settings {
    const fn interval_ns(&self) -> u64 {
        (self.interval as u64).saturating_mul(1_000)
    }

    const fn reply_timeout_ns(&self) -> u64 {
        (self.reply_timeout as u64).saturating_mul(1_000)
    }

    const fn hold_down_ns(&self) -> u64 {
        (self.hold_down as u64).saturating_mul(1_000_000)
    }

    /// Returns the time after which a link that does not answer is dead, in ns.
    fn rounds(&self) -> u64 {
        self.interval_ns()
            .saturating_mul(self.misses.into())
            .saturating_add(self.reply_timeout_ns())
    }

    /// Returns for how many rounds more than `misses` a link must be silent to be dead, if replies are
    /// expected to take that long, in ns.
    fn patience(&self, expected: u64) -> u8 {
        let longer = expected.saturating_sub(self.reply_timeout_ns());
        let rounds = longer.div_ceil(self.interval_ns().max(1));
        u8::try_from(rounds.min(TESTS.into())).unwrap_or(u8::MAX)
    }

    /// Returns how long a reason must last to be more than a passing state of a link that dies or
    /// returns, in ns.
    pub fn lasting(&self) -> u64 {
        let rounds = self.misses.max(self.hits).saturating_add(1);
        self.interval_ns()
            .saturating_mul(rounds.into())
            .saturating_mul(2)
    }

    /// Returns the time in which at least one test must come from a peer that is heard, in ns. The
    /// interval of the peer is in µs.
    fn window(&self, peer_interval: u32) -> u64 {
        let interval = u64::from(self.interval.max(peer_interval)).saturating_mul(1_000);
        interval
            .saturating_add(interval >> 1)
            .saturating_add(self.reply_timeout_ns())
    }

    /// Returns whether the peer was still heard a window after the link last worked both ways.
    fn is_heard_on(&self, link: &Link) -> bool {
        let window = self.window(link.peer.map_or(0, |peer| peer.interval));
        link.good
            .is_some_and(|good| link.heard > good.saturating_add(window))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: ProbeMode::Auto,
            interval: 100_000,
            reply_timeout: 10_000,
            misses: 3,
            hits: 3,
            hold_down: 60_000,
            peers: Peers::One,
        }
    }
}

/// How the trunk uses its ports. Its probes say it to the peers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct View {
    /// Ports that are enabled, have carrier, and have no reason against them but perhaps
    /// [`Reason::PeerSby`]. Without this exception two ends that have both found a link bad would
    /// wait for each other for ever.
    pub usable: PortSet,
    /// Ports in use.
    pub in_use: PortSet,
    /// Ports held by a claim.
    pub held: PortSet,
    /// The trunk's MAC address.
    pub address: Option<[u8; 6]>,
}

/// Whether a link works, as of the last [`Health::tick`] or [`Health::receive`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// Why it is not to be used, [`Reason::None`] if it works.
    pub reason: Reason,
    /// Its peer, if that is alive and a trunk.
    pub proven: Option<Identity>,
    /// A claim of its peer holds it.
    pub held: bool,
    /// A trunk has answered on it.
    pub found: bool,
    /// Its tests reach other ports than the one at its other end: it leads to a switch that
    /// forwards probes, or two ports are cabled together.
    pub shared: bool,
}

impl Verdict {
    /// No reason against the link, and nothing known of it.
    pub const NONE: Self = Self {
        reason: Reason::None,
        proven: None,
        held: false,
        found: false,
        shared: false,
    };
}

/// What has happened since the last call of [`Health::news`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct News {
    /// Ports on which the peer answered for the first time.
    pub found: PortSet,
    /// Ports of which the peer said goodbye.
    pub bye: PortSet,
    /// Ports for which the peer has begun to say another priority.
    pub differs: PortSet,
    /// Ports on which replies have begun to come too late.
    pub late: PortSet,
    /// Ports on which replies come in time again.
    pub in_time: PortSet,
    /// All ports became silent at once.
    pub lost: bool,
}

/// What is due after [`Health::tick`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Due {
    /// Ports on which a test is to be sent now.
    pub test: PortSet,
    /// When to call again, in ns, if nothing is changed before. `u64::MAX` is never.
    pub next: u64,
}

/// The health of all links of a trunk. `B` is a box of, or a reference to, a link or a port with a
/// link, since these are too large for a stack.
pub struct Health<B> {
    own: Identity,
    settings: Settings,
    links: [Option<B>; MAX_PORTS],
    running: bool,
    /// The time of the last call.
    now: u64,
    /// When the last round was due, `None` before the first.
    last: Option<u64>,
    /// When the open rounds began, the older first. An open round waits for replies. A third cannot
    /// begin before the first is over, since a round waits for an interval at most.
    open: [Option<u64>; 2],
    /// When the next call is due.
    due: u64,
    /// How long the older open round waits, since a call came too late: replies that came before it may
    /// still be in a queue of the kernel.
    waits: Option<u64>,
    /// The trunk that all links are to lead to.
    reference: Option<Identity>,
    /// The ports of a peer that are heard. It is forgotten when it may be wrong.
    heard: Option<Heard>,
    /// The tests that resemble data.
    paths: Paths,
    news: News,
}

/// The ports of a peer that are heard.
#[derive(Clone, Copy)]
struct Heard {
    identity: Identity,
    /// One bit for each.
    ports: u64,
    /// The time until all of these count as heard, in ns, if nothing else comes in.
    until: u64,
}

/// Returns the bit of the port of that number, 0 if there can be none.
fn bit(port: u8) -> u64 {
    1u64.checked_shl(port.into()).unwrap_or(0)
}

impl<B: DerefMut<Target: BorrowMut<Link>>> Health<B> {
    /// Makes the health of a trunk without links. It is not running.
    pub fn new(own: Identity) -> Self {
        Self {
            own,
            settings: Settings::default(),
            links: [const { None }; MAX_PORTS],
            running: false,
            now: 0,
            last: None,
            open: [None; 2],
            due: u64::MAX,
            waits: None,
            reference: None,
            heard: None,
            paths: Paths::NONE,
            news: News::default(),
        }
    }

    fn link_mut(&mut self, id: PortId) -> Option<&mut Link> {
        Some(self.get_mut(id)?.borrow_mut())
    }

    /// Returns the links there are. A chain of adapters would have too long a symbol for objtool.
    fn iter(&self) -> impl Iterator<Item = (PortId, &Link)> {
        let mut ids = PortId::all();
        ::core::iter::from_fn(move || ids.find_map(|id| Some((id, self.link(id)?))))
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Link> {
        let links = self.links.iter_mut().flatten();
        links.map(|link| link.deref_mut().borrow_mut())
    }

    /// Makes `own` the identity of this end.
    pub fn identify(&mut self, own: Identity) {
        self.own = own;
    }

    /// Returns how links are tested.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes how links are tested. The caller calls [`tick`](Self::tick) next, since the next
    /// round may be due sooner. With another mode, what was learned of peers is forgotten.
    pub fn configure(&mut self, settings: Settings) {
        let mode = self.settings.mode;
        let interval = settings.interval.max(1);
        self.settings = Settings {
            interval,
            reply_timeout: settings.reply_timeout.min(interval),
            misses: settings.misses.max(1),
            hits: settings.hits.max(1),
            ..settings
        };
        if settings.mode != mode {
            self.forget();
        }
        let limit = settings.hold_down_ns();
        self.iter_mut().for_each(|link| link.damping.limit(limit));
    }

    /// Adds the link of a port. It takes the place of another one.
    pub fn add(&mut self, id: PortId, link: B) {
        if let Some(room) = self.links.get_mut(id.index()) {
            *room = Some(link);
        }
        let required = self.settings.mode == ProbeMode::Required;
        if let Some(link) = self.link_mut(id) {
            link.probed = required;
        }
        self.heard = None;
        self.paths.forget(id);
    }

    /// Removes the link of a port.
    pub fn remove(&mut self, id: PortId) -> Option<B> {
        self.heard = None;
        self.links.get_mut(id.index())?.take()
    }

    /// Returns the link of a port.
    pub fn link(&self, id: PortId) -> Option<&Link> {
        Some(self.get(id)?.borrow())
    }

    /// Returns what is in the box of a port: its link, or the port with its link.
    pub fn get(&self, id: PortId) -> Option<&B::Target> {
        self.links.get(id.index())?.as_deref()
    }

    /// Returns what is in the box of a port, to be changed.
    pub fn get_mut(&mut self, id: PortId) -> Option<&mut B::Target> {
        self.links.get_mut(id.index())?.as_deref_mut()
    }

    /// Starts the tests. The first round is due at once.
    pub fn start(&mut self, now: u64) {
        if !self.running {
            self.running = true;
            self.now = now;
        }
    }

    /// Stops the tests. Nothing is due or answered. All that was learned is forgotten, so no
    /// verdict is bad. What was counted is kept.
    pub fn stop(&mut self) {
        self.running = false;
        self.forget();
    }

    /// Returns whether tests have been started.
    pub fn is_running(&self) -> bool {
        self.running
    }

    fn is_testing(&self) -> bool {
        self.running && self.settings.mode != ProbeMode::Off
    }

    fn forget(&mut self) {
        let required = self.settings.mode == ProbeMode::Required;
        for link in self.iter_mut() {
            link.forget();
            link.probed = required;
        }
        self.last = None;
        self.open = [None; 2];
        (self.due, self.waits) = (u64::MAX, None);
        self.reference = None;
        self.heard = None;
        self.paths.forget_all();
        self.news = News::default();
    }

    /// Returns whether the link of a port works, and what is known of its peer.
    pub fn verdict(&self, id: PortId) -> Verdict {
        let Some(link) = self.link(id).filter(|_| self.running) else {
            return Verdict::NONE;
        };
        let peer = link.only_peer().filter(|_| link.probed && link.alive);
        let required = self.settings.mode == ProbeMode::Required;
        let lossy = peer.map_or(Reason::None, |_| self.why_lossy(id));
        let reason = if link.mismatch {
            Reason::PeerMismatch
        } else if link.probed && !link.alive && (required || !link.is_shared()) {
            self.why_dead(id, link)
        } else if lossy != Reason::None {
            lossy
        } else if link.damping.holds(self.now) {
            Reason::HeldDown
        } else if peer.is_some_and(|peer| !peer.usable) {
            Reason::PeerSby
        } else {
            Reason::None
        };
        Verdict {
            reason,
            proven: peer
                .filter(|_| reason != Reason::PeerMismatch)
                .map(|peer| peer.identity),
            held: peer.is_some_and(|peer| peer.held),
            found: link.found,
            shared: link.is_shared(),
        }
    }

    /// Returns the place of a port in an order that both ends share: its number at the end with the
    /// lower identity.
    pub fn rank(&self, id: PortId) -> u8 {
        let peer = self.link(id).and_then(Link::only_peer);
        match peer.filter(|peer| peer.identity < self.own) {
            Some(peer) => peer.port,
            None => id.index() as u8,
        }
    }

    /// Returns what has happened since the last call.
    pub fn news(&mut self) -> News {
        ::core::mem::take(&mut self.news)
    }
}
