// SPDX-License-Identifier: GPL-2.0

//! What a trunk counts.

use crate::pure::{
    health::Counts,
    state::Totals,
    uapi::statistics as attr, //
};
use kernel::prelude::*;
use netdev::{
    rcu::RcuCpu,
    stats::{
        LinkCounters,
        LinkStats,
        PerCpu, //
    }, //
};

/// What is counted on each CPU, besides the frames and bytes that the core counts for any device.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    /// Frames dropped because no port could carry them, or because they had no whole header.
    TxNoPort,
    /// Frames dropped because their port did not take them: its queue was full.
    TxRefused,
    /// Received multicast frames; broadcast is not among them, as everywhere in Linux.
    RxMulticast,
    /// Received frames dropped because the trunk itself had sent them: a switch flooded them back.
    RxOwnSource,
    /// Group-addressed frames received by a port from which they are not accepted: further copies.
    RxMulticastFiltered,
    /// Unicast frames received by a port from which they are not accepted: a switch flooded them.
    RxUnicastFiltered,
}

const COUNTS: usize = Count::RxUnicastFiltered as usize + 1;

/// Names of the figures of `ethtool -S`, in the order of [`Statistics::own`].
pub(crate) const NAMES: &[&CStr] = &[
    c"tx_no_port",
    c"rx_own_source",
    c"rx_multicast_filtered",
    c"rx_unicast_filtered",
    c"port_up",
    c"port_down",
    c"port_late",
    c"failovers",
    c"failbacks",
    c"buckets_moved",
];

/// An attribute of the netlink family, and its value.
pub(crate) type Figure = (u16, u64);

/// One more than the highest type of an attribute that is a figure.
pub(crate) const FIGURES: usize = attr::NAMES.len();

/// Counters when they were last reset, by the types of their attributes.
pub(crate) type Base = [u64; FIGURES];

/// Returns what these figures, which are just being reset, count from.
pub(crate) fn base(figures: impl Iterator<Item = Figure>) -> Base {
    let mut base = Base::default();
    for (kind, figure) in figures {
        if let Some(room) = base.get_mut(usize::from(kind)) {
            *room = figure;
        }
    }
    base
}

/// Returns the figures that any device has.
fn of_device(link: &LinkCounters) -> impl Iterator<Item = Figure> {
    let figures = [
        (attr::RX_PACKETS, link.rx_packets),
        (attr::RX_BYTES, link.rx_bytes),
        (attr::TX_PACKETS, link.tx_packets),
        (attr::TX_BYTES, link.tx_bytes),
        (attr::RX_DROPPED, link.rx_dropped),
        (attr::TX_DROPPED, link.tx_dropped),
    ];
    figures.into_iter()
}

/// Returns the figures of a port: of its device, how often it became usable and unusable, and of
/// its probes.
pub(crate) fn of_port(
    link: &LinkCounters,
    (ups, downs): (u64, u64),
    probes: &Counts,
) -> impl Iterator<Item = Figure> {
    let own = [
        (attr::PORT_UP, ups),
        (attr::PORT_DOWN, downs),
        (attr::PORT_LATE, probes.late),
        (attr::PROBES_SENT, probes.tests_sent),
        (attr::PROBES_RECEIVED, probes.tests_received),
        (attr::REPLIES_SENT, probes.replies_sent),
        (attr::REPLIES_RECEIVED, probes.replies_received),
        (attr::REPLIES_LATE, probes.replies_late),
        (attr::PROBES_LIMITED, probes.limited),
        (attr::PROBES_REFUSED, probes.refused),
        (attr::TLVS_UNKNOWN, probes.unknown),
    ];
    Iterator::chain(of_device(link), own)
}

/// The counters of a trunk. They only grow, and survive the ports they count for.
pub(crate) struct Statistics(PerCpu<COUNTS>);

impl Statistics {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(PerCpu::new(0)?))
    }

    /// Counts one of these.
    pub(crate) fn count(&self, count: Count, context: &RcuCpu) {
        if let Some(counter) = self.0.here(0, context).get(count as usize) {
            counter.add(1);
        }
    }

    fn sum(&self, count: Count) -> u64 {
        self.0.sum(0).get(count as usize).copied().unwrap_or(0)
    }

    /// Adds what the figures of `ip -s link` lack.
    pub(crate) fn link_stats(&self, stats: &mut LinkStats) {
        stats.add_transmit_dropped(self.sum(Count::TxNoPort));
        stats.add_transmit_dropped(self.sum(Count::TxRefused));
        stats.add_multicast(self.sum(Count::RxMulticast));
    }

    /// Returns the figures of the trunk: of its device, and its own.
    pub(crate) fn of_trunk(
        &self,
        link: &LinkCounters,
        totals: &Totals,
    ) -> impl Iterator<Item = Figure> {
        Iterator::chain(of_device(link), self.own(totals))
    }

    /// Returns the figures that a trunk has and other devices have not.
    fn own(&self, totals: &Totals) -> [Figure; NAMES.len() + 1] {
        let groups = self.sum(Count::RxMulticastFiltered);
        let unicast = self.sum(Count::RxUnicastFiltered);
        [
            (attr::TX_NO_PORT, self.sum(Count::TxNoPort)),
            (attr::RX_OWN_SOURCE, self.sum(Count::RxOwnSource)),
            (attr::RX_MULTICAST_FILTERED, groups),
            (attr::RX_UNICAST_FILTERED, unicast),
            (attr::PORT_UP, totals.ups),
            (attr::PORT_DOWN, totals.downs),
            (attr::PORT_LATE, totals.lates),
            (attr::FAILOVERS, totals.failovers),
            (attr::FAILBACKS, totals.failbacks),
            (attr::BUCKETS_MOVED, totals.buckets_moved),
            // Without a name in `NAMES`.
            (attr::EVENTS_LOST, totals.events_lost),
        ]
    }

    /// Writes the figures of `ethtool -S`.
    pub(crate) fn named(&self, totals: &Totals, figures: &mut [u64]) {
        for (room, (_, figure)) in figures.iter_mut().zip(self.own(totals)) {
            *room = figure;
        }
    }
}
