// SPDX-License-Identifier: GPL-2.0

//! What is recorded of all that happens, and of whom it is to be notified.

use super::{
    super::{
        claims::Answer,
        history::{
            Event,
            EventKind,
            Reason, //
        },
        port::{
            from_slot,
            to_slot,
            LinkState,
            PortId,
            PortSet, //
        },
    },
    Cause,
    Memory,
    State,
    Unsettled, //
};

/// What has happened since the trunk was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Times that ports became usable.
    pub ups: u64,
    /// Times that ports became unusable.
    pub downs: u64,
    /// Times that buckets moved since a port became unusable.
    pub failovers: u64,
    /// Times that buckets moved back since a port was usable again.
    pub failbacks: u64,
    /// Buckets moved from one port to another, for any reason.
    pub buckets_moved: u64,
    /// Events overwritten before they could be sent.
    pub events_lost: u64,
}

/// What has come of a decision.
pub(super) struct Outcome {
    /// When it began, and how long it took, in ns.
    pub(super) now: u64,
    pub(super) took: u64,
    /// The ports that were `act` before.
    pub(super) act: PortSet,
    /// The working ports that serve again.
    pub(super) back: PortSet,
    /// The number of buckets that moved.
    pub(super) moved: usize,
}

impl<M: Memory> State<M> {
    /// Records what the tests have found out.
    pub(super) fn record_news(&mut self, now: u64) {
        let news = self.health.news();
        for (kind, ports) in [
            (EventKind::PeerFound, news.found),
            (EventKind::PeerDiffers, news.differs),
            (EventKind::PeerBye, news.bye),
        ] {
            for id in ports.iter() {
                let port = self.ifindex(Some(id));
                self.events.record(Event {
                    port,
                    ..Event::new(kind, now)
                });
            }
        }
        if news.lost {
            self.events.record(Event::new(EventKind::PeerLost, now));
        }
    }

    /// Records why ports are `sby`, if that has been another reason than was recorded for so long
    /// that it is more than a passing state of a link that dies or returns.
    pub(super) fn tell_reasons(&mut self, now: u64) {
        let before = now.saturating_sub(self.health.settings().lasting());
        for id in PortId::all() {
            let Some(port) = self.health.get_mut(id) else {
                continue;
            };
            if port.take_reason(before) {
                let event = Event {
                    port: port.ifindex,
                    states: Some((LinkState::Sby, LinkState::Sby)),
                    reason: port.reason,
                    ..Event::new(EventKind::PortState, now)
                };
                self.events.record(event);
            }
        }
    }

    /// Records what has come of a decision.
    pub(super) fn record(&mut self, cause: Option<Cause>, outcome: &Outcome) {
        let &Outcome {
            now,
            took,
            act: before,
            back,
            moved,
        } = outcome;
        let act = self.decision.act;
        let there = self.desk.ports.select(|_| true);
        let fallen = before & !act & there;
        let risen = act & !before;
        let switch = u32::try_from(took).unwrap_or(u32::MAX);

        if let Some(cause) = cause {
            let mut switched = 0u32;
            for id in fallen.iter() {
                switched = switched.saturating_add(self.desk.moves.lost(id).0);
            }
            for id in back.iter() {
                switched = switched.saturating_add(self.desk.moves.returned(id).0);
            }
            let total = u32::try_from(moved).unwrap_or(u32::MAX);
            self.events.record(Event {
                port: cause.ifindex,
                buckets: total.saturating_sub(switched),
                ..Event::new(cause.kind, now)
            });
        }
        for id in (fallen | risen).iter() {
            let states = match fallen.contains(id) {
                true => (LinkState::Act, LinkState::Sby),
                false => (LinkState::Sby, LinkState::Act),
            };
            let event = Event {
                states: Some(states),
                ..self.about(id, EventKind::PortState, now)
            };
            self.events.record(event);
        }
        for (kind, ports) in [(EventKind::Failover, fallen), (EventKind::Failback, back)] {
            for id in ports.iter() {
                let (buckets, other) = match kind {
                    EventKind::Failover => self.desk.moves.lost(id),
                    _ => self.desk.moves.returned(id),
                };
                if buckets == 0 {
                    continue;
                }
                let count = match kind {
                    EventKind::Failover => &mut self.totals.failovers,
                    _ => &mut self.totals.failbacks,
                };
                *count = count.wrapping_add(1);
                let event = Event {
                    other: self.ifindex(other),
                    buckets,
                    switch,
                    ..self.about(id, kind, now)
                };
                self.events.record(event);
            }
        }
        self.record_claims(now, switch, act);
        self.totals.buckets_moved = self.totals.buckets_moved.wrapping_add(moved as u64);
    }

    /// Records which claims have another link than before, or their first.
    fn record_claims(&mut self, now: u64, switch: u32, act: PortSet) {
        for at in 0..self.claims.all().len() {
            let Some(claim) = self.claims.all().get(at).copied() else {
                continue;
            };
            let link = to_slot(claim.link());
            if claim.seen == link {
                continue;
            }
            let lost = from_slot(claim.seen).filter(|id| !act.contains(*id));
            let lost = lost.and_then(|id| self.health.get(id));
            let reason = lost.map_or(Reason::None, |port| port.reason);
            let detection = lost.and_then(|port| port.unnoticed);
            let kind = match claim.answer {
                Answer::None => EventKind::Claim,
                _ => EventKind::ClaimMoved,
            };
            let event = Event {
                port: claim.holder.ifindex,
                other: self.ifindex(claim.link()),
                reason,
                mark: claim.holder.mark,
                switch,
                detection,
                ..Event::new(kind, now)
            };
            self.events.record(event);
            if let Some(claim) = self.claims.all_mut().get_mut(at) {
                claim.seen = link;
                claim.reason = reason;
                if claim.answer == Answer::None {
                    claim.answer = Answer::Due;
                }
            }
        }
    }

    /// Returns an event about a port, with what is known of its link.
    fn about(&self, id: PortId, kind: EventKind, now: u64) -> Event {
        let port = self.health.get(id);
        Event {
            port: port.map_or(0, |port| port.ifindex),
            reason: port.map_or(Reason::None, |port| port.reason),
            detection: port.and_then(|port| port.unnoticed),
            ..Event::new(kind, now)
        }
    }

    fn ifindex(&self, id: Option<PortId>) -> u32 {
        let port = id.and_then(|id| self.health.get(id));
        port.map_or(0, |port| port.ifindex)
    }

    /// Returns the next event to notify listeners of, and its number. Those that are lost are
    /// counted.
    pub fn tell(&mut self) -> Option<(u64, Event)> {
        let (seq, event, lost) = self.events.tell()?;
        self.totals.events_lost = self.totals.events_lost.wrapping_add(lost);
        Some((seq, event))
    }

    /// Counts an event of which no listener could be notified.
    pub fn count_lost(&mut self) {
        self.totals.events_lost = self.totals.events_lost.wrapping_add(1);
    }

    /// Returns the first event that is still there with a number of `seq` or more, and its number.
    pub fn event(&self, seq: u64) -> Option<(u64, &Event)> {
        self.events.get(seq)
    }

    /// Returns what is left to be done with RTNL held. It counts as done from now on.
    pub fn take_unsettled(&mut self) -> Unsettled {
        ::core::mem::take(&mut self.unsettled)
    }

    /// Returns whether there is something left to be done with RTNL held.
    pub fn is_unsettled(&self) -> bool {
        self.unsettled.any
    }
}
