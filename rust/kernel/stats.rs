// SPDX-License-Identifier: GPL-2.0

//! Statistics: counters per CPU, and what `ip -s link` shows.
//!
//! C header: [`include/uapi/linux/if_link.h`](srctree/include/uapi/linux/if_link.h)

use core::sync::atomic::{AtomicU64, Ordering};
use kernel::{
    cpu::{nr_cpu_ids, CpuId},
    prelude::*, //
};
use netdev_bindings as bindings;

/// A counter that one CPU adds to and any CPU reads.
///
/// Reading it in one piece needs a 64-bit kernel; there is no `u64_stats_sync` here.
#[repr(transparent)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Wraps around.
    #[inline(always)]
    pub fn add(&self, n: u64) {
        if cfg!(CONFIG_PREEMPT_RT) {
            // There, such a section may be preempted by another on the same CPU.
            self.0.fetch_add(n, Ordering::Relaxed);
            return;
        }
        // Nobody else writes it: no locked instruction is needed.
        let value = self.0.load(Ordering::Relaxed);
        self.0.store(value.wrapping_add(n), Ordering::Relaxed);
    }
}

// SAFETY: An atomic number of all zeroes is 0.
unsafe impl pin_init::Zeroable for Counter {}

/// Sets of `N` counters, of which each CPU has a row of its own.
///
/// # Invariants
///
/// As many rows of `len` sets as there are possible CPU ids, one after the other.
pub struct PerCpu<const N: usize> {
    sets: KVVec<[Counter; N]>,
    len: usize,
}

impl<const N: usize> PerCpu<N> {
    /// Allocates `len` sets for each CPU, all zero, on account of who asks for it. The rows of two
    /// CPUs share no cache line.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(len: usize) -> Result<Self> {
        // Enough sets more to keep the counters of neighbours 64 octets apart.
        let apart = 64usize.checked_div(size_of::<[Counter; N]>()).unwrap_or(0);
        let len = len.checked_add(apart).ok_or(ENOMEM)?;
        let all = len.checked_mul(nr_cpu_ids() as usize).ok_or(ENOMEM)?;
        // Zeroed page by page as it is allocated: it may be hundreds of megabytes.
        let sets = KVVec::zeroed(all, GFP_KERNEL_ACCOUNT)?;
        // INVARIANT: `nr_cpu_ids` rows of `len` sets each.
        Ok(Self { sets, len })
    }

    /// Set `index` of `cpu`, which should be the one this runs on, with bottom halves disabled:
    /// otherwise additions may be lost.
    #[inline(always)]
    pub fn of(&self, cpu: CpuId, index: usize) -> Option<&[Counter; N]> {
        let row = (cpu.as_u32() as usize).wrapping_mul(self.len);
        self.sets.get(row.wrapping_add(index))
    }

    /// The sums over all CPUs of set `index`. Zero where there is none.
    pub fn sum(&self, index: usize) -> [u64; N] {
        let mut sums = [0u64; N];
        let rows = self.sets.chunks(self.len.max(1));
        for set in rows.filter_map(|row| row.get(index)) {
            for (sum, counter) in sums.iter_mut().zip(set) {
                *sum = sum.wrapping_add(counter.0.load(Ordering::Relaxed));
            }
        }
        sums
    }
}

/// The figures of a device, as they are reported (`struct rtnl_link_stats64`).
#[repr(transparent)]
pub struct LinkStats(pub(crate) bindings::rtnl_link_stats64);

impl LinkStats {
    /// Adds received multicast frames, which are among the received ones.
    pub fn add_multicast(&mut self, frames: u64) {
        self.0.multicast = self.0.multicast.wrapping_add(frames);
    }

    /// Adds frames dropped instead of being transmitted.
    pub fn add_transmit_dropped(&mut self, frames: u64) {
        self.0.tx_dropped = self.0.tx_dropped.wrapping_add(frames);
    }
}

/// The counters every device has.
#[derive(Clone, Copy, Default)]
pub struct LinkCounters {
    /// Frames received.
    pub rx_packets: u64,
    /// Octets received.
    pub rx_bytes: u64,
    /// Frames received and dropped for lack of resources.
    pub rx_dropped: u64,
    /// Frames transmitted.
    pub tx_packets: u64,
    /// Octets transmitted.
    pub tx_bytes: u64,
    /// Frames dropped instead of being transmitted.
    pub tx_dropped: u64,
}

impl LinkCounters {
    pub(crate) fn new(stats: &bindings::rtnl_link_stats64) -> Self {
        Self {
            rx_packets: stats.rx_packets,
            rx_bytes: stats.rx_bytes,
            rx_dropped: stats.rx_dropped,
            tx_packets: stats.tx_packets,
            tx_bytes: stats.tx_bytes,
            tx_dropped: stats.tx_dropped,
        }
    }
}

#[kunit_tests(netdev_stats)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_over_all_cpus_and_of_one_set() -> Result {
        let counters = PerCpu::<2>::new(3)?;
        for cpu in (0..nr_cpu_ids()).filter_map(CpuId::from_u32) {
            if let Some([first, second]) = counters.of(cpu, 1) {
                first.add(1);
                second.add(u64::MAX);
                second.add(3);
            }
        }
        let cpus = u64::from(nr_cpu_ids());
        assert_eq!(counters.sum(0), [0, 0]);
        assert_eq!(counters.sum(1), [cpus, cpus.wrapping_mul(2)]);
        assert_eq!(counters.sum(2), [0, 0]);
        assert_eq!(counters.sum(1000), [0, 0]);
        Ok(())
    }
}
