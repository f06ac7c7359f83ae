// SPDX-License-Identifier: GPL-2.0

//! The state of a trunk, and the one function that changes it: [`State::step`].
//!
//! Something happens: a link fails, a probe comes in, the user changes a setting. The driver
//! describes it as an [`Input`], calls `step` with the links as they are, and does what the
//! [`Effects`] say. `step` writes the slots of the table itself, since there may be 65,536.
//!
//! ```text
//!   Input, Links, time                          Effects
//!        │                                         ▲
//!        ▼                                         │
//!      input ──▶ tests ──▶ condition of ──▶ decision, if a condition has changed:
//!                          each port        homes, stand-ins, claims, slots, events
//! ```
//!
//! The life of a port. The words in brackets are the reasons that are shown while it is `sby`:
//!
//! ```text
//!                       joins
//!                         │
//!   ┌─────────────────────▼─────────────────────┐      the user disables it [disabled],
//!   │ sby: no frame can leave by it             │      from any state
//!   │ [admin-down] [no-carrier]                 │◀───  its carrier or the device goes down,
//!   └──────┬───────────────────────────▲────────┘      from any state
//!          │ carrier                   │
//!          │                           │
//!          │  the peer never           │ the peer has answered before, or probes are required
//!          │  answered, or probe off   ▼
//!          │            ┌──────────────────────────────┐
//!          │            │ sby: dead                    │◀──────────────────────┐
//!          │            │ [probe-timeout] [one-way-rx] │                       │
//!          │            │ [one-way-tx] [peer-silent]   │                       │
//!          │            └──────┬───────────────────────┘                       │
//!          │                   │ `hits` rounds answered                        │
//!          │                   ▼                                               │
//!          │            ┌──────────────────────────────┐  `misses` rounds      │
//!          │            │ sby: alive, but              │  not answered         │
//!          │            │ [held-down]     fails often  ├──────────────────────▶│
//!          │            │ [peer-sby]      peer refuses │                       │
//!          │            │ [peer-mismatch] other trunk  │                       │
//!          │            │ [path-…]        loses data   │                       │
//!          │            └──────┬───────────────────────┘                       │
//!          │                   │ none of these any more                        │
//!          ▼                   ▼                                               │
//!   ┌───────────────────────────────────────────┐  `misses` rounds not answered│
//!   │ act, perhaps held back by the failback    ├──────────────────────────────┘
//!   │ policy: a stand-in keeps its buckets      │
//!   └───────────────────────────────────────────┘
//! ```
//!
//! When no port is `act`, those with carrier that are not miswired serve as the last resort.

mod decide;
mod events;
mod inquiry;
mod port;
mod settings;
#[cfg(test)] // They need more stack than the kernel has.
mod tests;

use self::port::Condition;
pub use self::{
    events::Totals,
    inquiry::Told,
    port::{
        Port,
        PortSettings, //
    },
    settings::{
        Settings,
        LOCAL_EXPERIMENTAL,
        NEAREST_BRIDGE, //
    },
};
use super::{
    claims::{
        Claim,
        Claims,
        Holder,
        Socket,
        MAX_CLAIMS, //
    },
    far_end::Ways,
    health::{
        Health,
        Peers,
        View, //
    },
    history::{
        Event,
        EventKind,
        Moves,
        Ring, //
    },
    port::{
        PortId,
        PortSet,
        Ports, //
    },
    selector::Selector,
    spares::StandIns,
    table::Bucket,
    uapi::FarEnd,
    wire::{
        Counted,
        Identity,
        Path,
        Probe,
        Read, //
    },
};
use ::core::ops::DerefMut;

/// How long after a port has come into use a switch is told of it again, in ns. At first its port may
/// not forward yet: Linux looks at changes of carriers once a second.
const AGAIN: u64 = 1_000_000_000;

/// How long frames may still come by a port that was in use, after a switch has been told of another
/// one, in ns.
const LINGERING: u64 = 200_000_000;

/// The least time from one announcement of the trunk to neighbours to the next, in ns.
const ANNOUNCE_EVERY: u64 = 1_000_000_000;

/// How much earlier announcements may come after a time without any, in ns: four at once.
const ANNOUNCE_BURST: u64 = 3 * ANNOUNCE_EVERY;

