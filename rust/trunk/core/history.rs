// SPDX-License-Identifier: GPL-2.0

//! The last events of a trunk, and where buckets went.

use super::port::{
    LinkState,
    PerPort,
    PortId, //
};
pub use super::uapi::{
    EventKind,
    Reason, //
};
use ::core::ops::DerefMut;

/// Something that happened. Devices are named by interface index, 0 for none, since they may be
/// gone when the event is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// When, in ns of a monotonic clock.
    pub time: u64,
    /// What happened.
    pub kind: EventKind,
    /// The port it is about.
    pub port: u32,
    /// The port that took over, or gave back.
    pub other: u32,
    /// The state of the port before and after.
    pub states: Option<(LinkState, LinkState)>,
    /// Why it happened.
    pub reason: Reason,
    /// The number of buckets that moved.
    pub buckets: u32,
    /// The time from noticing to the last slot of the table, in ns, at most `u32::MAX`.
    pub switch: u32,
    /// The mark of the claim that it is about, 0 for none.
    pub mark: u32,
    /// The error of a refusal, as a positive errno.
    pub error: u16,
    /// How long the failure went unnoticed, in ns, if that is known.
    pub detection: Option<u64>,
}

impl Event {
    /// Makes an event about a port, by interface index, or about none (0), at `time` in ns.
    pub const fn new(kind: EventKind, port: u32, time: u64) -> Self {
        Self {
            time,
            kind,
            port,
            other: 0,
            states: None,
            reason: Reason::None,
            buckets: 0,
            switch: 0,
            mark: 0,
            error: 0,
            detection: None,
        }
    }
}

/// The last events, numbered from 1. Listeners are yet to be notified of some.
pub struct Ring<S> {
    events: S,
    /// The number of the last event.
    last: u64,
    /// The number of the last event that listeners were notified of.
    told: u64,
}

impl<S: DerefMut<Target = [Event]>> Ring<S> {
    /// Makes a ring without events, with room for as many as `events` holds.
    pub const fn new(events: S) -> Self {
        Self {
            events,
            last: 0,
            told: 0,
        }
    }

    fn place(&self, seq: u64) -> usize {
        seq.checked_rem(self.events.len() as u64).unwrap_or(0) as usize
    }

    /// Adds an event. If there is no room, it takes the place of the oldest.
    pub fn record(&mut self, event: Event) {
        self.last = self.last.wrapping_add(1);
        let place = self.place(self.last);
        if let Some(room) = self.events.get_mut(place) {
            *room = event;
        }
    }

    /// Returns the first event that is still there with a number of `seq` or more, and its number.
    pub fn get(&self, seq: u64) -> Option<(u64, &Event)> {
        let oldest = self.last.saturating_sub(self.events.len() as u64);
        let seq = seq.max(oldest.wrapping_add(1));
        let event = self.events.get(self.place(seq))?;
        (seq <= self.last).then_some((seq, event))
    }

    /// Returns the next event to notify listeners of, its number, and how many before it are lost.
    pub fn tell(&mut self) -> Option<(u64, Event, u64)> {
        let next = self.told.wrapping_add(1);
        let (seq, event) = self.get(next)?;
        let event = *event;
        self.told = seq;
        Some((seq, event, seq.wrapping_sub(next)))
    }

    /// Returns whether there is an event to notify listeners of.
    pub fn is_due(&self) -> bool {
        self.told != self.last
    }
}

/// Buckets that one port lost, or got.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Moved {
    /// The number of buckets.
    pub buckets: u32,
    /// The port that all of them went to, or came from; `None` if there are several, or none.
    pub other: Option<PortId>,
}

impl Moved {
    fn note(&mut self, other: Option<PortId>) {
        let all = self.buckets == 0 || self.other == other;
        self.other = other.filter(|_| all);
        self.buckets = self.buckets.saturating_add(1);
    }
}

/// Where buckets went in one change of the table (1 KiB, too large for a stack).
#[derive(Default)]
pub struct Moves {
    /// What each port lost.
    pub lost: PerPort<Moved>,
    /// What each port got of its own buckets.
    pub returned: PerPort<Moved>,
}

impl Moves {
    /// Forgets all moves.
    pub fn clear(&mut self) {
        for id in PortId::all() {
            self.lost[id] = Moved::default();
            self.returned[id] = Moved::default();
        }
    }

    /// Notes that a bucket of `home` moves.
    pub fn note(&mut self, home: Option<PortId>, from: Option<PortId>, to: Option<PortId>) {
        if let Some(id) = from {
            self.lost[id].note(to);
        }
        if let Some(id) = to.filter(|_| to == home) {
            self.returned[id].note(from);
        }
    }
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_history))]
mod tests {
    use super::super::testing::id;
    use super::*;

    fn event(time: u64) -> Event {
        Event::new(EventKind::Config, 0, time)
    }

    #[test]
    fn the_ring_keeps_the_last_events() {
        let mut events = [event(0); 4];
        let mut ring = Ring::new(&mut events[..]);
        assert_eq!(ring.get(0), None);
        for time in 1..=6u64 {
            ring.record(event(time));
            let oldest = time.saturating_sub(3).max(1);
            // Whoever reads on from an event that is gone gets the oldest there is.
            for seq in 0..=7u64 {
                let want = seq.max(oldest);
                let found = ring.get(seq).map(|(seq, event)| (seq, event.time));
                assert_eq!(found, (want <= time).then_some((want, want)));
            }
        }
    }

    #[test]
    fn what_nobody_was_told_in_time_is_counted() {
        let mut events = [event(0); 2];
        let mut ring = Ring::new(&mut events[..]);
        assert_eq!(ring.tell(), None);
        ring.record(event(1));
        assert!(ring.is_due());
        assert_eq!(ring.tell(), Some((1, event(1), 0)));
        assert!(!ring.is_due());
        assert_eq!(ring.tell(), None);
        for time in 2..=5 {
            ring.record(event(time));
        }
        assert_eq!(ring.tell(), Some((4, event(4), 2)));
        assert_eq!(ring.tell(), Some((5, event(5), 0)));
        assert_eq!(ring.tell(), None);
    }

    #[test]
    fn a_ring_without_room_does_no_harm() {
        let mut ring = Ring::new(&mut [][..]);
        ring.record(event(1));
        assert_eq!(ring.get(1), None);
        assert_eq!(ring.tell(), None);
    }

    #[test]
    fn moves_are_counted_by_port() {
        let mut moves = Moves::default();
        for (home, from, to) in [
            (1, 1, 4),
            (1, 1, 4),
            (2, 2, 0),
            (2, 2, 1),
            (3, 4, 3),
            (0, -1, 0),
        ] {
            moves.note(id(home), id(from), id(to));
        }
        for (number, lost, returned) in [
            (0, (0, -1), (1, -1)),
            (1, (2, 4), (0, -1)),
            (2, (2, -1), (0, -1)),
            (3, (0, -1), (1, 4)),
            (4, (1, 3), (0, -1)),
        ] {
            if let Some(port) = id(number) {
                let moved = |(buckets, other)| Moved {
                    buckets,
                    other: id(other),
                };
                assert_eq!(moves.lost[port], moved(lost));
                assert_eq!(moves.returned[port], moved(returned));
            }
        }
        moves.clear();
        let none = Moved::default();
        assert!(PortId::all().all(|id| moves.lost[id] == none && moves.returned[id] == none));
    }
}
