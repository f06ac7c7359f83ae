// SPDX-License-Identifier: GPL-2.0

//! Rounds of tests, and what follows when they are over.

use super::super::port::{
    PortId,
    PortSet, //
};
use super::super::wire::Identity;
use super::messages::SHARED;
use super::{
    bit,
    Due,
    Health,
    Link,
    Peers, //
};
use ::core::{
    borrow::BorrowMut,
    cmp::Reverse,
    ops::DerefMut, //
};

impl<B: DerefMut<Target: BorrowMut<Link>>> Health<B> {
    /// Returns when the next round is due.
    fn next_round(&self) -> u64 {
        self.last
            .map_or(0, |last| last.saturating_add(self.settings.interval_ns()))
    }

    /// Notes the ports that have carrier at `now`. A link that has lost its carrier begins again. That is
    /// a failure of the link, except where the device is `down`.
    pub fn note_carrier(&mut self, now: u64, carrier: PortSet, down: PortSet) {
        if !self.running {
            return;
        }
        self.now = self.now.max(now);
        self.heard = None;
        let settings = self.settings;
        for id in PortId::all() {
            let up = carrier.contains(id);
            if let Some(link) = self.link_mut(id) {
                if link.carrier && !up {
                    link.lose_carrier(now, !down.contains(id), &settings);
                }
                link.carrier = up;
            }
        }
    }

    /// Goes on to `now`. These ports have carrier. The caller calls this at the time that the last
    /// call has returned, or somewhat later. To call it earlier does no harm.
    pub fn tick(&mut self, now: u64, carrier: PortSet) -> Due {
        let mut due = Due {
            test: PortSet::EMPTY,
            next: u64::MAX,
        };
        self.note_carrier(now, carrier, PortSet::EMPTY);
        if !self.is_testing() {
            return due;
        }
        let settings = self.settings;
        let timeout = settings.reply_timeout_ns();
        if self.waits.is_none() && now.saturating_sub(self.due) > timeout >> 1 {
            self.waits = Some(now.saturating_add(timeout));
        }
        while let [Some(start), next] = self.open {
            // Its place is needed at the latest when a third round begins.
            let place = next.is_none() || now < self.next_round();
            if now < start.saturating_add(timeout) || place && self.waits.is_some_and(|it| now < it)
            {
                break;
            }
            self.open = [next, None];
            self.waits = None;
            self.judge(start, next.unwrap_or(u64::MAX), now);
        }

        let round = self.next_round();
        if now >= round {
            // Rounds keep to their beat, unless this one is so late that another was left out.
            let late = now.saturating_sub(round);
            let keeps = self.last.is_some() && late < settings.interval_ns();
            self.last = Some(if keeps { round } else { now });
            self.open = match self.open {
                [None, _] => [Some(now), None],
                [older, _] => [older, Some(now)],
            };
            due.test = self
                .iter()
                .filter(|(_, link)| link.carrier && !link.left)
                .map(|(id, _)| id)
                .collect();
        }
        due.next = self.next_round();
        if let [Some(start), _] = self.open {
            let end = start.saturating_add(timeout).max(self.waits.unwrap_or(0));
            due.next = due.next.min(end);
        }
        self.due = due.next;
        due
    }

    /// Ends the round of the tests sent from `start` until `end`.
    fn judge(&mut self, start: u64, end: u64, now: u64) {
        let settings = self.settings;
        let mut died = false;
        for id in PortId::all() {
            let Some(link) = self.link_mut(id).filter(|link| link.carrier) else {
                continue;
            };
            died |= link.judge(start, end, now, &settings);
            if link.look_for_lateness(&settings) {
                let (late, news) = (link.is_late, &mut self.news);
                let set = if late {
                    &mut news.late
                } else {
                    &mut news.in_time
                };
                set.insert(id);
            }
        }
        if self.iter().any(|(_, link)| link.alive) {
            // The peer is not silent, so no link is dead because of that.
            self.iter_mut().for_each(|link| link.silent = false);
        } else if died {
            self.look_for_silence();
        }
        self.look_for_switch();
        self.compare_identities();
    }