/// The memory of a [`State`] for what is too large for a stack. Its owner allocates it.
pub trait Memory {
    /// Holds a port.
    type Port: DerefMut<Target = Port>;
    /// Holds the last events.
    type Events: DerefMut<Target = [Event]>;
    /// Holds [`MAX_CLAIMS`] claims.
    type Claims: DerefMut<Target = [Claim]>;
    /// Holds what a decision works on.
    type Desk: DerefMut<Target = Desk>;
}

/// The working memory of a decision (1.7 KiB).
#[derive(Default)]
pub struct Desk {
    /// The ports as of the last decision.
    ports: Ports,
    /// Where buckets went in that decision.
    moves: Moves,
}

/// The links as they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Links {
    /// The ports by which frames can leave.
    pub operational: PortSet,
    /// The ports whose device is up.
    pub started: PortSet,
}

/// Something that happens.
pub enum Input<'a, P> {
    /// Time has passed.
    Time,
    /// A link may have changed.
    Links,
    /// A probe came in on a port. `None` is a frame that begins like a probe, but is none.
    Probe(PortId, Option<&'a Read>),
    /// The next test that is due is to be made. Nobody can guess the nonce.
    Test(u64),
    /// The last test that resembles data, on that port, could not be made a frame.
    NotMade(PortId),
    /// The goodbye to the peer of a port is to be made, with this nonce.
    Bye(PortId, u64),
    /// Testing starts. This is the identity of the trunk for its peers.
    Start(Identity),
    /// Testing stops.
    Stop,
    /// The trunk is brought up or down.
    Up(bool),
    /// The trunk has this MAC address now.
    Address([u8; 6]),
    /// The trunk has another MTU.
    Mtu,
    /// The trunk receives frames of the VLAN of that ID, or does not any more.
    Vlan(u16, bool),
    /// The device of a port is found elsewhere from now on: what is stacked on it is to be announced.
    Moved(PortId),
    /// A port joins. No port has that number.
    Join(PortId, P),
    /// A port has left.
    Leave(PortId),
    /// The user changes settings of a port. The last value is the speed of its link in Mbit/s, if
    /// known.
    Port(PortId, PortSettings, Option<u32>),
    /// The link of a port has this speed now, in Mbit/s.
    Speed(PortId, u32),
    /// The user changes settings of the trunk.
    Settings(&'a Settings),
    /// The table takes the place of this old one.
    Table(&'a [Bucket], Replacement<'a>),
    /// Ports that are held back are to get their buckets back.
    Release(PortSet),
    /// The trunk receives frames to all stations, as below a bridge, or does not any more.
    Promiscuous(bool),
    /// The far end sends one copy of a broadcast, or several, see [`copies`](super::copies).
    OneCopy(bool),
    /// A process claims a link: that of this port, or that of a spare.
    Claim(PortId, Holder),
    /// Claims end.
    EndClaims(Ending),
    /// The device of that interface index was to join by itself, and could not. The error is a
    /// positive errno.
    Refusal(u32, u16),
}

/// Why a table takes the place of another. The new one has inherited its buckets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replacement<'a> {
    /// It has another size or selector, and these are the settings of the trunk.
    Settings(&'a Settings),
    /// The user has chosen other homes.
    Homes,
    /// Its counters begin again at 0.
    Counters,
}

/// The claims that end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The claim of a mark, if that socket holds it.
    Mark(u32, Socket),
    /// The claims of a socket.
    Socket(Socket),
    /// All claims.
    All,
}

/// What is to be done.
pub struct Effects<P> {
    /// A probe that is to be sent on that port.
    pub send: Option<(PortId, Probe)>,
    /// Tests are due. [`Input::Test`] makes them, one each time.
    pub tests: bool,
    /// The same of tests that resemble data, which need not be made at once.
    pub paths: bool,
    /// There was a decision: what frames go by besides the table.
    pub decided: Option<Decision>,
    /// When [`Input::Time`] is to come next, in ns, if nothing else happens before. Only an
    /// [`Input::Time`] sets it, and only while links are tested.
    pub next: Option<u64>,
    /// There is something to notify of or to settle, in process context.
    pub work: bool,
    /// The port that has left.
    pub left: Option<P>,
    /// The number of claims that have ended.
    pub ended: usize,
    /// What the peer of a port has counted, which is to be compared.
    pub counted: Option<(PortId, Identity, Counted)>,
}

