// SPDX-License-Identifier: GPL-2.0

//! Which links work, both ways: tests on all of them, all the time, and what follows.
//!
//! Time comes in as a value, in ns of one monotonic clock; probes come in and go out as values.
//! [`Health`] says when it wants to be called again, [`Health::tick`], and on which ports tests are
//! due. What it thinks of a port is its [`Verdict`].
//!
//! A message is **trusted** if it echoes the nonce of one of the last tests that left by the same
//! port: its sender has seen that test, so it is at the other end of the link. Nothing else is
//! believed about the peer, and nothing else is an answer. A trusted message that was overtaken by
//! a later one of its kind still counts as an answer, but tells nothing new.

mod damping;
mod link;
mod messages;
mod reasons;
mod ring;
mod rounds;
#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
mod tests;

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

/// From one reply to the next on one port, at the least, in ns: 2,000 a second.
const REPLY_EVERY: u64 = 500_000;

/// By how much that may be exceeded, in ns, after a time without replies: a burst of 32.
const REPLY_BURST: u64 = 31 * REPLY_EVERY;

/// How links are tested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Whether they are.
    pub mode: ProbeMode,
    /// From one round of tests to the next, in µs. 0 counts as 1.
    pub interval: u32,
    /// How long after its test a reply counts, in µs; not longer than the interval.
    pub reply_timeout: u32,
    /// So many rounds missed in a row, and a link is not alive any more. 0 counts as 1.
    pub misses: u8,
    /// So many rounds answered in a row, and it is again. 0 counts as 1.
    pub hits: u8,
    /// The longest that a link which fails again and again is held down, in ms; 0: not at all.
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

    /// The time in which a link dies, or has answered.
    fn rounds(&self) -> u64 {
        self.interval_ns()
            .saturating_mul(self.misses.into())
            .saturating_add(self.reply_timeout_ns())
    }

    /// The time after which it is more than a passing moment of a link that dies or returns, in ns.
    pub fn lasting(&self) -> u64 {
        let rounds = self.misses.max(self.hits).saturating_add(1);
        self.interval_ns()
            .saturating_mul(rounds.into())
            .saturating_mul(2)
    }

    /// The time in which there must be one test of a peer that is heard, with that interval in µs.
    fn window(&self, peer_interval: u32) -> u64 {
        let interval = u64::from(self.interval.max(peer_interval)).saturating_mul(1_000);
        interval
            .saturating_add(interval >> 1)
            .saturating_add(self.reply_timeout_ns())
    }

    /// Has the peer been heard well after the link last worked both ways?
    fn is_heard_on(&self, link: &Link) -> bool {
        let window = self.window(link.peer.map_or(0, |peer| peer.interval));
        match (link.heard, link.good) {
            (Some(heard), Some(good)) => heard > good.saturating_add(window),
            _ => false,
        }
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

/// What the trunk makes of its ports. The peers are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct View {
    /// Ports with carrier, enabled, and with a verdict that has nothing against them but perhaps
    /// [`Reason::PeerSby`]: else two ends that have each found a link wanting would wait for each
    /// other forever.
    pub usable: PortSet,
    /// Ports in use.
    pub in_use: PortSet,
    /// Ports held by a claim.
    pub held: PortSet,
    /// The trunk's MAC address.
    pub address: Option<[u8; 6]>,
}

/// What is to be thought of a port, as of the last [`Health::tick`] or [`Health::receive`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// What there is against it, [`Reason::None`] if nothing.
    pub reason: Reason,
    /// Its peer, if that is alive, and a trunk.
    pub proven: Option<Identity>,
    /// A claim of its peer holds it.
    pub held: bool,
}

impl Verdict {
    /// Nothing against it, and nothing known.
    pub const NONE: Self = Self {
        reason: Reason::None,
        proven: None,
        held: false,
    };
}

/// What has happened since it was last asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct News {
    /// Ports on which the peer answered for the first time.
    pub found: PortSet,
    /// Ports of which the peer said goodbye.
    pub bye: PortSet,
    /// Ports that have another priority for the peer, since now.
    pub differs: PortSet,
    /// All ports fell silent at once.
    pub lost: bool,
}

/// What [`Health::tick`] asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Due {
    /// Ports on which a test is to be sent now.
    pub test: PortSet,
    /// When to call again, in ns, if nothing is changed before; `u64::MAX`: not at all.
    pub next: u64,
}

