// SPDX-License-Identifier: GPL-2.0

//! Deals buckets to ports so that the buckets of each port lie evenly among those of the others.

use super::port::{
    PerPort,
    PortId,
    PortSet,
    Ports, //
};
use ::core::cmp::Reverse;

/// Deals buckets, one a call, until each port has what it needs.
///
/// The deal goes in rounds. There are as many rounds as the port with the greatest need needs
/// buckets. That port gets one in every round. A port that needs a third of that gets one in every
/// third round, and so on. Equal needs make a plain round robin.
///
/// To look at every port in every round would take long where one port needs far more than the
/// others. So the ports wait on a wheel for the round in which they are due. A port that is looked
/// at gets a bucket, or is looked at again [`PLACES`] rounds later. So a bucket takes O(1).
///
/// The caller fills `need` first, then calls [`start`](Dealer::start). So the one kilobyte is not
/// copied.
pub(super) struct Dealer {
    /// The number of buckets that each port is to get in all, at most 2^16.
    pub(super) need: PerPort<u32>,
    got: PerPort<u32>,
    /// The round in which each port gets its next bucket.
    due: PerPort<u32>,
    /// The ports that need more buckets, by the round in `due` modulo the number of places.
    wheel: [PortSet; PLACES],
    /// The ports at the place of this round that are yet to be looked at.
    here: PortSet,
    round: u32,
    rounds: u32,
}

const PLACES: usize = 16;

impl Dealer {
    /// Makes a dealer with nothing to deal.
    #[inline(always)] // Without this it is made in one place and copied to another.
    pub(super) fn new() -> Self {
        Self {
            need: PerPort::default(),
            got: PerPort::default(),
            due: PerPort::default(),
            wheel: [PortSet::EMPTY; PLACES],
            here: PortSet::EMPTY,
            round: 0,
            rounds: 0,
        }
    }

    /// Begins to deal to the ports `among`, from the first round.
    pub(super) fn start(&mut self, among: PortSet) {
        self.rounds = among.iter().map(|id| self.need[id]).max().unwrap_or(0);
        for id in among.iter() {
            self.wait(id);
        }
        self.here = *self.place(0);
    }

    /// Lets `id` wait for the round in which it gets its next bucket, if it needs more.
    fn wait(&mut self, id: PortId) {
        let (need, got) = (self.need[id], self.got[id]);
        if got >= need {
            return;
        }
        // `got` is less than `need`, hence less than 2^16: no more than 32 bits.
        let even = self.rounds.saturating_mul(got).checked_div(need);
        // Ports that are due every few rounds are not all due in the first round. Those that need
        // one less than the greatest need are, so that equal weights make a round robin.
        let pause = if self.rounds.saturating_sub(need) <= 1 {
            1
        } else {
            self.rounds.checked_div(need).unwrap_or(1)
        };
        let start = (id.index() as u32).checked_rem(pause);
        let round = even.unwrap_or(0).saturating_add(start.unwrap_or(0));
        self.due[id] = round;
        self.place(round).insert(id);
    }

    #[expect(clippy::indexing_slicing)] // A remainder is in range.
    fn place(&mut self, round: u32) -> &mut PortSet {
        &mut self.wheel[round as usize % PLACES]
    }

    /// Returns the port that gets the next bucket, `None` when all have what they need.
    pub(super) fn next(&mut self) -> Option<PortId> {
        while self.round < self.rounds {
            while let Some(id) = self.here.pop_first() {
                if self.due[id] == self.round {
                    self.place(self.round).remove(id);
                    self.got[id] = self.got[id].saturating_add(1);
                    self.wait(id);
                    return Some(id);
                }
            }
            self.round = self.round.saturating_add(1);
            self.here = *self.place(self.round);
        }
        None
    }
}

