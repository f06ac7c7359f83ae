// SPDX-License-Identifier: GPL-2.0

//! The table that frames go by: which port carries which bucket, and the counters of each bucket.
//!
//! A table is one object. Slots change in place. For another size, selector or choice of homes, a
//! new table replaces the old one as a whole.

use crate::{
    module_parameters,
    pure::{
        port::Slot,
        selector::Selector,
        table::{
            inherit,
            Bucket, //
        },
        MAX_BITS, //
    },
    stats::Base, //
};
use core::sync::atomic::{
    AtomicU32,
    Ordering, //
};
use kernel::prelude::*;
use netdev::{
    pow2::PowerOfTwo,
    rcu::RcuBh,
    stats::{
        Counter,
        PerCpu, //
    }, //
};

/// Returns what a new trunk begins with, by the parameters of the module: M (the table has 2^M
/// buckets) and the selector.
///
/// # Errors
///
/// `EINVAL` where one is out of range; the kernel's log says which.
pub(crate) fn defaults() -> Result<(u32, Selector)> {
    let bits = module_parameters::bits.value();
    if bits > MAX_BITS {
        pr_err!("bits: {bits} is out of range 0..{MAX_BITS}\n");
        return Err(EINVAL);
    }
    let number = module_parameters::selector.value();
    let Some(selector) = Selector::from_u32(number) else {
        let last = Selector::ALL.len().saturating_sub(1);
        pr_err!("selector: {number} is out of range 0..{last}\n");
        return Err(EINVAL);
    };
    Ok((bits, selector))
}

/// A table of a trunk.
pub(crate) struct Table {
    pub(crate) selector: Selector,
    /// The number of the selector, times two; [`GROUPS`], if groups leave by a port of their own; and
    /// [`SPECIAL`]. One load for all. Written under the state's lock.
    way: AtomicU32,
    /// Written under the state's lock, once the table is in use.
    buckets: PowerOfTwo<Bucket>,
    /// Frames and bytes sent in each bucket.
    sent: PerCpu<2>,
    /// The trunk's counters when they were last reset.
    pub(crate) base: Base,
}

/// Frames need a closer look: their marks matter, or there are ports that stand on other devices, whose
/// links matter.
const SPECIAL: u32 = 0x20;

/// Group-addressed frames need a closer look: one port carries them all. This is the bit that tells
/// group addresses, in their first byte.
const GROUPS: u32 = 1;

const _: () = assert!(Selector::ALL.len() <= SPECIAL as usize / 2);

/// Returns the way of frames without claims, with ports that stand on nothing, and without a port for groups.
const fn plain(selector: Selector) -> u32 {
    (selector as u32) << 1
}

impl Table {
    /// Makes the first table of a trunk, by the [`defaults`].
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn first() -> Result<Self> {
        let (bits, selector) = defaults()?;
        Self::new(bits, selector)
    }

    /// Makes a table of 2^`bits` buckets without any port.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(bits: u32, selector: Selector) -> Result<Self> {
        Self::counting_in(bits, selector, PerCpu::new(bits)?, Base::default())
    }

    /// Makes a table that is to replace this one: with `bits` and `selector`, if they are given,
    /// and the same homes. It has the same counters of buckets, unless its size is another one or
    /// `counters` are given, which are what the trunk's counters count from then.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn successor(
        &self,
        bits: Option<u32>,
        selector: Option<Selector>,
        counters: Option<Base>,
    ) -> Result<Self> {
        let bits = bits.unwrap_or(self.bits());
        let sent = match bits == self.bits() && counters.is_none() {
            true => self.sent.clone(),
            false => PerCpu::new(bits)?,
        };
        let base = counters.unwrap_or(self.base);
        let new = Self::counting_in(bits, selector.unwrap_or(self.selector), sent, base)?;
        inherit(&new.buckets, &self.buckets);
        Ok(new)
    }

    fn counting_in(bits: u32, selector: Selector, sent: PerCpu<2>, base: Base) -> Result<Self> {
        Ok(Self {
            selector,
            way: AtomicU32::new(plain(selector)),
            buckets: PowerOfTwo::new(bits, Bucket::empty)?,
            sent,
            base,
        })
    }

    /// Returns the number of a frame with these addresses, whose low bits are its bucket; `flow` is
    /// called for its hash. `None` if there is none, or if frames
    /// need a closer look, see [`set_way`](Self::set_way).
    #[inline(always)]
    pub(crate) fn index(
        &self,
        dst: &[u8; 6],
        src: &[u8; 6],
        flow: impl FnOnce() -> Option<u32>,
    ) -> Option<u32> {
        const DMAC: u32 = plain(Selector::Dmac);
        const SMAC: u32 = plain(Selector::Smac);
        const SMAC_DMAC: u32 = plain(Selector::SmacDmac);
        const FLOW: u32 = plain(Selector::Flow);

        // The way of frames to a station is that without the bit of groups.
        let [first, ..] = *dst;
        let way = || self.way.load(Ordering::Relaxed) & (u32::from(first) | !GROUPS);
        // The default is found by one comparison, the others by a second look.
        if way() == DMAC {
            return Selector::Dmac.index(dst, src, || None);
        }
        match way() {
            SMAC => Selector::Smac.index(dst, src, || None),
            SMAC_DMAC => Selector::SmacDmac.index(dst, src, || None),
            FLOW => Selector::Flow.index(dst, src, flow),
            _ => None,
        }
    }

    /// Returns whether the mark of a frame may decide its port: there may be claims.
    pub(crate) fn has_marks(&self) -> bool {
        self.way.load(Ordering::Relaxed) & SPECIAL != 0
    }

    /// Sets whether all frames need a closer look, and whether one port carries all group-addressed
    /// frames. Under the state's lock.
    pub(crate) fn set_way(&self, special: bool, groups: bool) {
        let special = if special { SPECIAL } else { 0 };
        let groups = if groups { GROUPS } else { 0 };
        let way = plain(self.selector) | special | groups;
        self.way.store(way, Ordering::Relaxed);
    }

    /// Returns the number of the bucket that `index` names: its low bits.
    #[inline(always)]
    pub(crate) fn bucket(&self, index: u32) -> usize {
        self.buckets.index(index as usize)
    }

    /// Returns the port that carries the bucket of that number now, as its slot has it.
    #[inline(always)]
    pub(crate) fn slot(&self, bucket: usize) -> Slot {
        self.buckets.at(bucket).slot()
    }

    /// Returns what counts the frames that are sent in a bucket.
    #[inline(always)]
    pub(crate) fn counters<'a>(&'a self, bucket: usize, context: &'a RcuBh) -> Counters<'a> {
        Counters(self.sent.here(bucket, context))
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

/// The counters of this CPU for the frames and bytes that are sent in a bucket.
#[derive(Clone, Copy)]
pub(crate) struct Counters<'a>(&'a [Counter; 2]);

impl Counters<'_> {
    /// Counts a frame of `len` bytes.
    #[inline(always)]
    pub(crate) fn count(self, len: u32) {
        let [frames, bytes] = self.0;
        frames.add(1);
        bytes.add(len.into());
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