/// The health of all links of a trunk. `B` is a box of a link, or of a port that has one, or a
/// reference: they are too large for a stack.
pub struct Health<B> {
    own: Identity,
    settings: Settings,
    links: [Option<B>; MAX_PORTS],
    running: bool,
    /// The last time that was told.
    now: u64,
    /// When the last round was due; none before the first.
    last: Option<u64>,
    /// When the rounds began of which replies are still waited for, the older first. A third cannot
    /// begin before the first is over, since no reply is waited for longer than an interval.
    open: [Option<u64>; 2],
    /// The trunk that all links lead to.
    reference: Option<Identity>,
    /// What is heard. Forgotten when it may be wrong.
    heard: Option<Heard>,
    news: News,
}

/// The ports of a trunk that are heard.
#[derive(Clone, Copy)]
struct Heard {
    identity: Identity,
    /// One bit for each.
    ports: u64,
    /// As long as one of them need not be heard again.
    until: u64,
}

/// One bit for the port of that number, if there can be one.
fn bit(port: u8) -> u64 {
    1u64.checked_shl(port.into()).unwrap_or(0)
}

impl<B: DerefMut<Target: BorrowMut<Link>>> Health<B> {
    /// The health of a trunk without links. It is not running.
    pub fn new(own: Identity) -> Self {
        Self {
            own,
            settings: Settings::default(),
            links: [const { None }; MAX_PORTS],
            running: false,
            now: 0,
            last: None,
            open: [None; 2],
            reference: None,
            heard: None,
            news: News::default(),
        }
    }

    fn link_mut(&mut self, id: PortId) -> Option<&mut Link> {
        Some(self.get_mut(id)?.borrow_mut())
    }

    /// Returns the links there are. The type has a short name, since objtool refuses long symbols.
    fn iter(&self) -> impl Iterator<Item = (PortId, &Link)> {
        let mut ids = PortId::all();
        ::core::iter::from_fn(move || ids.find_map(|id| Some((id, self.link(id)?))))
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Link> {
        let links = self.links.iter_mut().flatten();
        links.map(|link| link.deref_mut().borrow_mut())
    }

    /// From now on this end is `own`.
    pub fn identify(&mut self, own: Identity) {
        self.own = own;
    }

    /// How links are tested.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes that; [`tick`](Self::tick) comes next, for the next round may be due sooner. In
    /// another mode, what was learned of peers is forgotten.
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

    /// Adds the link of a port, in the place of another if there is one.
    pub fn add(&mut self, id: PortId, link: B) {
        if let Some(room) = self.links.get_mut(id.index()) {
            *room = Some(link);
        }
        let required = self.settings.mode == ProbeMode::Required;
        if let Some(link) = self.link_mut(id) {
            link.probed = required;
        }
        self.heard = None;
    }

    /// Removes the link of a port.
    pub fn remove(&mut self, id: PortId) -> Option<B> {
        self.heard = None;
        self.links.get_mut(id.index())?.take()
    }

    /// What is known of a port's link.
    pub fn link(&self, id: PortId) -> Option<&Link> {
        Some(self.get(id)?.borrow())
    }

    /// Returns what has the link of a port.
    pub fn get(&self, id: PortId) -> Option<&B::Target> {
        self.links.get(id.index())?.as_deref()
    }

    /// Returns what has the link of a port, to be changed.
    pub fn get_mut(&mut self, id: PortId) -> Option<&mut B::Target> {
        self.links.get_mut(id.index())?.as_deref_mut()
    }

    /// Starts: the first round is due at once.
    pub fn start(&mut self, now: u64) {
        if !self.running {
            self.running = true;
            self.now = now;
        }
    }

    /// Stops: nothing is due or answered, and all that was learned is forgotten, so no verdict is
    /// bad. What was counted is kept.
    pub fn stop(&mut self) {
        self.running = false;
        self.forget();
    }

    /// Has it been started?
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
        self.reference = None;
        self.heard = None;
        self.news = News::default();
    }

    /// What is to be thought of a port.
    pub fn verdict(&self, id: PortId) -> Verdict {
        let Some(link) = self.link(id).filter(|_| self.is_testing()) else {
            return Verdict::NONE;
        };
        let peer = link.peer.filter(|_| link.probed && link.alive);
        let reason = if link.mismatch || link.looped > 0 {
            Reason::PeerMismatch
        } else if !link.probed {
            Reason::None
        } else if !link.alive {
            self.why_dead(id, link)
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
        }
    }

    /// A port's place in an order that both ends share: its number at the end of lower identity.
    pub fn rank(&self, id: PortId) -> u8 {
        let peer = self.link(id).and_then(|link| link.peer);
        match peer.filter(|peer| peer.identity < self.own) {
            Some(peer) => peer.port,
            None => id.index() as u8,
        }
    }

    /// What has happened since the last call.
    pub fn news(&mut self) -> News {
        ::core::mem::take(&mut self.news)
    }
}
