// SPDX-License-Identifier: GPL-2.0

//! What the table in service follows from: settings, links, homes; and what has come of it so far.

use crate::{
    claims::Holder,
    device::Trunk,
    layout::{
        filled,
        Layout, //
    },
    port::Port,
    pure::{
        claims::{
            self,
            Claim, //
        },
        health,
        history::{
            Event,
            EventKind,
            Moves,
            Reason,
            Ring, //
        },
        join::Rule,
        port::{
            from_slot,
            to_slot,
            LinkState,
            PerPort,
            PortId,
            PortSet,
            PortView,
            Ports,
            Slot,
            NO_PORT, //
        },
        spares::{
            Failback,
            StandIns, //
        },
        table::{
            assign_homes,
            resolve, //
        },
        uapi::RxGroup,
        MAX_PORTS, //
    },
    stats::{
        PortFigures,
        Totals,
        TrunkFigures, //
    }, //
};
use kernel::prelude::*;
use netdev::{
    addr::MacAddr,
    rcu::Rcu,
    time, //
};

/// The number of events that are remembered.
const EVENTS: usize = 256;

/// What has been decided.
pub(crate) struct Decided {
    pub(crate) ports: Ports,
    records: [Option<KBox<Record>>; MAX_PORTS],
    pub(crate) settings: Settings,
    /// One slot a bucket, in both: the home, and the one that the user has set. Changed only with
    /// RTNL held, too.
    pub(crate) homes: KVVec<Slot>,
    pub(crate) set: KVVec<Slot>,
    /// The number of homes of each port.
    shares: PerPort<u32>,
    pub(crate) stand_ins: StandIns,
    /// Oldest first, and who holds them, in the same order.
    pub(crate) claims: KVec<Claim>,
    pub(crate) holders: KVec<Holder>,
    /// Ports that did not answer when a claim wanted to know.
    pub(crate) doubts: PortSet,
    /// Spares that claims of peers hold.
    theirs: PortSet,
    /// Ports that are usable as far as this end can tell.
    usable_here: PortSet,
    pub(crate) totals: Totals,
    pub(crate) base: TrunkFigures,
    pub(crate) events: Ring<KVVec<Event>>,
    /// There is something left to do that takes RTNL; and frames take another way, which neighbours
    /// are to learn.
    pub(crate) unsettled: bool,
    pub(crate) announce: bool,
    /// Of the change at hand.
    moves: KBox<Moves>,
    /// Counts the changes.
    generation: u32,
}

