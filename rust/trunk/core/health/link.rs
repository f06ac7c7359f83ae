// SPDX-License-Identifier: GPL-2.0

//! One link: what is known of it.

use super::super::wire::{
    Identity,
    Kind,
    Probe, //
};
use super::damping::Damping;
use super::ring::{
    Found,
    Tests, //
};
use super::Settings;

/// The port at the other end, by its last message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its trunk.
    pub identity: Identity,
    /// Its number there.
    pub port: u8,
    /// The priority that the link has there.
    pub priority: u16,
    /// The link is usable for it.
    pub usable: bool,
    /// It uses the link.
    pub in_use: bool,
    /// A claim there holds the link.
    pub held: bool,
    /// The time from one of its rounds to the next, in µs.
    pub interval: u32,
    /// The MAC address of its trunk, if that was in the message.
    pub address: Option<[u8; 6]>,
    /// When the message came in, in ns.
    pub heard: u64,
}

/// How long replies took, in ns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RoundTrip {
    /// The last one.
    pub last: u64,
    /// The shortest one.
    pub min: u64,
    /// The average, in which the last one counts for an eighth.
    pub avg: u64,
    /// How far they are from the average, in which the last one counts for a quarter.
    pub deviation: u64,
}

impl RoundTrip {
    const fn new(took: u64) -> Self {
        Self {
            last: took,
            min: took,
            avg: took,
            deviation: 0,
        }
    }

    /// Adds one more, as RFC 6298 does.
    fn add(&mut self, took: u64) {
        let off = took.abs_diff(self.avg);
        let weigh = |old: u64, new: u64, shift| {
            let kept = old.saturating_sub(old >> shift);
            kept.saturating_add(new >> shift)
        };
        self.deviation = weigh(self.deviation, off, 2);
        self.avg = weigh(self.avg, took, 3);
        self.min = self.min.min(took);
        self.last = took;
    }

    /// Returns the time in which the next reply can be expected.
    pub(super) const fn expected(&self) -> u64 {
        self.avg.saturating_add(self.deviation.saturating_mul(4))
    }
}

/// What happened on a link since it was added.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Rounds with a test on the link.
    pub rounds: u64,
    /// Rounds without a reply in time.
    pub missed: u64,
    /// How often it became late.
    pub late: u64,
    /// Tests sent, in rounds and beside them.
    pub tests_sent: u64,
    /// Tests received.
    pub tests_received: u64,
    /// Replies sent.
    pub replies_sent: u64,
    /// Replies in time.
    pub replies_received: u64,
    /// Replies that came too late.
    pub replies_late: u64,
    /// Tests that were not answered, since there were too many.
    pub limited: u64,
    /// Frames that were no probe, or answered nothing that was asked.
    pub refused: u64,
    /// TLVs that were passed over.
    pub unknown: u64,
}

/// What is known of one link of a trunk.
#[derive(Default)]
pub struct Link {
    pub(super) tests: Tests,
    /// What happened on it.
    pub counts: Counts,
    /// The port at the other end. It is known of a link that is probed, from the first trusted
    /// message on, until carrier is lost.
    pub peer: Option<Peer>,
    /// How long replies took, once there was one.
    pub round_trip: Option<RoundTrip>,
    /// How long the last reply took that came too late, in ns.
    pub late: Option<u64>,
    /// When it was last known to work both ways, in ns: the last reply.
    pub good: Option<u64>,
    /// The last test of the peer, whether trusted or not, in ns; 0 for none.
    pub(super) heard: u64,
    /// The last trusted test of the peer that was followed: the last test of this link that the
    /// peer had heard then, and the number of the peer's test.
    pub(super) followed: Option<(u32, u32)>,
    /// The test of this link that was answered by the last reply that was followed.
    pub(super) reply_followed: Option<u32>,
    /// The nonce to be echoed, 0 if there is none.
    pub(super) nonce: u64,
    /// The ports of this trunk that the peer hears, one bit for each.
    pub(super) hears: u64,
    /// The start of the first of the rounds that were missed in a row.
    pub(super) missing: u64,
    /// When the next reply may leave if there is no burst, in ns: to a trusted test, and to any
    /// other.
    pub(super) next_reply: (u64, u64),
    pub(super) damping: Damping,
    /// The priority of the port.
    pub priority: u16,
    /// Rounds in a row in which no reply came, and in which one came.
    pub(super) misses: u8,
    pub(super) hits: u8,
    /// Rounds in a row without a reply in time, and with one.
    slow: u8,
    prompt: u8,
    /// So many rounds more than `misses` without a reply make it dead, since replies take long.
    patience: u8,
    /// There was a reply since the last round was judged.
    lives: bool,
    /// There was a reply too late since the last round with one in time.
    delayed: bool,
    /// It is alive, but replies come too late.
    pub(super) is_late: bool,
    /// When it was found dead since it fell silent, in ns; 0 if it is not.
    died: u64,
    /// That was no failure of the link, but of its peer.
    pub(super) excused: bool,
    /// Rounds in a row after which its peer was another than that of the other links.
    pub(super) differing: u8,
    /// Its tests have reached another port than one at its other end: it is shared for so many
    /// rounds more.
    pub(super) shared: u8,
    /// The test that was answered last, and the trunk and port that answered it first.
    answered_by: Option<(u32, Identity, u8)>,
    pub(super) carrier: bool,
    /// The peer has answered.
    pub(super) found: bool,
    /// Its use depends on probes, not on carrier alone.
    pub(super) probed: bool,
    /// It is probed, and works both ways.
    pub(super) alive: bool,
    /// It died together with all others, and none is alive yet.
    pub(super) silent: bool,
    /// Its peer is another than that of the other links.
    pub(super) mismatch: bool,
    /// Its peer once was that of the other links.
    pub(super) agreed: bool,
    /// The peer has another priority for the link.
    pub(super) differs: bool,
    /// This end has said goodbye.
    pub(super) left: bool,
}

