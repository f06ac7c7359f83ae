// SPDX-License-Identifier: GPL-2.0

//! Statistics: counters per CPU, and what `ip -s link` shows.
//!
//! C header: [`include/uapi/linux/if_link.h`](srctree/include/uapi/linux/if_link.h)

use crate::{
    percpu::this_cpu_place,
    rcu::RcuCpu, //
};
use core::{
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering}, //
};
use kernel::{
    cpu::nr_cpu_ids,
    prelude::*,
    sync::Arc, //
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
            // There, the section may be preempted by another one on the same CPU.
            self.0.fetch_add(n, Ordering::Relaxed);
            return;
        }
        // Only this CPU writes it: no locked instruction is needed.
        let value = self.0.load(Ordering::Relaxed);
        self.0.store(value.wrapping_add(n), Ordering::Relaxed);
    }
}

// SAFETY: An atomic number of all zeroes is 0.
unsafe impl pin_init::Zeroable for Counter {}

/// Sets of `N` counters, of which each CPU has a row of its own. A clone has the same counters.
///
/// # Invariants
///
/// - `sets` are as many rows of `stride` bytes as there are possible CPU ids, one after the other.
/// - `first` points to the first set.
/// - `mask + 1` is a power of two, and not more than the number of sets in a row.
#[derive(Clone)]
pub struct PerCpu<const N: usize> {
    // A copy of what is known from `sets` already: one load less for each frame.
    first: NonNull<[Counter; N]>,
    stride: usize,
    mask: usize,
    sets: Arc<KVVec<[Counter; N]>>,
}

// SAFETY: The pointer is into `sets`, which may be sent.
unsafe impl<const N: usize> Send for PerCpu<N> {}

// SAFETY: The pointer is into `sets`, which may be shared.
unsafe impl<const N: usize> Sync for PerCpu<N> {}

impl<const N: usize> PerCpu<N> {
    /// Allocates 2^`bits` sets for each CPU, all zero, on the account of the caller's memory cgroup. The
    /// rows of two CPUs share no cache line.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(bits: u32) -> Result<Self> {
        let len = 1usize.checked_shl(bits).ok_or(ENOMEM)?;
        // Enough additional sets to keep the counters of two CPUs 64 bytes apart.
        let apart = 64usize.checked_div(size_of::<[Counter; N]>()).unwrap_or(0);
        let row = len.checked_add(apart).ok_or(ENOMEM)?;
        let stride = row.checked_mul(size_of::<[Counter; N]>()).ok_or(ENOMEM)?;
        let all = row.checked_mul(nr_cpu_ids() as usize).ok_or(ENOMEM)?;
        // Zeroed page by page as it is allocated: it may be hundreds of megabytes.
        let sets: KVVec<[Counter; N]> = KVVec::zeroed(all, GFP_KERNEL_ACCOUNT)?;
        let first = NonNull::from(sets.as_slice()).cast();
        // INVARIANT: `nr_cpu_ids` rows of `stride` bytes each, the first of which is at `first`: the
        // buffer does not move with the vector. `mask + 1` is `len`, a power of two.
        Ok(Self {
            first,
            stride,
            mask: len.wrapping_sub(1),
            sets: Arc::new(sets, GFP_KERNEL)?,
        })
    }

    /// Returns the set that the low bits of `index` name, of the CPU this runs on.
    #[inline(always)]
    pub fn here(&self, index: usize, _context: &RcuCpu) -> &[Counter; N] {
        // The context keeps this on its CPU.
        //
        // SAFETY: By the type invariants there is a row for each CPU, the first of them at `first`,
        // and in it a set for each index that is not greater than the mask. They live as long as
        // `sets`, and are shared as atomics.
        unsafe { &*this_cpu_place(self.first.add(index & self.mask), self.stride) }
    }

    /// Returns the sums over all CPUs of set `index`. Zero if there is no such set.
    pub fn sum(&self, index: usize) -> [u64; N] {
        let mut sums = [0u64; N];
        let row = self.stride.checked_div(size_of::<[Counter; N]>());
        let rows = self.sets.chunks(row.unwrap_or(0).max(1));
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
    /// Adds to the received multicast frames. They are counted among the received frames, too.
    pub fn add_multicast(&mut self, frames: u64) {
        self.0.multicast = self.0.multicast.wrapping_add(frames);
    }

    /// Adds to the frames that were dropped instead of being transmitted.
    pub fn add_transmit_dropped(&mut self, frames: u64) {
        self.0.tx_dropped = self.0.tx_dropped.wrapping_add(frames);
    }
}

/// The counters every device has.
#[derive(Clone, Copy, Default)]
pub struct LinkCounters {
    /// Frames received.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Frames received and dropped for lack of resources.
    pub rx_dropped: u64,
    /// Frames transmitted.
    pub tx_packets: u64,
    /// Bytes transmitted.
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
    use crate::rcu::read_lock_bh;

    #[test]
    fn sums_are_over_all_cpus_and_of_one_set() -> Result {
        let counters = PerCpu::<2>::new(2)?;
        let row = counters.stride / size_of::<[Counter; 2]>();
        for [first, second] in counters.sets.chunks(row).filter_map(|row| row.get(1)) {
            first.add(1);
            second.add(u64::MAX);
            second.add(3);
        }
        let cpus = u64::from(nr_cpu_ids());
        assert_eq!(counters.sum(0), [0, 0]);
        assert_eq!(counters.sum(1), [cpus, cpus.wrapping_mul(2)]);
        assert_eq!(counters.sum(2), [0, 0]);
        assert_eq!(counters.sum(3), [0, 0]);
        assert_eq!(counters.sum(1000), [0, 0]);
        Ok(())
    }

    #[test]
    fn a_clone_counts_in_the_same_set_of_this_cpu() -> Result {
        let counters = PerCpu::<1>::new(1)?;
        let clone = counters.clone();
        {
            let context = read_lock_bh();
            // Only the low bits of an index count.
            for index in [1, 3, usize::MAX] {
                let [counter] = clone.here(index, &context);
                counter.add(1);
            }
        }
        drop(clone);
        assert_eq!(counters.sum(0), [0]);
        assert_eq!(counters.sum(1), [3]);
        Ok(())
    }
}
