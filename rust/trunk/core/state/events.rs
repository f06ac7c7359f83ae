// SPDX-License-Identifier: GPL-2.0

//! Records what happens, for listeners and for the history.

use super::{
    super::{
        claims::Answer,
        health::Health,
        history::{
            Event,
            EventKind,
            Reason, //
        },
        port::{
            LinkState,
            PortId,
            PortSet, //
        },
    },
    Memory,
    Port,
    State,
    Unsettled, //
};
use ::core::ops::DerefMut;

/// What has happened since the trunk was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// How often ports became usable.
    pub ups: u64,
    /// How often ports became unusable.
    pub downs: u64,
    /// How often replies of ports began to come too late.
    pub lates: u64,
    /// How often buckets moved because a port became unusable.
    pub failovers: u64,
    /// How often buckets moved back because a port was usable again.
    pub failbacks: u64,
    /// Buckets that moved from one port to another, for any reason.
    pub buckets_moved: u64,
    /// Events that were overwritten before listeners were notified of them.
    pub events_lost: u64,
}

/// The outcome of a decision.
pub(super) struct Outcome {
    /// When it began, in ns.
    pub(super) now: u64,
    /// How long it took, in ns.
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
            (EventKind::Late, news.late),
            (EventKind::InTime, news.in_time),
        ] {
            for id in ports.iter() {
                let port = ifindex(&self.health, Some(id));
                self.events.record(Event::new(kind, port, now));
            }
        }
        self.totals.lates = self.totals.lates.wrapping_add(news.late.len().into());
        if news.lost {
            self.events.record(Event::new(EventKind::PeerLost, 0, now));
        }
    }

    /// Records the reasons of ports that are `sby`, where another reason was recorded before. The
    /// reason must have lasted longer than a passing state of a link that dies or returns.
    pub(super) fn tell_reasons(&mut self, now: u64) {
        let before = now.saturating_sub(self.health.settings().lasting());
        for id in PortId::all() {
            let Some(port) = self.health.get_mut(id) else {
                continue;
            };
            if port.take_reason(before) {
                self.events.record(Event {
                    states: Some((LinkState::Sby, LinkState::Sby)),
                    detection: None,
                    ..port.event(EventKind::PortState, now)
                });
            }
        }
    }

    /// Records the outcome of a decision.
    pub(super) fn record(&mut self, cause: Option<Event>, outcome: &Outcome) {
        let Self {
            health,
            desk,
            events,
            totals,
            ..
        } = self;
        let (now, act) = (outcome.now, self.decision.act);
        let fallen = outcome.act & !act & desk.ports.select(|_| true);
        let risen = act & !outcome.act;
        let switch = u32::try_from(outcome.took).unwrap_or(u32::MAX);
        let moves = &desk.moves;

        if let Some(cause) = cause {
            let lost = fallen.iter().map(|id| moves.lost[id].buckets);
            let returned = outcome.back.iter().map(|id| moves.returned[id].buckets);
            let switched = lost.chain(returned).fold(0, u32::saturating_add);
            let total = u32::try_from(outcome.moved).unwrap_or(u32::MAX);
            events.record(Event {
                buckets: total.saturating_sub(switched),
                ..cause
            });
        }
        for id in (fallen | risen).iter() {
            if let Some(port) = health.get(id) {
                let states = match fallen.contains(id) {
                    true => (LinkState::Act, LinkState::Sby),
                    false => (LinkState::Sby, LinkState::Act),
                };
                events.record(Event {
                    states: Some(states),
                    ..port.event(EventKind::PortState, now)
                });
            }
        }
        for (kind, ports, moved, count) in [
            (
                EventKind::Failover,
                fallen,
                &moves.lost,
                &mut totals.failovers,
            ),
            (
                EventKind::Failback,
                outcome.back,
                &moves.returned,
                &mut totals.failbacks,
            ),
        ] {
            for id in ports.iter().filter(|id| moved[*id].buckets != 0) {
                if let Some(port) = health.get(id) {
                    *count = count.wrapping_add(1);
                    events.record(Event {
                        other: ifindex(health, moved[id].other),
                        buckets: moved[id].buckets,
                        switch,
                        ..port.event(kind, now)
                    });
                }
            }
        }
        totals.buckets_moved = totals.buckets_moved.wrapping_add(outcome.moved as u64);
        self.record_claims(now, switch);
    }

    /// Records the claims that have another link than before, or their first one. A claim that has
    /// its first link is to be answered.
    fn record_claims(&mut self, now: u64, switch: u32) {
        let Self {
            claims,
            events,
            health,
            decision,
            ..
        } = self;
        for claim in claims.all_mut() {
            if claim.seen == claim.link {
                continue;
            }
            let lost = claim.seen.filter(|id| !decision.act.contains(*id));
            let lost = lost.and_then(|id| health.get(id));
            claim.reason = lost.map_or(Reason::None, |port| port.reason);
            let kind = match claim.answer {
                Answer::None => EventKind::Claim,
                _ => EventKind::ClaimMoved,
            };
            events.record(Event {
                other: ifindex(health, claim.link),
                reason: claim.reason,
                mark: claim.holder.mark,
                switch,
                detection: lost.and_then(|port| port.unnoticed),
                ..Event::new(kind, claim.holder.ifindex, now)
            });
            claim.seen = claim.link;
            if claim.answer == Answer::None {
                claim.answer = Answer::Due;
            }
        }
    }

    /// Returns the next event to notify listeners of, and its number. Lost events are counted.
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

    /// Returns what is to be done with RTNL held. It counts as done from now on.
    pub fn take_unsettled(&mut self) -> Unsettled {
        ::core::mem::take(&mut self.unsettled)
    }

    /// Returns whether there is something to do with RTNL held.
    pub fn is_unsettled(&self) -> bool {
        self.unsettled.any
    }
}

/// Returns the interface index of a port, 0 for none.
fn ifindex<B: DerefMut<Target = Port>>(health: &Health<B>, id: Option<PortId>) -> u32 {
    let port = id.and_then(|id| health.get(id));
    port.map_or(0, |port| port.ifindex)
}