/// Returns whether `number` comes later than `last`. Numbers begin again after the largest.
const fn is_later(last: u32, number: u32) -> bool {
    (number.wrapping_sub(last) as i32) > 0
}

/// Counts one more in a row of one kind, and none of the other.
fn count(good: &mut u8, bad: &mut u8, is_good: bool) {
    let (more, none) = if is_good { (good, bad) } else { (bad, good) };
    *more = more.saturating_add(1);
    *none = 0;
}

impl Link {
    /// Makes a link of which nothing is known yet.
    pub fn new(priority: u16) -> Self {
        Self {
            priority,
            ..Self::default()
        }
    }

    /// Returns whether it works, but replies come too late.
    pub fn is_late(&self) -> bool {
        self.is_late
    }

    /// Returns whether its use depends on probes, not on carrier alone.
    pub fn is_probed(&self) -> bool {
        self.probed
    }

    /// Forgets all but what was counted, the priority, and the number of the last test.
    pub(super) fn forget(&mut self) {
        let Self {
            counts,
            priority,
            tests: Tests { last, .. },
            ..
        } = *self;
        *self = Self::new(priority);
        self.counts = counts;
        self.tests.last = last;
    }

    /// Notes that there is no carrier any more. `fails` says that nobody has brought the device down.
    pub(super) fn lose_carrier(&mut self, now: u64, fails: bool, settings: &Settings) {
        if self.died != 0 {
            self.note_failure(settings);
        } else if fails && (self.alive || !self.probed) {
            self.damping.fall(now, settings.hold_down_ns());
        }
        self.alive = false;
        self.tests.forget();
        self.shared = 0;
        self.answered_by = None;
        self.forget_peer();
    }

    fn forget_peer(&mut self) {
        self.peer = None;
        self.hears = 0;
        self.misses = 0;
        self.hits = 0;
        self.slow = 0;
        self.prompt = 0;
        self.patience = 0;
        self.lives = false;
        self.delayed = false;
        self.is_late = false;
        self.silent = false;
        self.differing = 0;
        self.mismatch = false;
        self.agreed = false;
        self.differs = false;
    }

    /// Has the last death count as a failure of the link, if there was one and it is.
    fn note_failure(&mut self, settings: &Settings) {
        if self.died != 0 && !self.excused {
            self.damping.fall(self.died, settings.hold_down_ns());
        }
        self.died = 0;
    }

    /// Notes that the peer has gone away.
    pub(super) fn depart(&mut self, required: bool) {
        self.found = false;
        self.probed = required;
        self.alive = false;
        self.died = 0;
        self.good = None;
        self.forget_peer();
    }

    /// Ends a round of tests sent from `start` until `end`. Returns whether the link has died now.
    pub(super) fn judge(&mut self, start: u64, end: u64, now: u64, settings: &Settings) -> bool {
        let Some(in_time) = self.tests.in_time(start, end) else {
            return false;
        };
        self.counts.rounds = self.counts.rounds.wrapping_add(1);
        self.shared = self.shared.saturating_sub(1);
        if !in_time {
            self.counts.missed = self.counts.missed.wrapping_add(1);
        }
        let lives = ::core::mem::take(&mut self.lives) || in_time;
        count(&mut self.prompt, &mut self.slow, in_time);
        self.delayed &= !in_time;
        if !lives && self.misses == 0 {
            self.missing = start;
        }
        count(&mut self.hits, &mut self.misses, lives);
        let patience = settings.misses.saturating_add(self.patience);
        let dies = self.alive && self.misses >= patience;
        if dies {
            self.alive = false;
            self.is_late = false;
            (self.died, self.excused) = (now, false);
        } else if self.probed && !self.alive && self.hits >= settings.hits {
            self.note_failure(settings);
            self.alive = true;
        }
        dies
    }

