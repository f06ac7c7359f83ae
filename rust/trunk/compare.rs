// SPDX-License-Identifier: GPL-2.0

//! Reads the counters of ports, which are to be compared with those of the peers.
//!
//! The drivers of some devices lock their counters for processes alone, so they are read in the
//! device's work, once a second, while there are peers.

use crate::{
    pure::wire::Counted,
    trunk::Trunk, //
};
use netdev::{
    device::Device,
    rcu::read_lock,
    time, //
};

/// The time from one reading to the next, in ms, and in ns.
const EVERY: u32 = 1_000;
const EVERY_NS: u64 = EVERY as u64 * 1_000_000;

/// Reads the counters of all ports with a peer, if it is time for that. Returns the time until the next
/// reading, in ms, if there are peers.
pub(crate) fn read_counters(dev: &Device<Trunk>) -> Option<u32> {
    let trunk = dev.data();
    let now = time::monotonic_ns();
    let mut tallies = trunk.tallies.lock();
    let wait = tallies.due.saturating_sub(now);
    if wait == 0 {
        tallies.due = now.saturating_add(EVERY_NS);
    }
    drop(tallies);
    let rcu = read_lock();
    let mut peers = false;
    for port in trunk.ports(&rcu) {
        let state = trunk.state.lock();
        let has_peer = state
            .port(port.id)
            .is_some_and(|known| known.link.peer.is_some());
        drop(state);
        if !has_peer {
            trunk.tallies.lock().forget(port.id);
            continue;
        }
        peers = true;
        if wait == 0 {
            let counters = port.dev.counters(&rcu);
            let counted = Counted {
                sent: counters.tx_packets,
                received: counters.rx_packets,
            };
            trunk.tallies.lock().note(port.id, counted, now);
        }
    }
    let wait = u32::try_from(wait.div_ceil(1_000_000)).unwrap_or(EVERY);
    peers.then_some(if wait == 0 { EVERY } else { wait })
}
