// SPDX-License-Identifier: GPL-2.0

//! The table that frames go by: which port carries which bucket, and what is counted of each.
//!
//! A table is one object. Slots change in place; another size, selector or choice of homes makes
//! another table, which takes its place as a whole.

use crate::{
    pure::{
        port::{
            from_slot,
            PortId, //
        },
        selector::Selector,
        table::{
            inherit,
            Bucket, //
        }, //
    },
    stats::TrunkFigures, //
};
use core::sync::atomic::{
    AtomicU8,
    Ordering, //
};
use kernel::{
    cpu::CpuId,
    prelude::*,
    sync::Arc, //
};
use netdev::stats::PerCpu;

/// How a frame's port is found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By its bucket.
    Bucket(Selector),
    /// There are claims: by its mark, or else by its bucket.
    Special,
}

/// A table of a trunk.
pub(crate) struct Table {
    pub(crate) selector: Selector,
    /// The selector's number, or [`SPECIAL`]: one look tells all. Written under the state's lock.
    way: AtomicU8,
    /// Written under the state's lock, once the table is in use.
    buckets: KVVec<Bucket>,
    /// Frames and bytes sent in each bucket.
    sent: Arc<PerCpu<2>>,
    /// The trunk's counters when they were last reset.
    pub(crate) base: TrunkFigures,
}

/// No selector's number.
const SPECIAL: u8 = u8::MAX;

impl Table {
    /// Makes a table of 2^`bits` buckets without any port.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(bits: u32, selector: Selector) -> Result<Self> {
        let buckets = 1usize.wrapping_shl(bits);
        let sent = Arc::new(PerCpu::new(buckets)?, GFP_KERNEL)?;
        Self::counting_in(buckets, selector, sent, TrunkFigures::default())
    }

    /// Makes a table to be put in the place of this one: with other bits and another selector, if
    /// these are given, and the same homes. Unless its size is another, or `counters` are given that
    /// it begins to count from, it goes on counting where this one does.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn successor(
        &self,
        bits: Option<u32>,
        selector: Option<Selector>,
        counters: Option<TrunkFigures>,
    ) -> Result<Self> {
        let bits = bits.unwrap_or(self.bits());
        let buckets = 1usize.wrapping_shl(bits);
        let sent = match bits == self.bits() && counters.is_none() {
            true => self.sent.clone(),
            false => Arc::new(PerCpu::new(buckets)?, GFP_KERNEL)?,
        };
        let base = counters.unwrap_or(self.base);
        let new = Self::counting_in(buckets, selector.unwrap_or(self.selector), sent, base)?;
        inherit(&new.buckets, &self.buckets);
        Ok(new)
    }

    fn counting_in(
        buckets: usize,
        selector: Selector,
        sent: Arc<PerCpu<2>>,
        base: TrunkFigures,
    ) -> Result<Self> {
        Ok(Self {
            selector,
            way: AtomicU8::new(selector as u8),
            buckets: filled(buckets, Bucket::empty)?,
            sent,
            base,
        })
    }

    /// Returns how a frame's port is found.
    #[inline(always)]
    pub(crate) fn way(&self) -> Way {
        const DMAC: u8 = Selector::Dmac as u8;
        const SMAC: u8 = Selector::Smac as u8;
        const SMAC_DMAC: u8 = Selector::SmacDmac as u8;
        const FLOW: u8 = Selector::Flow as u8;

        match self.way.load(Ordering::Relaxed) {
            DMAC => Way::Bucket(Selector::Dmac),
            SMAC => Way::Bucket(Selector::Smac),
            SMAC_DMAC => Way::Bucket(Selector::SmacDmac),
            FLOW => Way::Bucket(Selector::Flow),
            _ => Way::Special,
        }
    }

    /// Says whether frames need a closer look. Under the state's lock.
    pub(crate) fn set_special(&self, special: bool) {
        let way = if special {
            SPECIAL
        } else {
            self.selector as u8
        };
        self.way.store(way, Ordering::Relaxed);
    }

    /// Returns the number of the bucket that `index` names: its low bits.
    #[inline(always)]
    pub(crate) fn bucket(&self, index: u32) -> usize {
        // The number of buckets is a power of two.
        index as usize & self.buckets.len().wrapping_sub(1)
    }

    /// Returns the port that carries the bucket of that number now.
    #[inline(always)]
    pub(crate) fn port(&self, bucket: usize) -> Option<PortId> {
        from_slot(self.buckets.get(bucket)?.slot())
    }

    /// Counts a frame that is sent in a bucket on `cpu`, which this runs on.
    #[inline(always)]
    pub(crate) fn count(&self, cpu: CpuId, bucket: usize, bytes: u32) {
        if let Some([frames, sum]) = self.sent.of(cpu, bucket) {
            frames.add(1);
            sum.add(bytes.into());
        }
    }

    /// Returns the frames and bytes sent in a bucket.
    pub(crate) fn sent(&self, bucket: usize) -> [u64; 2] {
        self.sent.sum(bucket)
    }

    /// Returns the buckets.
    pub(crate) fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// Returns M: there are 2^M buckets.
    pub(crate) fn bits(&self) -> u32 {
        self.buckets.len().trailing_zeros()
    }
}

/// Returns `len` values.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn filled<T>(len: usize, value: impl Fn() -> T) -> Result<KVVec<T>> {
    let mut all = KVVec::with_capacity(len, GFP_KERNEL_ACCOUNT)?;
    for _ in 0..len {
        all.push(value(), GFP_KERNEL_ACCOUNT)?;
    }
    Ok(all)
}