    /// Finds out whether the peer is silent: the last link has died, and others died with it.
    fn look_for_silence(&mut self) {
        let settings = self.settings;
        let together = settings.interval_ns().saturating_mul(2);
        let dead = |link: &Link| {
            let quiet = link.probed && link.carrier && !settings.is_heard_on(link);
            link.good.filter(|_| quiet)
        };
        let last = self.iter().filter_map(|(_, link)| dead(link)).max();
        let Some(last) = last else {
            return;
        };
        let silent =
            |link: &Link| dead(link).is_some_and(|good| last.saturating_sub(good) <= together);
        // Not by `count()`, which could panic.
        let second = self.iter().filter(|(_, link)| silent(link)).nth(1);
        if second.is_none() {
            return;
        }
        for link in self.iter_mut() {
            link.silent = silent(link);
            link.excused |= link.silent;
        }
        self.news.lost = true;
    }

    /// Finds links that lead to one port of a peer: a switch is in between. Looks at one peer, that of
    /// the first link that works.
    fn look_for_switch(&mut self) {
        let answers = |link: &Link| link.peer.filter(|_| link.alive && link.misses == 0);
        let Some(first) = self.iter().find_map(|(_, link)| answers(link)) else {
            return;
        };
        let place = |link: &Link| {
            let peer = answers(link).filter(|peer| peer.identity == first.identity);
            peer.map_or(0, |peer| bit(peer.port))
        };
        let (mut once, mut twice) = (0, 0);
        for (_, link) in self.iter() {
            twice |= once & place(link);
            once |= place(link);
        }
        if twice == 0 {
            return;
        }
        for link in self.iter_mut() {
            if twice & place(link) != 0 {
                link.shared = SHARED;
            }
        }
    }

    /// Returns whether a link leads to a port of a trunk, and to no other.
    pub(super) fn is_cabled(&self) -> bool {
        let cabled = |link: &Link| link.alive && link.only_peer().is_some();
        self.iter().any(|(_, link)| cabled(link))
    }

    /// Finds the links that lead elsewhere than the others.
    fn compare_identities(&mut self) {
        let settings = self.settings;
        let now = self.now;
        if settings.peers == Peers::Several {
            self.reference = None;
        } else {
            let stays = |link: &Link| {
                link.alive && self.reference == link.only_peer().map(|peer| peer.identity)
            };
            if self.reference.is_none() || !self.iter().any(|(_, link)| stays(link)) {
                self.reference = self.most_heard();
            }
        }
        let reference = self.reference;
        let cabled = self.is_cabled();
        for link in self.iter_mut() {
            if link.is_shared() {
                link.mismatch = cabled;
                continue;
            }
            // Only a new message on a dead link counts. The others may have said the old ones too.
            let peer = link.peer.filter(|peer| {
                let recent = now.saturating_sub(peer.heard) <= settings.rounds();
                link.alive || recent && !link.agreed
            });
            let (Some(reference), Some(peer)) = (reference, peer) else {
                link.mismatch = false;
                continue;
            };
            if peer.identity == reference {
                link.agreed = true;
                link.differing = 0;
                link.mismatch = false;
            } else {
                // The peer may have come back with another identity, and the other links are yet to
                // find out.
                link.differing = link.differing.saturating_add(1);
                link.mismatch = !link.agreed || link.differing > settings.misses;
            }
        }
    }

    /// Returns the trunk that answered on most ports within the last rounds. Of several, returns
    /// the one on the best port.
    fn most_heard(&self) -> Option<Identity> {
        let answers = || {
            self.iter().filter_map(|(id, link)| {
                let good = link.good.filter(|_| link.probed)?;
                let late = self.now.saturating_sub(good) > self.settings.rounds();
                let peer = link.only_peer().filter(|_| !late)?;
                Some((peer.identity, link.priority, id))
            })
        };
        answers()
            .min_by_key(|(identity, priority, id)| {
                let same = answers().filter(|(other, ..)| other == identity);
                let count = same.fold(0u32, |count, _| count.saturating_add(1));
                (Reverse(count), *priority, *id)
            })
            .map(|(identity, ..)| identity)
    }
}