impl Decided {
    /// Nothing yet, about a table with these homes.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(homes: KVVec<Slot>, set: KVVec<Slot>) -> Result<impl Init<Self>> {
        let events = filled(EVENTS, || Event::new(EventKind::Config, 0))?;
        let moves = no_moves()?;
        Ok(init!(Self {
            ports: Ports::new(),
            records: [const { None }; MAX_PORTS],
            settings: Settings {
                failback: Failback::Immediate,
                failback_delay: 0,
                rx_group: RxGroup::Auto,
                probes: health::Settings::default(),
                probe_address: NEAREST_BRIDGE,
                probe_ethertype: LOCAL_EXPERIMENTAL,
                keyed: false,
                keys: 0,
                join: None,
            },
            homes,
            set,
            shares: PerPort::new(0),
            stand_ins: StandIns::new(),
            claims: KVec::new(),
            holders: KVec::new(),
            doubts: PortSet::EMPTY,
            theirs: PortSet::EMPTY,
            usable_here: PortSet::EMPTY,
            totals: Totals::default(),
            base: TrunkFigures::default(),
            events: Ring::new(events),
            unsettled: false,
            announce: false,
            moves,
            generation: 0,
        }))
    }

    /// Takes in a port of that number, with its priority, or takes it out.
    pub(crate) fn set_member(
        &mut self,
        id: PortId,
        member: Option<(u16, KBox<Record>)>,
    ) -> Option<KBox<Record>> {
        let view = member.as_ref().map(|(priority, record)| PortView {
            priority: *priority,
            weight: record.share(),
            state: LinkState::Sby,
            carrier: false,
            held: false,
            held_back: false,
            rank: id.index() as u8,
        });
        self.ports.set(id, view);
        for set in [&mut self.doubts, &mut self.theirs, &mut self.usable_here] {
            set.remove(id);
        }
        // The next port of this number is another one.
        for slot in self
            .set
            .iter_mut()
            .filter(|slot| **slot == to_slot(Some(id)))
        {
            *slot = NO_PORT;
        }
        for claim in self.claims.iter_mut() {
            claim.forget(id);
        }
        let record = member.map(|(_, record)| record);
        core::mem::replace(self.records.get_mut(id.index())?, record)
    }

    /// What is known of a port.
    pub(crate) fn record(&self, id: PortId) -> Option<&Record> {
        self.records.get(id.index())?.as_deref()
    }

    /// The same, to be changed.
    pub(crate) fn record_mut(&mut self, id: PortId) -> Option<&mut Record> {
        self.records.get_mut(id.index())?.as_deref_mut()
    }

    /// The number of homes of a port.
    pub(crate) fn homes_of(&self, id: PortId) -> u32 {
        self.shares[id]
    }

    /// Counts the changes; never 0.
    pub(crate) fn generation(&self) -> u32 {
        self.generation | 1
    }

    /// The next event to tell, and its number. Those that are lost are counted.
    pub(crate) fn tell(&mut self) -> Option<(u64, Event)> {
        let (seq, event, lost) = self.events.tell()?;
        self.totals.events_lost = self.totals.events_lost.wrapping_add(lost);
        Some((seq, event))
    }

    /// Counts an event that nobody could be told.
    pub(crate) fn count_lost(&mut self) {
        self.totals.events_lost = self.totals.events_lost.wrapping_add(1);
    }

    /// Has the share of a port be what it should.
    pub(crate) fn share(&mut self, id: PortId) {
        if let (Some(record), Some(view)) = (self.record(id), self.ports.get(id).copied()) {
            let weight = record.share();
            self.ports.set(id, Some(PortView { weight, ..view }));
        }
    }

    /// Lets all of `ports` have their buckets back.
    pub(crate) fn release(&mut self, ports: PortSet) {
        for id in ports.iter() {
            if let Some(view) = self.ports.get(id).copied() {
                self.ports.set(
                    id,
                    Some(PortView {
                        held_back: false,
                        ..view
                    }),
                );
            }
        }
    }

    /// The ports that are held back, with the time each has to wait, `None` for good.
    pub(crate) fn held_back(&self, now: u64) -> impl Iterator<Item = (PortId, Option<u64>)> + '_ {
        let Settings {
            failback,
            failback_delay,
            ..
        } = self.settings;
        self.ports
            .iter()
            .filter(|(_, view)| view.is_held_back())
            .filter_map(move |(id, _)| {
                let since = self.record(id)?.since;
                Some((id, failback.wait(failback_delay, since, now)))
            })
    }

    /// Is a port due to have its buckets back at `now`?
    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.held_back(now).any(|(_, wait)| wait == Some(0))
    }

    /// Takes note of the links of `ports`, and of who has waited long enough at `now`.
    pub(crate) fn note_links<'a>(&mut self, ports: impl Iterator<Item = &'a Port>, now: u64) {
        let due = self.held_back(now).filter(|(_, wait)| *wait == Some(0));
        let due = due.map(|(id, _)| id).collect();
        self.release(due);
        for port in ports {
            self.note_link(port, now);
        }
        // When all have failed, nobody has anything to lose by their return.
        if self.ports.select(PortView::is_act).is_empty() {
            for record in self.records.iter_mut().flatten() {
                record.was_act = false;
            }
        }
    }

    fn note_link(&mut self, port: &Port, now: u64) -> Option<()> {
        let id = port.id;
        let view = *self.ports.get(id)?;
        let condition = port.note_condition();
        let act = condition.is_act();
        for (set, member) in [
            (&mut self.usable_here, condition.is_usable_here()),
            (&mut self.theirs, condition.is_held()),
        ] {
            match member {
                true => set.insert(id),
                false => set.remove(id),
            }
        }
        if !act && view.is_act() {
            // Now it counts as what it was thought to be.
            self.doubts.remove(id);
        }
        let held_back = match act == view.is_act() {
            true => {
                if !act {
                    self.note_reason(port, now);
                }
                view.held_back
            }
            false => self.note_change(port, act, now)? && view.is_working(),
        };
        let view = PortView {
            state: if act { LinkState::Act } else { LinkState::Sby },
            carrier: condition.is_last_resort(),
            rank: condition.rank(),
            held_back,
            ..view
        };
        self.ports.set(id, Some(view));
        Some(())
    }

    /// A port that is sby may turn out to have failed otherwise than was told. That it is not answered
    /// or not used by the peer is no news: so is any link that is about to return.
    fn note_reason(&mut self, port: &Port, now: u64) {
        let reason = port.reason();
        let vague = matches!(
            reason,
            Reason::None | Reason::ProbeTimeout | Reason::PeerSby
        );
        if let Some(record) = self.record_mut(port.id) {
            let news = !vague && record.downs != 0 && reason != record.reason;
            if record.other.is_none_or(|(other, _)| other != reason) {
                record.other = news.then_some((reason, now));
            }
        }
    }

    /// Is a port sby for another reason than was told?
    pub(crate) fn has_other_reasons(&self) -> bool {
        let mut records = self.records.iter().flatten();
        records.any(|record| record.other.is_some())
    }

    /// Tells these reasons, of ports that have had them since `before`, in ns.
    pub(crate) fn tell_reasons<'a>(
        &mut self,
        ports: impl Iterator<Item = &'a Port>,
        now: u64,
        before: u64,
    ) {
        for port in ports {
            let Some(record) = self.record_mut(port.id) else {
                continue;
            };
            let Some((reason, _)) = record.other.filter(|(_, since)| *since <= before) else {
                continue;
            };
            record.reason = reason;
            record.other = None;
            self.events.record(Event {
                port: port.dev.ifindex(),
                states: Some((LinkState::Sby, LinkState::Sby)),
                reason,
                ..Event::new(EventKind::PortState, now)
            });
        }
    }

    /// A port became `act`, or ceased to be. Returns whether it is to be held back.
    fn note_change(&mut self, port: &Port, act: bool, now: u64) -> Option<bool> {
        let reason = match (act, port.reason()) {
            (true, _) => Reason::None,
            // It has come back since.
            (false, Reason::None) => Reason::NoCarrier,
            (false, reason) => reason,
        };
        let settings = self.settings;
        let record = self.record_mut(port.id)?;
        record.since = now;
        record.reason = reason;
        record.other = None;
        record.unnoticed = port.unnoticed(reason, now);
        let waits = settings.failback.wait(settings.failback_delay, now, now) != Some(0);
        let held_back = act && record.was_act && waits;
        if act {
            record.was_act = true;
            record.ups = record.ups.wrapping_add(1);
            self.totals.ups = self.totals.ups.wrapping_add(1);
        } else {
            record.downs = record.downs.wrapping_add(1);
            self.totals.downs = self.totals.downs.wrapping_add(1);
        }
        Some(held_back)
    }

    /// Gives each bucket its home.
    pub(crate) fn assign(&mut self) {
        assign_homes(&mut self.homes, &self.set, &self.ports);
        self.shares = PerPort::new(0);
        for id in self.homes.iter().filter_map(|home| from_slot(*home)) {
            self.shares[id] = self.shares[id].saturating_add(1);
        }
    }

    /// Has each bucket of `layout` carried by the port that is due to, and returns the number of
    /// moves.
    pub(crate) fn fill(&mut self, layout: &Layout) -> usize {
        self.moves.clear();
        let mut moved = 0usize;
        loop {
            self.serve();
            moved = moved.saturating_add(self.resolve(layout));
            // Who is held back, yet had to take back all the same, has nothing to wait for any
            // more, and its stand-in is free. Each turn lets go of one port at least.
            let returned = self.returned(layout);
            if returned.is_empty() {
                return moved;
            }
            self.release(returned);
        }
    }

    /// Chooses who stands in for whom, and the links of claims.
    fn serve(&mut self) {
        let (theirs, doubts) = (self.theirs, self.doubts);
        self.hold(theirs);
        self.stand_ins.let_go(&self.ports);
        claims::let_go(
            &mut self.claims,
            &self.ports,
            self.stand_ins.in_use(),
            doubts,
        );
        self.hold(theirs | self.held());
        self.stand_ins.take(&self.ports);
        claims::take(
            &mut self.claims,
            &self.ports,
            self.stand_ins.in_use(),
            doubts,
        );
    }

    /// Claims hold these ports, and no others.
    fn hold(&mut self, held: PortSet) {
        for id in PortId::all() {
            if let Some(view) = self.ports.get(id).copied() {
                let held = held.contains(id);
                self.ports.set(id, Some(PortView { held, ..view }));
            }
        }
    }

    /// The spares that serve claims.
    pub(crate) fn held(&self) -> PortSet {
        claims::held(&self.claims, &self.ports)
    }

    /// The ports that serve buckets or claims.
    pub(crate) fn in_use(&self) -> PortSet {
        let claimed: PortSet = self.claims.iter().filter_map(Claim::link).collect();
        let usable = self.ports.usable();
        let waiting = self.ports.select(PortView::is_held_back);
        let working = usable & self.ports.select(PortView::is_working) & !waiting;
        let buckets = working | self.stand_ins.in_use();
        let best = self.ports.best(usable).filter(|_| buckets.is_empty());
        buckets | claimed | best.into_iter().collect()
    }

    /// The ports that are usable as far as this end can tell.
    pub(crate) fn usable_here(&self) -> PortSet {
        self.usable_here
    }

    /// By what rule broadcast and multicast is accepted. Only a trunk right at the other end of the
    /// cables sends one copy: a switch in between makes more of it.
    pub(crate) fn group_rule(&self) -> RxGroup {
        match self.settings.rx_group {
            RxGroup::Auto if !self.settings.probe_address.is_link_local() => RxGroup::One,
            rule => rule,
        }
    }

    fn resolve(&mut self, layout: &Layout) -> usize {
        let Self { homes, moves, .. } = self;
        resolve(
            homes,
            &self.stand_ins,
            &self.ports,
            |bucket| layout.slot(bucket),
            |bucket, port| {
                let home = homes.get(bucket).copied().unwrap_or(NO_PORT);
                moves.note(home, layout.slot(bucket), port);
                layout.set_slot(bucket, port);
            },
        )
    }

    /// The ports that are held back, though they carry all of their buckets.
    fn returned(&self, layout: &Layout) -> PortSet {
        let held_back = self.ports.select(PortView::is_held_back);
        if held_back.is_empty() {
            return held_back;
        }
        let homes = (0..self.homes.len()).zip(self.homes.iter());
        let away = homes.filter(|(bucket, home)| layout.slot(*bucket) != **home);
        let away: PortSet = away.filter_map(|(_, home)| from_slot(*home)).collect();
        held_back & !away
    }

    /// Records what has come of a change: events, and their numbers.
    pub(crate) fn remember(
        &mut self,
        trunk: &Trunk,
        cause: Option<Cause>,
        outcome: &Outcome,
        rcu: &Rcu,
    ) {
        let &Outcome {
            now,
            took,
            act: before,
            back,
            moved,
        } = outcome;
        self.generation = self.generation.wrapping_add(2);
        let act = self.ports.select(PortView::is_act);
        let fallen = before & !act & self.ports.select(|_| true);
        let risen = act & !before;
        let ifindex = |id: Option<PortId>| {
            let port = id.and_then(|id| trunk.port(id, rcu));
            port.map_or(0, |port| port.dev.ifindex())
        };
        let records = &self.records;
        let reason = |id: PortId| {
            let record = records.get(id.index()).and_then(|record| record.as_ref());
            record.map_or(Reason::None, |record| record.reason)
        };
        let unnoticed = |id: PortId| {
            let record = records.get(id.index()).and_then(|record| record.as_ref());
            record?.unnoticed
        };
        let switch = u32::try_from(took).unwrap_or(u32::MAX);
        let moves = &self.moves;

        let lost = fallen
            .iter()
            .map(|id| (EventKind::Failover, id, moves.lost(id)));
        let returned = back
            .iter()
            .map(|id| (EventKind::Failback, id, moves.returned(id)));
        // Not as a method: `pin_init` has one of this name for anything.
        let switches = || Iterator::chain(lost.clone(), returned.clone());
        let switched = switches().fold(0u32, |sum, (_, _, (n, _))| sum.saturating_add(n));
        let total = u32::try_from(moved).unwrap_or(u32::MAX);
        if let Some(cause) = cause {
            self.events.record(Event {
                port: cause.port,
                buckets: total.saturating_sub(switched),
                ..Event::new(cause.kind, now)
            });
        }
        for id in (fallen | risen).iter() {
            let (old, new) = match fallen.contains(id) {
                true => (LinkState::Act, LinkState::Sby),
                false => (LinkState::Sby, LinkState::Act),
            };
            self.events.record(Event {
                port: ifindex(Some(id)),
                states: Some((old, new)),
                reason: reason(id),
                detection: unnoticed(id),
                ..Event::new(EventKind::PortState, now)
            });
        }
        for (kind, id, (buckets, other)) in switches().filter(|(_, _, (n, _))| *n != 0) {
            let count = match kind {
                EventKind::Failover => &mut self.totals.failovers,
                _ => &mut self.totals.failbacks,
            };
            *count = count.wrapping_add(1);
            self.events.record(Event {
                port: ifindex(Some(id)),
                other: ifindex(other),
                reason: reason(id),
                buckets,
                switch,
                detection: unnoticed(id),
                ..Event::new(kind, now)
            });
        }
        for (claim, holder) in self.claims.iter().zip(self.holders.iter_mut()) {
            let link = to_slot(claim.link());
            if holder.seen == link {
                continue;
            }
            let lost = from_slot(holder.seen).filter(|id| !act.contains(*id));
            holder.reason = lost.map_or(Reason::None, reason);
            let kind = match holder.fresh {
                true => EventKind::Claim,
                false => EventKind::ClaimMoved,
            };
            if holder.fresh {
                // The answer to the request says so.
                holder.told = link;
            }
            (holder.seen, holder.fresh) = (link, false);
            self.events.record(Event {
                port: holder.port,
                other: ifindex(claim.link()),
                reason: holder.reason,
                mark: holder.mark,
                switch,
                detection: lost.and_then(unnoticed),
                ..Event::new(kind, now)
            });
        }
        self.totals.buckets_moved = self.totals.buckets_moved.wrapping_add(moved as u64);
    }

    /// The working ports that carry their own buckets.
    pub(crate) fn serving(&self) -> PortSet {
        let serves = |view: &PortView| view.is_working() && view.is_act() && !view.held_back;
        self.ports.select(serves)
    }

    /// The working ports that once did, or could have, and do not.
    pub(crate) fn away(&self) -> PortSet {
        let known = |id: &PortId| self.record(*id).is_some_and(|record| record.ups > 0);
        let away = self.ports.select(PortView::is_working) & !self.serving();
        away.iter().filter(known).collect()
    }
}

