// SPDX-License-Identifier: GPL-2.0

//! Compares what both ends of a link have counted.
//!
//! Each end tells the other now and then how many frames its port has sent and received. What one end
//! has sent and the other has not received was lost on the way, whatever kind of frame it was. Drivers
//! may count differently: so this is for people, and takes no link out of use.
//!
//! Both ends count once a second, at different moments, and the peer's word is up to a second old. What
//! is compared is chosen so that no frame that was under way counts as lost: those sent count until
//! some time before those that have arrived, and from the same time on or later.

use super::wire::{
    Counted,
    Identity, //
};

/// The least time from one reading that others are compared with to the next, in ns: a minute.
const PERIOD: u64 = 60_000_000_000;

/// What was counted at both ends at about the same time.
#[derive(Clone, Copy)]
struct Reading {
    peer: Identity,
    here: Counted,
    /// What this end had counted at least a second before, and before the peer has counted.
    earlier: Counted,
    there: Counted,
    /// In ns.
    time: u64,
}

/// What both ends of a link have counted lately.
#[derive(Default)]
pub struct Tally {
    /// What this end has counted in the last two readings, the older first.
    here: [Option<Counted>; 2],
    /// What the peer has said since.
    there: Option<(Identity, Counted)>,
    /// The reading that others are compared with, the one that is to take its place, and the last.
    readings: Option<[Reading; 3]>,
}

/// What was sent and has arrived in a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Compared {
    /// How long that is, in ns.
    pub time: u64,
    /// Frames that this end has sent so early that they should have arrived.
    pub sent: u64,
    /// Frames that the peer has received.
    pub arrived: u64,
    /// Frames that the peer has sent.
    pub peer_sent: u64,
    /// Frames that this end has received. Some may be of shortly before.
    pub peer_arrived: u64,
}

impl Tally {
    /// Notes what the peer says that it has counted.
    pub fn hear(&mut self, peer: Identity, there: Counted) {
        self.there = Some((peer, there));
    }

    /// Notes what this end has counted at `now`, in ns. To be called once a second.
    pub fn note(&mut self, here: Counted, now: u64) {
        let [before, last] = self.here;
        self.here = [last, Some(here)];
        let (Some(earlier), Some((peer, there))) = (before, self.there.take()) else {
            return;
        };
        let reading = Reading {
            peer,
            here,
            earlier,
            there,
            time: now,
        };
        let goes_on = |last: &Reading| {
            let same = last.peer == peer && last.there.is_before(&there);
            same && earlier.is_before(&here) && last.here.is_before(&here)
        };
        self.readings = match self.readings {
            Some([first, next, last]) if goes_on(&last) => {
                // The old one is compared with for one to two periods.
                match now.saturating_sub(next.time) < PERIOD {
                    true => Some([first, next, reading]),
                    false => Some([next, reading, reading]),
                }
            }
            // The counters have begun again, or it is another peer.
            _ => Some([reading; 3]).filter(|_| earlier.is_before(&here)),
        };
    }

    /// Returns what this end has counted last, for the peer.
    pub fn here(&self) -> Option<Counted> {
        self.here[1]
    }

