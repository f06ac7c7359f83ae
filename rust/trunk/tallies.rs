// SPDX-License-Identifier: GPL-2.0

//! What both ends of each link have counted.

use crate::pure::{
    port::PortId,
    tally::{
        Compared,
        Tally, //
    },
    wire::{
        Counted,
        Identity, //
    }, //
};
use kernel::prelude::*;

/// What both ends of all links have counted.
pub(crate) struct Tallies {
    /// When the next reading is due, in ns.
    pub(crate) due: u64,
    /// Those of ports with a peer.
    tallies: KVec<(PortId, Tally)>,
}

impl Tallies {
    pub(crate) const fn new() -> Self {
        Self {
            due: 0,
            tallies: KVec::new(),
        }
    }

    fn of(&mut self, id: PortId) -> Option<&mut Tally> {
        let mut tallies = self.tallies.iter_mut();
        let (_, tally) = tallies.find(|(other, _)| *other == id)?;
        Some(tally)
    }

    /// Notes what the peer of a port says that it has counted.
    pub(crate) fn hear(&mut self, id: PortId, peer: Identity, counted: Counted) {
        if let Some(tally) = self.of(id) {
            tally.hear(peer, counted);
        }
    }

    /// Returns what a port has counted last, for its peer.
    pub(crate) fn here(&mut self, id: PortId) -> Option<Counted> {
        self.of(id)?.here()
    }

    /// Returns what was sent and has arrived on the link of a port lately.
    pub(crate) fn compare(&mut self, id: PortId) -> Option<Compared> {
        self.of(id)?.compare()
    }

    /// Forgets a port.
    pub(crate) fn forget(&mut self, id: PortId) {
        self.tallies.retain(|(other, _)| *other != id);
    }

    /// Notes what a port has counted at `now`, in ns.
    pub(crate) fn note(&mut self, id: PortId, counted: Counted, now: u64) {
        if self.of(id).is_none() {
            // Without memory there is nothing to compare, until the next reading.
            let _ = self.tallies.push((id, Tally::default()), GFP_ATOMIC);
        }
        if let Some(tally) = self.of(id) {
            tally.note(counted, now);
        }
    }
}
