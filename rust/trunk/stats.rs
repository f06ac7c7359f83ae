// SPDX-License-Identifier: GPL-2.0

//! What a trunk counts.

use kernel::{
    cpu::CpuId,
    prelude::*, //
};
use netdev::stats::{
    LinkStats,
    PerCpu, //
};

/// What is counted on each CPU, besides the frames and octets that the core counts for any device.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    /// Frames dropped since no port could carry them, or since they were no frames.
    TxNoPort,
    /// Received multicast frames; broadcast is not among them, as everywhere in Linux.
    RxMulticast,
    /// Frames dropped that the trunk itself had sent: a switch flooded them back.
    RxOwnSource,
    /// Copies of group-addressed frames on other ports than the elected one.
    RxMulticastFiltered,
}

const COUNTS: usize = Count::RxMulticastFiltered as usize + 1;

/// What has happened to the table, since the trunk was made.
#[derive(Clone, Copy, Default)]
pub(crate) struct History {
    /// Times that ports became usable.
    pub(crate) port_up: u64,
    /// Times that ports became unusable.
    pub(crate) port_down: u64,
    /// Times that buckets moved since ports became unusable.
    pub(crate) failovers: u64,
    /// Times that buckets moved since ports became usable.
    pub(crate) failbacks: u64,
    /// Buckets moved from one port to another, for any reason.
    pub(crate) buckets_moved: u64,
}

/// Names of the figures of `ethtool -S`, in the order of [`Statistics::named`].
pub(crate) const NAMES: &[&CStr] = &[
    c"tx_no_port",
    c"rx_own_source",
    c"rx_multicast_filtered",
    c"port_up",
    c"port_down",
    c"failovers",
    c"failbacks",
    c"buckets_moved",
];

/// The counters of a trunk. They only grow, and survive the ports they count for.
pub(crate) struct Statistics(PerCpu<COUNTS>);

impl Statistics {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(PerCpu::new(1)?))
    }

    /// Counts one of these on `cpu`, which this runs on.
    pub(crate) fn count(&self, cpu: CpuId, count: Count) {
        if let Some(counter) = self.0.of(cpu, 0).and_then(|set| set.get(count as usize)) {
            counter.add(1);
        }
    }

    fn sum(&self, count: Count) -> u64 {
        self.0.sum(0).get(count as usize).copied().unwrap_or(0)
    }

    /// What the figures of `ip -s link` lack.
    pub(crate) fn link_stats(&self, stats: &mut LinkStats) {
        stats.add_transmit_dropped(self.sum(Count::TxNoPort));
        stats.add_multicast(self.sum(Count::RxMulticast));
    }

    /// The figures of `ethtool -S`.
    pub(crate) fn named(&self, history: History, figures: &mut [u64]) {
        let values: [u64; NAMES.len()] = [
            self.sum(Count::TxNoPort),
            self.sum(Count::RxOwnSource),
            self.sum(Count::RxMulticastFiltered),
            history.port_up,
            history.port_down,
            history.failovers,
            history.failbacks,
            history.buckets_moved,
        ];
        for (figure, value) in figures.iter_mut().zip(values) {
            *figure = value;
        }
    }
}