    /// Returns what was sent and has arrived in the last one to two minutes, if that is known.
    pub fn compare(&self) -> Option<Compared> {
        let [first, _, last] = self.readings?;
        let time = last.time.saturating_sub(first.time);
        let compared = Compared {
            time,
            sent: last.earlier.sent.saturating_sub(first.here.sent),
            arrived: last.there.received.saturating_sub(first.there.received),
            peer_sent: last.there.sent.saturating_sub(first.there.sent),
            peer_arrived: last.here.received.saturating_sub(first.earlier.received),
        };
        Some(compared).filter(|_| time > 0)
    }
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_tally))]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const PEER: Identity = Identity {
        system: 1,
        trunk: 2,
    };

    /// An end that has sent and received so many frames.
    fn counted(sent: u64, received: u64) -> Counted {
        Counted { sent, received }
    }

    /// Both ends send a frame each 10 ms in these seconds. So many in a hundred arrive. The peer counts
    /// half a second before this end, and sends what it has counted at once.
    fn pass(tally: &mut Tally, peer: Identity, seconds: ::core::ops::Range<u64>, arrive: u64) {
        for second in seconds {
            let (now, half) = (second * 100, second * 100 + 50);
            tally.note(counted(now, now * arrive / 100), second * SECOND);
            tally.hear(peer, counted(half, half * arrive / 100));
        }
    }

    fn compared(tally: &Tally) -> Option<[u64; 5]> {
        let it = tally.compare()?;
        let Compared {
            time,
            sent,
            arrived,
            peer_sent,
            peer_arrived,
        } = it;
        Some([time / SECOND, sent, arrived, peer_sent, peer_arrived])
    }

    #[test]
    fn what_is_lost_is_seen() {
        let mut tally = Tally::default();
        assert_eq!((compared(&tally), tally.here()), (None, None));
        pass(&mut tally, PEER, 0..3, 90);
        assert_eq!(compared(&tally), None);
        assert_eq!(tally.here(), Some(counted(200, 180)));
        pass(&mut tally, PEER, 3..103, 90);
        assert_eq!(compared(&tally), Some([100, 9_800, 9_000, 10_000, 9_180]));
    }

    /// Frames leave in one burst, between any two readings. They are under way for a while, but not lost.
    #[test]
    fn what_is_under_way_is_not_lost() {
        // So many half seconds after its reading each end sends a burst.
        for burst in 0..12 {
            let mut tally = Tally::default();
            for half in 0..20u64 {
                let bursts = |since: u64| if half >= burst + since { 1_000 } else { 0 };
                match half % 2 {
                    0 => tally.note(counted(bursts(0), bursts(1)), half * SECOND / 2),
                    _ => tally.hear(PEER, counted(bursts(0), bursts(1))),
                }
                if let Some([_, sent, arrived, peer_sent, peer_arrived]) = compared(&tally) {
                    assert!(sent <= arrived && peer_sent <= peer_arrived);
                }
            }
        }
    }

    #[test]
    fn the_last_one_to_two_minutes_count() {
        let mut tally = Tally::default();
        let mut longest = 0;
        for second in 0..1_000 {
            pass(&mut tally, PEER, second..second + 1, 50);
            let [time, sent, arrived, ..] = compared(&tally).unwrap_or_default();
            assert_eq!((sent + 200, arrived), ((time * 100).max(200), time * 50));
            assert!(time >= 60 || second < 120);
            longest = longest.max(time);
        }
        assert_eq!(longest, 119);
    }

    #[test]
    fn counters_that_begin_again_are_compared_from_then_on() {
        let mut tally = Tally::default();
        pass(&mut tally, PEER, 50..60, 100);
        // Those of both ends are less than before.
        pass(&mut tally, PEER, 5..15, 100);
        assert_eq!(compared(&tally), Some([7, 500, 700, 700, 900]));
        let other = Identity { trunk: 3, ..PEER };
        pass(&mut tally, other, 15..17, 100);
        assert_eq!(compared(&tally), None);
        pass(&mut tally, other, 17..20, 100);
        assert_eq!(compared(&tally), Some([3, 100, 300, 300, 500]));
    }

    #[test]
    fn without_word_of_the_peer_nothing_is_compared() {
        let mut tally = Tally::default();
        pass(&mut tally, PEER, 0..7, 100);
        let before = compared(&tally);
        tally.note(counted(700, 700), 7 * SECOND);
        let last = compared(&tally);
        assert!(before.is_some() && before != last);
        for second in 8..50 {
            tally.note(counted(second * 100, 400), second * SECOND);
            assert_eq!(compared(&tally), last);
        }
    }
}