    /// Finds out whether replies come, but too late. Returns whether that has changed.
    pub(super) fn look_for_lateness(&mut self, settings: &Settings) -> bool {
        let late = match self.is_late {
            true => self.prompt < settings.hits,
            false => self.slow >= settings.misses && self.delayed,
        };
        let late = late && self.probed && self.alive;
        let changes = late != self.is_late;
        self.is_late = late;
        if changes && late {
            self.counts.late = self.counts.late.wrapping_add(1);
        }
        changes
    }

    /// Follows a trusted message of the peer. The message answers test number `answers` of this
    /// link, or was sent after that test. Returns `false` if a later message has been followed
    /// already.
    pub(super) fn follow(&mut self, probe: &Probe, answers: u32) -> bool {
        let newer = if probe.kind == Kind::Reply {
            self.reply_followed
                .is_none_or(|last| is_later(last, answers))
        } else {
            self.followed.is_none_or(|(last, sequence)| {
                is_later(last, answers) || last == answers && is_later(sequence, probe.sequence)
            })
        };
        if !newer {
            return false;
        }
        match probe.kind {
            Kind::Test => self.followed = Some((answers, probe.sequence)),
            Kind::Reply => self.reply_followed = Some(answers),
            Kind::Bye => {
                self.followed = Some((answers, probe.sequence));
                // A reply that is still on its way does not bring the peer back.
                self.reply_followed = Some(self.tests.last);
            }
        }
        if probe.kind != Kind::Bye && probe.nonce != 0 {
            self.nonce = probe.nonce;
        }
        true
    }

    /// Takes over what a message says of the peer. Returns whether its priority begins to differ.
    pub(super) fn learn(&mut self, probe: &Probe, now: u64) -> bool {
        self.peer = Some(Peer {
            identity: probe.from,
            port: probe.port,
            priority: probe.priority,
            usable: probe.usable,
            in_use: probe.in_use,
            held: probe.held,
            interval: probe.interval,
            address: probe.address,
            heard: now,
        });
        self.hears = probe.heard;
        let differed = self.differs;
        self.differs = probe.priority != self.priority;
        self.differs && !differed
    }

    /// Notes a reply to a test of this link. Returns whether it is the first of the peer.
    pub(super) fn reply(
        &mut self,
        test: Found,
        now: u64,
        newer: bool,
        settings: &Settings,
    ) -> bool {
        let took = now.saturating_sub(test.sent);
        let in_time = took <= settings.reply_timeout_ns();
        self.tests.answer(test.number, in_time);
        if in_time {
            self.counts.replies_received = self.counts.replies_received.wrapping_add(1);
        } else {
            self.counts.replies_late = self.counts.replies_late.wrapping_add(1);
        }
        self.lives = true;
        self.misses = 0;
        self.good = Some(now);
        if self.died != 0 && test.sent <= self.died {
            // It was not dead, but late.
            self.died = 0;
            self.alive = true;
        }
        if test.is_path {
            // A larger frame takes longer.
            return false;
        }
        if !in_time {
            self.late = Some(took);
            self.delayed = true;
        }
        let round_trip = self.round_trip.get_or_insert(RoundTrip::new(took));
        round_trip.add(took);
        self.patience = settings.patience(round_trip.expected());
        let found = newer && !self.found;
        if found {
            self.found = true;
            if !self.probed {
                self.probed = true;
                self.alive = true;
                // What was missed before does not count.
                self.slow = 0;
            }
        }
        found
    }

    /// Returns whether one more test may be answered: so many a second, after a burst. A flood of
    /// other tests does not keep trusted ones from being answered.
    pub(super) fn may_reply(&mut self, now: u64, newer: bool) -> bool {
        let (trusted, other) = &mut self.next_reply;
        let next = if newer { trusted } else { other };
        *next = now.max(*next);
        let allowed = next.saturating_sub(now) <= super::REPLY_BURST;
        if allowed {
            *next = next.saturating_add(super::REPLY_EVERY);
        }
        allowed
    }

    /// Notes who answers a test of this link. Returns whether somebody else has answered it before.
    pub(super) fn note_answer(&mut self, test: u32, probe: &Probe) -> bool {
        match self.answered_by.filter(|(last, ..)| *last == test) {
            Some((_, from, port)) => (from, port) != (probe.from, probe.port),
            None => {
                self.answered_by = Some((test, probe.from, probe.port));
                false
            }
        }
    }

    /// Returns whether its tests reach other ports than the one at its other end.
    pub const fn is_shared(&self) -> bool {
        self.shared > 0
    }

    /// Returns its peer, if it is the only one.
    pub(super) fn only_peer(&self) -> Option<Peer> {
        self.peer.filter(|_| !self.is_shared())
    }

    /// Returns until when the peer counts as heard, if no other message of it comes.
    pub(super) fn heard_until(&self, settings: &Settings) -> u64 {
        let Some(peer) = self.peer else { return 0 };
        let last = self.heard.max(peer.heard);
        last.saturating_add(settings.window(peer.interval))
    }
}