/// What has come of a change.
pub(crate) struct Outcome {
    /// When it began, and how long it took, in ns.
    pub(crate) now: u64,
    pub(crate) took: u64,
    /// The ports that were `act` before.
    pub(crate) act: PortSet,
    /// The working ports that serve again.
    pub(crate) back: PortSet,
    /// The number of buckets that moved.
    pub(crate) moved: usize,
}

/// What a change is about, besides the links of the ports.
#[derive(Clone, Copy)]
pub(crate) struct Cause {
    pub(crate) kind: EventKind,
    /// The port, by interface index; 0 for none.
    pub(crate) port: u32,
    /// Are homes to be assigned anew?
    pub(crate) homes: bool,
}

impl Cause {
    /// Something about `port` that its share depends on.
    pub(crate) fn of(kind: EventKind, port: &Port) -> Self {
        Self {
            kind,
            port: port.dev.ifindex(),
            homes: true,
        }
    }
}

/// What the user has set for the trunk, besides what is in its [`Layout`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) failback: Failback,
    /// In ms.
    pub(crate) failback_delay: u32,
    pub(crate) rx_group: RxGroup,
    pub(crate) probes: health::Settings,
    pub(crate) probe_address: MacAddr,
    pub(crate) probe_ethertype: u16,
    /// Is there a key? And how many there have been: what it is, nobody is told.
    pub(crate) keyed: bool,
    pub(crate) keys: u32,
    /// The devices that join by themselves.
    pub(crate) join: Option<Rule>,
}