/// What frames go by besides the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decision {
    /// What the ports lead to, and how frames go because of it.
    pub ways: Ways,
    /// The ports from which unicast to the trunk's own address is still accepted, besides those of
    /// `ways`: a switch may send by them until it has learned of others.
    pub lingering: PortSet,
    /// The ports that are `act`.
    pub act: PortSet,
    /// The ports that serve buckets or claims.
    pub in_use: PortSet,
    /// A switch may send frames of machines behind the trunk back to it, see
    /// [`echoes`](super::echoes).
    pub echoes: bool,
    /// The trunk has carrier.
    pub carrier: bool,
    /// There are claims, so the marks of frames matter.
    pub marks: bool,
}

/// The state of a trunk: all that is known and all that has been decided.
pub struct State<M: Memory> {
    health: Health<M::Port>,
    settings: Settings,
    links: Links,
    up: bool,
    desk: M::Desk,
    stand_ins: StandIns,
    claims: Claims<M::Claims>,
    /// Ports that are held back, as of the last decision.
    held_back: PortSet,
    /// Ports that did not answer when a claim asked: they are in doubt.
    doubts: PortSet,
    /// Since when they are in doubt, in ns.
    doubted: u64,
    decision: Decision,
    promiscuous: bool,
    /// Broadcasts have shown that the far end sends one copy.
    one_copy: bool,
    /// Until when ports linger, in ns, once the ports in use have been announced.
    lingering_until: Option<u64>,
    /// The ports in use are to be announced once more.
    again: bool,
    /// Frames use other links, which neighbours are to learn as soon as they may be bothered.
    to_announce: bool,
    /// When the next announcement may be made if there is no burst, in ns.
    next_announcement: u64,
    /// What probes say to the peers.
    view: View,
    /// Ports on which a test is due, and those on which one is due that resembles data.
    due: PortSet,
    due_paths: PortSet,
    totals: Totals,
    events: Ring<M::Events>,
    unsettled: Unsettled,
    /// Counts the decisions.
    generation: u32,
}

/// What is to be done with RTNL held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Unsettled {
    /// There is something to do.
    pub any: bool,
    /// Frames use other links, which neighbours are to learn.
    pub announce: bool,
}

impl<M: Memory> State<M> {
    /// Makes the state of a trunk that is down and has no ports, with these settings and that MAC
    /// address.
    pub fn new(
        settings: Settings,
        address: [u8; 6],
        events: M::Events,
        claims: M::Claims,
        desk: M::Desk,
    ) -> Self {
        let nobody = Identity {
            system: 0,
            trunk: 0,
        };
        Self {
            health: Health::new(nobody),
            settings,
            links: Links::default(),
            up: false,
            desk,
            stand_ins: StandIns::default(),
            claims: Claims::new(claims),
            held_back: PortSet::EMPTY,
            doubts: PortSet::EMPTY,
            doubted: 0,
            decision: Decision {
                ways: Ways::NONE,
                lingering: PortSet::EMPTY,
                act: PortSet::EMPTY,
                in_use: PortSet::EMPTY,
                echoes: false,
                carrier: false,
                marks: false,
            },
            promiscuous: false,
            one_copy: false,
            lingering_until: None,
            again: false,
            to_announce: false,
            next_announcement: 0,
            view: View {
                address: Some(address),
                ..View::default()
            },
            due: PortSet::EMPTY,
            due_paths: PortSet::EMPTY,
            totals: Totals::default(),
            events: Ring::new(events),
            unsettled: Unsettled::default(),
            generation: 0,
        }
    }