/// Returns how many of `buckets` each of the ports `among` is to have, in proportion to the
/// weights.
///
/// Each gets its exact share rounded down. The buckets left over go one each to ports whose share
/// had a fraction: first those that have (`has`) more than the rounded share, since they give one
/// less away then; then by the largest fraction, then by the lowest number. So no choice of whole
/// shares, each less than one bucket off the exact share, moves fewer buckets.
pub(super) fn shares(
    ports: &Ports,
    among: PortSet,
    buckets: u32,
    has: &PerPort<u32>,
) -> PerPort<u32> {
    let weight = |id| u32::from(ports.get(id).map_or(1, |view| view.weight.max(1)));
    let total = among.iter().map(weight).fold(0, u32::saturating_add);
    let mut share = PerPort::default();
    let mut fraction = PerPort::default();
    let mut left = buckets;
    for id in among.iter() {
        // 2^16 buckets times a weight of 16 bits: no more than 32 bits.
        let exact = buckets.saturating_mul(weight(id));
        share[id] = exact.checked_div(total).unwrap_or(0);
        fraction[id] = exact.checked_rem(total).unwrap_or(0);
        left = left.saturating_sub(share[id]);
    }
    let mut open: PortSet = among.iter().filter(|id| fraction[*id] > 0).collect();
    while left > 0 {
        let rank = |id: &PortId| (has[*id] > share[*id], fraction[*id], Reverse(*id));
        let Some(id) = open.iter().max_by_key(rank) else {
            break;
        };
        open.remove(id);
        share[id] = share[id].saturating_add(1);
        left = left.saturating_sub(1);
    }
    share
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_deal))]
mod tests {
    use super::super::testing::ports;
    use super::*;

    #[test]
    fn a_deal_gives_each_what_it_needs() {
        for needs in [
            &[8, 8, 8, 8][..],
            &[11, 11, 10],
            &[2, 2, 1, 1],
            &[0, 3, 0, 1],
            &[1],
            &[65536],
            &[65535, 1],
            &[40000, 20000, 5000, 500, 33, 2, 1],
            &[],
        ] {
            let mut deal = Dealer::new();
            let mut among = PortSet::EMPTY;
            for (id, count) in PortId::all().zip(needs) {
                deal.need[id] = *count;
                among.insert(id);
            }
            deal.start(among);
            let mut got = PerPort::default();
            while let Some(id) = deal.next() {
                got[id] += 1;
            }
            assert!(got == deal.need);
            assert_eq!(deal.next(), None);
        }
    }

    #[test]
    fn equal_needs_are_dealt_in_turn() {
        let among: PortSet = PortId::all().take(3).collect();
        let mut deal = Dealer::new();
        for (id, count) in among.iter().zip([4, 4, 3]) {
            deal.need[id] = count;
        }
        deal.start(among);
        for turn in 0..11 {
            assert_eq!(deal.next(), PortId::new(turn % 3));
        }
        assert_eq!(deal.next(), None);
    }

    #[test]
    fn shares_follow_the_weights() {
        // Buckets, ports, what they have, and their shares.
        let cases: [(u32, &str, [u32; 3], [u32; 3]); 7] = [
            (32, "1a 1a 1a", [0, 0, 0], [11, 11, 10]),
            (32, "1a 1a 1a", [10, 11, 11], [10, 11, 11]),
            (32, "1a*3 1a*1 1a*4", [0, 0, 0], [12, 4, 16]),
            (32, "1a*2 1a*2 1a*1", [0, 0, 0], [13, 13, 6]),
            (32, "1a*0 1a*1 -", [0, 0, 0], [16, 16, 0]),
            (1, "1a 1a*9 1a", [0, 0, 0], [0, 1, 0]),
            (32, "- - -", [0, 0, 0], [0, 0, 0]),
        ];
        for (buckets, line, has, expected) in cases {
            let ports = ports(line);
            let mut per_port = PerPort::default();
            PortId::all()
                .zip(has)
                .for_each(|(id, has)| per_port[id] = has);
            let share = shares(&ports, ports.select(|_| true), buckets, &per_port);
            assert!(PortId::all()
                .zip(expected)
                .all(|(id, expected)| share[id] == expected));
        }
    }
}
