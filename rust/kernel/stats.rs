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
        // Nobody else writes it: no locked instruction is needed.
        let value = self.0.load(Ordering::Relaxed);
        self.0.store(value.wrapping_add(n), Ordering::Relaxed);
    }
}

/// An array of sets of `N` counters, of which each CPU has one of its own.
///
/// # Invariants
///
/// One array for each possible CPU id, all of the same length.
pub struct PerCpu<const N: usize>(KVec<KVVec<[Counter; N]>>);

impl<const N: usize> PerCpu<N> {
    /// Allocates `len` sets for each CPU, all zero.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(len: usize) -> Result<Self> {
        let cpus = nr_cpu_ids() as usize;
        let mut all = KVec::with_capacity(cpus, GFP_KERNEL)?;
        for _ in 0..cpus {
            let mut one = KVVec::with_capacity(len, GFP_KERNEL)?;
            for _ in 0..len {
                one.push([const { Counter(AtomicU64::new(0)) }; N], GFP_KERNEL)?;
            }
            all.push(one, GFP_KERNEL)?;
        }
        // INVARIANT: `nr_cpu_ids` arrays of `len` elements each.
        Ok(Self(all))
    }

    /// Set `index` of `cpu`, which should be the one this runs on, with bottom halves disabled:
    /// otherwise additions may be lost.
    #[inline(always)]
    pub fn of(&self, cpu: CpuId, index: usize) -> Option<&[Counter; N]> {
        self.0.get(cpu.as_u32() as usize)?.get(index)
    }

    /// The sums over all CPUs of set `index`. Zero where there is none.
    pub fn sum(&self, index: usize) -> [u64; N] {
        let mut sums = [0u64; N];
        for set in self.0.iter().filter_map(|array| array.get(index)) {
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
    /// Sets the received frames and octets.
    pub fn received(&mut self, frames: u64, octets: u64) {
        self.0.rx_packets = frames;
        self.0.rx_bytes = octets;
    }

    /// Sets the transmitted frames and octets.
    pub fn transmitted(&mut self, frames: u64, octets: u64) {
        self.0.tx_packets = frames;
        self.0.tx_bytes = octets;
    }

    /// Sets the received group-addressed frames, which are among the received ones.
    pub fn multicast(&mut self, frames: u64) {
        self.0.multicast = frames;
    }

    /// Sets the frames dropped for lack of a way to send them.
    pub fn transmit_dropped(&mut self, frames: u64) {
        self.0.tx_dropped = frames;
    }
}