/// The group address that no bridge forwards, IEEE 802.1Q 8.6.3.
pub(crate) const NEAREST_BRIDGE: MacAddr = MacAddr::new([0x01, 0x80, 0xc2, 0, 0, 0x0e]);

/// The first EtherType for local experiments, IEEE 802 9.2.4.
pub(crate) const LOCAL_EXPERIMENTAL: u16 = 0x88b5;

/// What is known of a port besides its [`PortView`].
pub(crate) struct Record {
    /// As set by the user; 0 is by speed.
    pub(crate) weight: u16,
    /// Of the link, in Mbit/s, as far as known.
    pub(crate) speed: Option<u32>,
    /// Why it is what it is, since when, in ns.
    reason: Reason,
    pub(crate) since: u64,
    /// Another reason why it is sby, not told yet, and since when, in ns.
    other: Option<(Reason, u64)>,
    /// How long its failure went unnoticed, in ns.
    unnoticed: Option<u64>,
    /// Has it been `act` since it joined, was enabled, or all had failed? Only then may it be held
    /// back.
    pub(crate) was_act: bool,
    /// Times that it became `act` and `sby`, and with what other counters it began.
    pub(crate) ups: u64,
    pub(crate) downs: u64,
    pub(crate) base: PortFigures,
}

impl Record {
    /// For a port that joins.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(speed: Option<u32>) -> Result<KBox<Self>> {
        let new = Self {
            weight: 1,
            speed,
            reason: Reason::AdminDown,
            since: time::monotonic_ns(),
            other: None,
            unnoticed: None,
            was_act: false,
            ups: 0,
            downs: 0,
            base: PortFigures::default(),
        };
        Ok(KBox::new(new, GFP_KERNEL)?)
    }

    /// The weight in use. By speed, it is 1 for each 100 Mbit/s, and a link whose speed nobody knows
    /// counts as one of 1 Gbit/s.
    pub(crate) fn share(&self) -> u16 {
        match self.weight {
            0 => {
                let share = self.speed.unwrap_or(1000) / 100;
                u16::try_from(share).unwrap_or(u16::MAX).max(1)
            }
            weight => weight,
        }
    }
}

/// Made here, so that it is on nobody else's stack.
#[inline(never)]
fn no_moves() -> Result<KBox<Moves>> {
    Ok(KBox::new(Moves::new(), GFP_KERNEL)?)
}