    /// Takes in what happens, and decides what follows. Frames go by `table`. `links` are the links
    /// as they are now. `clock` returns the time in ns.
    ///
    /// Only this changes the state, except that notifications are taken away, see
    /// [`tell`](Self::tell).
    pub fn step(
        &mut self,
        table: &[Bucket],
        links: Links,
        input: Input<'_, M::Port>,
        clock: impl Fn() -> u64,
    ) -> Effects<M::Port> {
        let now = clock();
        let mut effects = Effects {
            send: None,
            tests: false,
            paths: false,
            decided: None,
            next: None,
            work: false,
            left: None,
            ended: 0,
            counted: None,
        };
        let mut cause = None;
        // The ports to look at, and whether there is a decision even if none of them has changed.
        let mut look = self.follow(links, now);
        if self.health.any_loss() {
            // Whether a port is of use depends on others.
            look = !PortSet::EMPTY;
        }
        let mut change = false;
        let mut old = None;
        match input {
            Input::Time => {
                look = !PortSet::EMPTY;
                effects.next = self.tick(now);
                change = self.believe();
                self.tell_reasons(now);
            }
            Input::Probe(id, read) => {
                look.insert(id);
                match read {
                    Some(read) => {
                        self.health.unknown(id, read.unknown);
                        let probe = &read.probe;
                        let reply = self.health.receive(id, probe, now, &self.view);
                        effects.send = reply.map(|reply| (id, reply));
                        let last = |_: &Counted| self.health.is_last_word(id, probe);
                        let counted = probe.counted.filter(last);
                        effects.counted = counted.map(|counted| (id, probe.from, counted));
                    }
                    None => self.health.refused(id),
                }
                self.record_news(now);
            }
            Input::Test(nonce) => effects.send = self.test(nonce, now),
            Input::NotMade(id) => self.health.path_test_failed(id),
            Input::Bye(id, nonce) => {
                let bye = self.health.bye(id, nonce, &self.view);
                effects.send = bye.map(|bye| (id, bye));
            }
            Input::Start(own) => {
                self.health.identify(own);
                self.health.start(now);
            }
            Input::Stop => {
                self.health.stop();
                (self.due, self.due_paths) = (PortSet::EMPTY, PortSet::EMPTY);
                look = !PortSet::EMPTY;
            }
            Input::Links => (),
            Input::Up(up) => self.up = up,
            Input::Address(address) => {
                self.view.address = Some(address);
                self.health.forget_path(Path::Source);
                // Perhaps other frames than before are the trunk's own.
                change = self.settings.selector == Selector::Smac;
            }
            Input::Mtu => self.health.forget_path(Path::Mtu),
            Input::Vlan(vlan, used) => self.health.set_vlan(vlan, used),
            Input::Moved(id) => {
                if self.view.in_use.contains(id) {
                    self.to_announce = true;
                }
            }
            Input::Join(id, mut port) => {
                cause = Some(Event::new(EventKind::Join, port.ifindex, now));
                // This is its rank until its peer is known.
                port.condition.rank = id.index() as u8;
                self.health.add(id, port);
                self.forget(id, table);
                look.insert(id);
            }
            Input::Leave(id) => {
                effects.left = self.health.remove(id);
                let left = effects.left.as_deref();
                cause = left.map(|port| Event::new(EventKind::Leave, port.ifindex, now));
                self.forget(id, table);
            }
            Input::Port(id, settings, speed) => {
                if let Some(port) = self.health.get_mut(id) {
                    if port.configure(settings) {
                        cause = Some(Event::new(EventKind::Config, port.ifindex, now));
                        look.insert(id);
                        speed.map(|speed| port.note_speed(speed));
                    }
                }
            }
            Input::Speed(id, speed) => {
                if let Some(port) = self.health.get_mut(id) {
                    let other = port.note_speed(speed);
                    cause = other.then(|| Event::new(EventKind::Config, port.ifindex, now));
                }
            }
            Input::Settings(settings) => {
                let other = self.configure(*settings);
                cause = other.then(|| Event::new(EventKind::Config, 0, now));
                look = !PortSet::EMPTY;
            }
            Input::Table(before, why) => {
                old = Some(before);
                cause = match why {
                    Replacement::Settings(settings) => {
                        self.configure(*settings);
                        look = !PortSet::EMPTY;
                        Some(Event::new(EventKind::Config, 0, now))
                    }
                    Replacement::Homes => Some(Event::new(EventKind::Table, 0, now)),
                    Replacement::Counters => None,
                };
                change = true;
            }
            Input::Release(ports) => {
                for id in ports.iter() {
                    if let Some(port) = self.health.get_mut(id) {
                        change |= port.held_back;
                        port.held_back = false;
                    }
                }
            }
            Input::Promiscuous(on) => {
                change |= self.promiscuous != on;
                self.promiscuous = on;
            }
            Input::OneCopy(one) => {
                change |= self.one_copy != one;
                self.one_copy = one;
            }
            Input::Claim(wanted, holder) => self.ask(wanted, holder, now),
            Input::EndClaims(which) => {
                effects.ended = self.end_claims(which, now);
                change = effects.ended > 0;
            }
            Input::Refusal(ifindex, error) => self.events.record(Event {
                error,
                ..Event::new(EventKind::JoinRefused, ifindex, now)
            }),
        }
        for id in look.iter() {
            change |= self.look(id);
        }
        change |= self.hear_inquiries(now);
        change |= self.is_due(now);
        change |= self.has_lingered(now);
        if change || cause.is_some() {
            self.decide(table, old, cause, now, &clock);
            effects.decided = Some(self.decision);
        }
        self.announce(now);
        effects.tests = !self.due.is_empty();
        effects.paths = !self.due_paths.is_empty();
        effects.work = self.has_work();
        effects.next = effects.next.map(|next| next.min(self.inquiries_end()));
        effects
    }

