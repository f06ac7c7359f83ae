// SPDX-License-Identifier: GPL-2.0

//! What frames go by, and what it is replaced with when the user changes it.

use crate::pure::{
    port::{
        from_slot,
        PortId,
        Slot,
        NO_PORT, //
    },
    selector::Selector, //
};
use core::sync::atomic::{
    AtomicI8,
    AtomicU8,
    Ordering, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};
use netdev::{
    pow2::PowerOfTwo,
    rcu::RcuBh,
    stats::{
        Counter,
        PerCpu, //
    }, //
};

/// All that a frame's way depends on but the state of the ports.
pub(crate) struct Layout {
    pub(crate) selector: Selector,
    /// The selector's number, or [`SPECIAL`]: one look tells all. Written under the table's lock.
    way: AtomicU8,
    /// For each bucket, the port that carries it. Written under the table's lock, in place: a frame
    /// finds the old port or the new one.
    slots: PowerOfTwo<AtomicI8>,
    /// Frames and octets sent in each bucket.
    pub(crate) sent: PerCpu<2>,
}

/// No selector's number.
const SPECIAL: u8 = u8::MAX;

impl Layout {
    /// The number of a frame with these addresses, whose low bits are its bucket; `flow` is asked for
    /// its hash. `None` if there is none, or if frames [need a closer look](Self::is_special).
    #[inline(always)]
    pub(crate) fn index(
        &self,
        dst: &[u8; 6],
        src: &[u8; 6],
        flow: impl FnOnce() -> Option<u32>,
    ) -> Option<u32> {
        const DMAC: u8 = Selector::Dmac as u8;
        const SMAC: u8 = Selector::Smac as u8;
        const SMAC_DMAC: u8 = Selector::SmacDmac as u8;
        const FLOW: u8 = Selector::Flow as u8;

        // The default is found by one comparison, the others by a second look.
        if self.way.load(Ordering::Relaxed) == DMAC {
            return Selector::Dmac.index(dst, src, || None);
        }
        match self.way.load(Ordering::Relaxed) {
            SMAC => Selector::Smac.index(dst, src, || None),
            SMAC_DMAC => Selector::SmacDmac.index(dst, src, || None),
            FLOW => Selector::Flow.index(dst, src, flow),
            _ => None,
        }
    }

    /// Returns whether frames need a closer look: there are claims, so that a frame's port may be found
    /// by its mark, or netpoll sends by the trunk, so that its frames have to be told from others.
    pub(crate) fn is_special(&self) -> bool {
        self.way.load(Ordering::Relaxed) == SPECIAL
    }

    /// Says whether frames need a closer look. Under the table's lock.
    pub(crate) fn set_special(&self, special: bool) {
        let way = if special {
            SPECIAL
        } else {
            self.selector as u8
        };
        self.way.store(way, Ordering::Relaxed);
    }

    /// The bucket that `index` names: its low bits.
    #[inline(always)]
    pub(crate) fn bucket(&self, index: u32) -> usize {
        self.slots.index(index as usize)
    }

    /// The port that carries `bucket` now.
    #[inline(always)]
    pub(crate) fn port(&self, bucket: usize) -> Option<PortId> {
        from_slot(self.slot(bucket))
    }

    /// The slot of `bucket`.
    #[inline(always)]
    pub(crate) fn slot(&self, bucket: usize) -> Slot {
        self.slots.at(bucket).load(Ordering::Relaxed)
    }

    /// Has `port` carry `bucket`. Under the table's lock.
    pub(crate) fn set_slot(&self, bucket: usize, port: Slot) {
        if let Some(slot) = self.slots.get(bucket) {
            slot.store(port, Ordering::Relaxed);
        }
    }

    /// What counts the frames that are sent in `bucket`.
    #[inline(always)]
    pub(crate) fn counters<'a>(&'a self, bucket: usize, context: &'a RcuBh) -> Counters<'a> {
        Counters(self.sent.here(bucket, context))
    }

    /// Frames and octets sent in `bucket`.
    pub(crate) fn sent(&self, bucket: usize) -> [u64; 2] {
        self.sent.sum(bucket)
    }

    /// N.
    pub(crate) fn buckets(&self) -> usize {
        self.slots.len()
    }

    /// M.
    pub(crate) fn bits(&self) -> u32 {
        self.slots.len().trailing_zeros()
    }
}

/// Frames and bytes that are sent in a bucket, as this CPU counts them.
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

/// A layout, and the homes that go with it.
pub(crate) struct Next {
    pub(crate) layout: Arc<Layout>,
    pub(crate) homes: KVVec<Slot>,
    /// The homes that the user has set.
    pub(crate) set: KVVec<Slot>,
}

impl Next {
    /// For 2^`bits` buckets, without any port. With `sent`, of the same number of buckets, goes on
    /// counting there.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(bits: u32, selector: Selector, sent: Option<PerCpu<2>>) -> Result<Self> {
        let buckets = 1usize.wrapping_shl(bits);
        let sent = match sent {
            Some(sent) => sent,
            None => PerCpu::new(bits)?,
        };
        let layout = Layout {
            selector,
            way: AtomicU8::new(selector as u8),
            slots: PowerOfTwo::new(bits, || AtomicI8::new(NO_PORT))?,
            sent,
        };
        Ok(Self {
            layout: Arc::new(layout, GFP_KERNEL)?,
            homes: filled(buckets, || NO_PORT)?,
            set: filled(buckets, || NO_PORT)?,
        })
    }

    /// Takes over homes. If there are more buckets now, each of the old ones becomes several.
    pub(crate) fn inherit(&mut self, homes: &[Slot], set: &[Slot]) {
        for (new, old) in [(&mut self.homes, homes), (&mut self.set, set)] {
            for part in new.chunks_mut(old.len().max(1)) {
                for (new, old) in part.iter_mut().zip(old) {
                    *new = *old;
                }
            }
        }
    }
}

/// The links of claims. Of a mark that is not claimed any more the link is none.
pub(crate) struct Marks(KVec<(u32, AtomicI8)>);

impl Marks {
    /// Those of these `marks`.
    pub(crate) fn new(marks: &[u32]) -> Result<Self> {
        let mut all = KVec::with_capacity(marks.len(), GFP_KERNEL)?;
        for mark in marks {
            all.push((*mark, AtomicI8::new(NO_PORT)), GFP_KERNEL)?;
        }
        Ok(Self(all))
    }

    fn slot(&self, mark: u32) -> Option<&AtomicI8> {
        let mut all = self.0.iter();
        all.find_map(|(one, slot)| (*one == mark).then_some(slot))
    }

    /// The port of the claim with that mark.
    pub(crate) fn link(&self, mark: u32) -> Option<PortId> {
        from_slot(self.slot(mark)?.load(Ordering::Relaxed))
    }

    /// Has the claim with that mark served by `port`. Under the table's lock.
    pub(crate) fn set_link(&self, mark: u32, port: Slot) {
        if let Some(slot) = self.slot(mark) {
            slot.store(port, Ordering::Relaxed);
        }
    }
}

/// `len` values.
pub(crate) fn filled<T>(len: usize, value: impl Fn() -> T) -> Result<KVVec<T>> {
    let mut all = KVVec::with_capacity(len, GFP_KERNEL_ACCOUNT)?;
    for _ in 0..len {
        all.push(value(), GFP_KERNEL_ACCOUNT)?;
    }
    Ok(all)
}
