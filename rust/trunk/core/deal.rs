// SPDX-License-Identifier: GPL-2.0

//! Dealing buckets to ports so that each port's lie evenly among the others'.

use super::port::{
    PerPort,
    PortId,
    PortSet,
    Ports, //
};
use super::MAX_BITS;
use ::core::cmp::Reverse;

/// A step of an even pace: true in `rate` of every `of` calls, spread over them. `credit` is the
/// state, less than `of`; the nearer to `of` it starts, the sooner the first true.
pub(super) fn step(credit: &mut u32, rate: u32, of: u32) -> bool {
    *credit = credit.saturating_add(rate);
    let fires = *credit >= of;
    if fires {
        *credit = credit.saturating_sub(of);
    }
    fires
}

/// Deals buckets, one a call, until each port has what it needs.
///
/// The deal goes in rounds, as many as the neediest port needs buckets. That port gets one in each
/// round, one that needs half as much in every other round, and so on; so equal needs make a plain
/// round robin. To look at every port in every round would take long when one needs far more than
/// the others: ports of class c, which need at most one bucket in 2^c rounds, are looked at every
/// 2^c rounds. Of two looks at a port at least one deals, so a bucket takes O(1).
pub(super) struct Dealer {
    need: PerPort<u32>,
    credit: PerPort<u32>,
    /// How often each port is looked at.
    looks: PerPort<u32>,
    classes: [PortSet; MAX_BITS as usize + 1],
    rounds: u32,
    round: u32,
    /// Ports still to be looked at in this round.
    due: PortSet,
}

impl Dealer {
    /// Makes ready to deal `need[id]` buckets (at most 2^[`MAX_BITS`]) to each port of `among`.
    pub(super) fn new(need: PerPort<u32>, among: PortSet) -> Self {
        let rounds = among.iter().map(|id| need[id]).max().unwrap_or(0);
        let mut deal = Self {
            need,
            credit: PerPort::new(0),
            looks: PerPort::new(0),
            classes: [PortSet::EMPTY; MAX_BITS as usize + 1],
            rounds,
            round: 0,
            due: PortSet::EMPTY,
        };
        for id in among.iter() {
            let Some(class) = rounds
                .checked_div(deal.need[id])
                .and_then(u32::checked_ilog2)
            else {
                continue; // It needs none.
            };
            if let Some(members) = deal.classes.get_mut(class as usize) {
                members.insert(id);
            }
            // Rounds 0, 2^c, 2 * 2^c, ... below `rounds`, and a bucket in the first of them.
            let last = rounds.saturating_sub(1);
            deal.looks[id] = last.wrapping_shr(class).saturating_add(1);
            deal.credit[id] = last.wrapping_shr(class);
        }
        deal
    }

    /// The port that gets the next bucket; `None` when all have what they need.
    pub(super) fn next(&mut self) -> Option<PortId> {
        loop {
            while let Some(id) = self.due.pop_first() {
                if step(&mut self.credit[id], self.need[id], self.looks[id]) {
                    return Some(id);
                }
            }
            if self.round >= self.rounds {
                return None;
            }
            // 2^c divides the round's number: class c and those below it are due.
            let classes = self.round.trailing_zeros().saturating_add(1) as usize;
            self.due = self
                .classes
                .iter()
                .take(classes)
                .fold(PortSet::EMPTY, |due, class| due | *class);
            self.round = self.round.saturating_add(1);
        }
    }
}

/// How many of `buckets` each of the ports `among` should have, in proportion to the weights.
///
/// Each gets its exact share rounded down; the buckets left over go one each to ports whose share
/// had a fraction. Ports that have (`has`) more than the rounded share come first, since they need
/// give one less; then the largest fraction, then the lowest number. So no choice of whole shares,
/// each less than one bucket off the exact share, moves fewer buckets.
pub(super) fn shares(
    ports: &Ports,
    among: PortSet,
    buckets: u32,
    has: &PerPort<u32>,
) -> PerPort<u32> {
    let weight = |id| u32::from(ports.get(id).map_or(1, |view| view.weight.max(1)));
    let total = among.iter().map(weight).fold(0, u32::saturating_add);
    let mut share = PerPort::new(0);
    let mut fraction = PerPort::new(0);
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