    /// Notes the links as they are, and returns the ports whose link has changed.
    fn follow(&mut self, links: Links, now: u64) -> PortSet {
        let before = self.links;
        self.links = links;
        let bits = (before.operational.bits() ^ links.operational.bits())
            | (before.started.bits() ^ links.started.bits());
        let changed = PortSet::from_bits(bits);
        if before.operational != links.operational {
            self.health
                .note_carrier(now, links.operational, !links.started);
        }
        changed
    }

    /// Lets the tests go on to `now`, and returns when to go on.
    fn tick(&mut self, now: u64) -> Option<u64> {
        if !self.health.is_running() {
            return None;
        }
        let due = self.health.tick(now, self.links.operational);
        self.due = self.due | due.test;
        if !due.test.is_empty() && self.due_paths.is_empty() {
            // Where a switch may forward probes, it would take the trunk for behind another port.
            let sources = match self.settings.probes_stay_on_link() {
                true => !PortSet::EMPTY,
                false => self.view.in_use,
            };
            self.due_paths = self.health.test_paths(now, sources);
        }
        self.record_news(now);
        // Links are looked at each interval, even if nothing is to be tested.
        let interval = u64::from(self.health.settings().interval).saturating_mul(1_000);
        Some(due.next.min(now.saturating_add(interval)))
    }

    /// Returns the next test that is due. Those that resemble data come last.
    fn test(&mut self, nonce: u64, now: u64) -> Option<(PortId, Probe)> {
        loop {
            let due = self.due.pop_first();
            let id = due.or_else(|| self.due_paths.pop_first())?;
            if self.links.operational.contains(id) {
                let test = match due {
                    Some(_) => self.health.test(id, nonce, now, &self.view),
                    None => self.health.path_test(id, nonce, now, &self.view),
                };
                if let Some(test) = test {
                    return Some((id, test));
                }
            }
        }
    }

    /// Looks at a port again. Returns whether its condition has changed.
    fn look(&mut self, id: PortId) -> bool {
        let (verdict, rank) = (self.health.verdict(id), self.health.rank(id));
        let Some(port) = self.health.get_mut(id) else {
            return false;
        };
        let before = port.condition;
        port.condition = Condition {
            operational: self.links.operational.contains(id),
            started: self.links.started.contains(id),
            enabled: before.enabled,
            verdict,
            // A link that loses its carrier forgets its peer. The port keeps its rank, since the
            // peer goes by the same rank.
            rank: port.link.peer.map_or(before.rank, |_| rank),
        };
        before != port.condition
    }

    /// Forgets what is known of the port of that number, which is another port from now on.
    fn forget(&mut self, id: PortId, table: &[Bucket]) {
        for set in [
            &mut self.doubts,
            &mut self.due,
            &mut self.due_paths,
            &mut self.decision.lingering,
        ] {
            set.remove(id);
        }
        super::table::forget_choice(table, id);
        for claim in self.claims.all_mut() {
            claim.forget(id);
        }
    }

    /// Makes these the settings. Returns whether they have changed.
    fn configure(&mut self, settings: Settings) -> bool {
        if settings == self.settings {
            return false;
        }
        if settings.probes != self.settings.probes {
            self.health.configure(settings.probes);
        }
        self.settings = settings;
        true
    }

    /// Returns whether a port that is held back has waited long enough.
    fn is_due(&self, now: u64) -> bool {
        self.waiting(now).any(|(_, wait)| wait == Some(0))
    }

    /// Returns whether ports that were in use lately have been heard long enough.
    fn has_lingered(&mut self, now: u64) -> bool {
        if self.decision.lingering.is_empty() || self.to_announce || self.unsettled.announce {
            return false;
        }
        let wait = if self.again { AGAIN } else { LINGERING };
        let until = *self.lingering_until.get_or_insert(now.saturating_add(wait));
        if now < until {
            return false;
        }
        self.lingering_until = None;
        if self.again {
            self.again = false;
            self.to_announce = true;
            return false;
        }
        self.decision.lingering = PortSet::EMPTY;
        true
    }

    /// Has neighbours learn of the links in use, if that is wanted: not more often than they can bear. The
    /// last change is announced in any case, perhaps later.
    fn announce(&mut self, now: u64) {
        let next = now.max(self.next_announcement);
        let early = next.saturating_sub(now) > ANNOUNCE_BURST;
        if !self.to_announce || early && !self.unsettled.announce {
            return;
        }
        self.to_announce = false;
        if !self.unsettled.announce {
            self.next_announcement = next.saturating_add(ANNOUNCE_EVERY);
        }
        (self.unsettled.any, self.unsettled.announce) = (true, true);
    }

    /// Returns the ports that are held back, with the time that each has to wait, in ns, `None` for
    /// ever.
    fn waiting(&self, now: u64) -> impl Iterator<Item = (PortId, Option<u64>)> + '_ {
        self.held_back.iter().filter_map(move |id| {
            let since = self.health.get(id)?.since;
            let Settings {
                failback,
                failback_delay,
                ..
            } = self.settings;
            Some((id, failback.wait(failback_delay, since, now)))
        })
    }

    fn has_work(&self) -> bool {
        let mut claims = self.claims.all().iter();
        self.events.is_due() || self.unsettled.any || claims.any(Claim::is_to_be_told)
    }

    /// Returns the settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns whether stations behind the trunk are announced with it. One trunk at the far end has no
    /// use for that: it finds them at itself, by whatever link.
    pub fn announces_stations(&self) -> bool {
        let several = self.settings.probes.peers == Peers::Several;
        several || self.decision.ways.far_end != FarEnd::Trunk
    }

    /// Returns what the tests have found out.
    pub fn health(&self) -> &Health<M::Port> {
        &self.health
    }

    /// Returns a port.
    pub fn port(&self, id: PortId) -> Option<&Port> {
        self.health.get(id)
    }

    /// Returns the ports as of the last decision.
    pub fn ports(&self) -> &Ports {
        &self.desk.ports
    }

    /// Returns the stand-ins.
    pub fn stand_ins(&self) -> &StandIns {
        &self.stand_ins
    }

    /// Returns the claims, oldest first.
    pub fn claims(&self) -> &[Claim] {
        self.claims.all()
    }

    /// Returns what probes say to the peers.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Returns what frames go by besides the table.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// Returns what has been counted.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Returns a number that changes with each decision, and is never 0.
    pub fn generation(&self) -> u32 {
        self.generation | 1
    }

    /// Returns whether links are tested.
    pub fn is_testing(&self) -> bool {
        self.health.is_running()
    }

    /// Returns whether links need to be tested: while the trunk is up, or has claims.
    pub fn needs_tests(&self) -> bool {
        self.up || !self.claims.all().is_empty()
    }

    /// Returns the lowest number that no port has.
    pub fn free_id(&self) -> Option<PortId> {
        PortId::all().find(|id| self.health.get(*id).is_none())
    }

    /// Returns how long it takes until a port that is held back gets its buckets back, in ns.
    pub fn failback_in(&self, now: u64) -> Option<u64> {
        self.waiting(now).filter_map(|(_, wait)| wait).min()
    }

    /// Returns whether a claim can be made that has this mark.
    ///
    /// # Errors
    ///
    /// See [`CannotClaim`].
    pub fn can_claim(&self, mark: u32) -> Result<(), CannotClaim> {
        if self.claim(mark).is_some() {
            Err(CannotClaim::Claimed)
        } else if self.claims.all().len() >= MAX_CLAIMS {
            Err(CannotClaim::Full)
        } else {
            Ok(())
        }
    }
}

/// Why a claim cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CannotClaim {
    /// The mark is claimed already.
    Claimed,
    /// There are [`MAX_CLAIMS`].
    Full,
}
