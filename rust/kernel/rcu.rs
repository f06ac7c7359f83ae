// SPDX-License-Identifier: GPL-2.0

//! RCU: tokens for the read side, and places for what readers look up.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use core::{
    ops::Deref,
    ptr::{self, NonNull},
    sync::atomic::{AtomicPtr, Ordering},
};
use kernel::{
    sync::{
        rcu,
        Arc,
        ArcBorrow, //
    },
    types::NotThreadSafe, //
};
use netdev_bindings::{self as bindings, helpers};

/// Evidence of an RCU read-side critical section.
///
/// # Invariants
///
/// While a reference to an instance is alive, the current thread is in such a section.
pub struct Rcu(NotThreadSafe);

impl Rcu {
    /// States that an RCU read-side critical section is on.
    ///
    /// # Safety
    ///
    /// The current thread must be in an RCU read-side critical section for all of `'a`.
    #[inline(always)]
    unsafe fn assume<'a>() -> &'a Self {
        // INVARIANT: By the safety requirement.
        // SAFETY: `Self` has size zero and alignment one, so any non-null pointer will do.
        unsafe { NonNull::<Self>::dangling().as_ref() }
    }
}

/// Begins an RCU read-side critical section, which lasts until what is returned is dropped.
pub fn read_lock() -> Guard {
    // INVARIANT: Just entered. The guard of the `kernel` crate stays on this thread.
    Guard(rcu::read_lock())
}

/// An RCU read-side critical section.
///
/// # Invariants
///
/// While an instance exists, the thread it belongs to is in such a section.
pub struct Guard(rcu::Guard);

impl Deref for Guard {
    type Target = Rcu;

    fn deref(&self) -> &Rcu {
        // SAFETY: By the type invariant, to the end of the borrow.
        unsafe { Rcu::assume() }
    }
}

/// Evidence of an RCU read-side critical section that neither changes its CPU nor is interrupted by
/// a softirq: [`RcuBh`] or [`RcuIrq`].
///
/// # Invariants
///
/// As [`Rcu`], and bottom halves or interrupts are disabled on this CPU.
pub struct RcuCpu(Rcu);

impl Deref for RcuCpu {
    type Target = Rcu;

    #[inline(always)]
    fn deref(&self) -> &Rcu {
        &self.0
    }
}

/// Evidence of an RCU read-side critical section with bottom halves disabled and interrupts enabled:
/// what a frame is processed in.
///
/// # Invariants
///
/// As [`RcuCpu`]; bottom halves are disabled, and interrupts are not.
pub struct RcuBh(RcuCpu);

impl RcuBh {
    /// States that such a section is on.
    ///
    /// # Safety
    ///
    /// For all of `'a`, the current thread must be in an RCU read-side critical section, with bottom
    /// halves disabled and interrupts enabled on its CPU.
    #[inline(always)]
    pub(crate) unsafe fn assume<'a>() -> &'a Self {
        // INVARIANT: By the safety requirement.
        // SAFETY: `Self` has size zero and alignment one, so any non-null pointer will do.
        unsafe { NonNull::<Self>::dangling().as_ref() }
    }
}

impl Deref for RcuBh {
    type Target = RcuCpu;

    #[inline(always)]
    fn deref(&self) -> &RcuCpu {
        &self.0
    }
}

/// Evidence of an RCU read-side critical section with interrupts disabled: what netpoll sends frames
/// in. It may have interrupted the owner of any lock, so must not wait for one.
///
/// # Invariants
///
/// As [`RcuCpu`], and interrupts are disabled.
pub struct RcuIrq(RcuCpu);

impl RcuIrq {
    /// States that such a section is on.
    ///
    /// # Safety
    ///
    /// For all of `'a`, interrupts must be disabled on the CPU of the current thread. That is an RCU
    /// read-side critical section, too.
    #[cfg(CONFIG_NETPOLL)]
    pub(crate) unsafe fn assume<'a>() -> &'a Self {
        // INVARIANT: By the safety requirement.
        // SAFETY: `Self` has size zero and alignment one, so any non-null pointer will do.
        unsafe { NonNull::<Self>::dangling().as_ref() }
    }
}

impl Deref for RcuIrq {
    type Target = RcuCpu;

    #[inline(always)]
    fn deref(&self) -> &RcuCpu {
        &self.0
    }
}

/// Begins an [`RcuBh`] section, which lasts until what is returned is dropped. For process context:
/// where frames are processed there is one already. Interrupts must be enabled.
pub fn read_lock_bh() -> BhGuard {
    // SAFETY: An FFI call without requirements; the guard undoes it.
    unsafe { helpers::rcu_read_lock_bh() };
    // INVARIANT: Just entered. `NotThreadSafe` keeps the guard on this thread.
    BhGuard(NotThreadSafe)
}

/// An [`RcuBh`] section of process context.
///
/// # Invariants
///
/// While an instance exists, the thread it belongs to is in such a section.
pub struct BhGuard(NotThreadSafe);

impl Deref for BhGuard {
    type Target = RcuBh;

    fn deref(&self) -> &RcuBh {
        // SAFETY: By the type invariant, to the end of the borrow. Bottom halves are disabled, and
        // that is an RCU read-side critical section, too; `rcu_read_lock_bh` informs lockdep.
        unsafe { RcuBh::assume() }
    }
}

impl Drop for BhGuard {
    fn drop(&mut self) {
        // SAFETY: Entered on this thread, by the type invariant.
        unsafe { helpers::rcu_read_unlock_bh() };
    }
}

/// A place for one shared object, or none, that is read under RCU and replaced at any time.
///
/// The atomics of `core` stand in for those of `kernel::sync::atomic`, which without
/// `CONFIG_RUST_INLINE_HELPERS` cost a function call for each access: too much per frame.
///
/// # Invariants
///
/// The pointer is null, or comes from [`Arc::into_raw`] and owns that count.
pub struct Slot<T: Send + Sync>(AtomicPtr<T>);

impl<T: Send + Sync> Slot<T> {
    /// Makes an empty slot.
    pub const fn new() -> Self {
        // INVARIANT: Null.
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Returns what is in the slot now. It stays valid, replaced or not, until the end of the RCU read-side
    /// critical section.
    #[inline(always)]
    pub fn get<'a>(&'a self, _rcu: &'a Rcu) -> Option<&'a T> {
        #[cfg(CONFIG_PROVE_RCU)]
        {
            // SAFETY: An FFI call without requirements.
            kernel::warn_on!(!unsafe { helpers::rcu_read_lock_any_held() });
        }
        // Acquire pairs with the release in `replace`: what the writer put into the object before
        // it was published is seen. (The C macro relies on the address dependency instead.)
        //
        // SAFETY: By the type invariant the pointer is null or that of an `Arc` whose count the
        // slot owned; `replace` gives that count up only a grace period after the pointer is gone
        // from the slot, so not before the end of `'a`.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// Returns what is in the slot now, to be kept for longer than RCU is locked.
    pub fn hold(&self, rcu: &Rcu) -> Option<Arc<T>> {
        let content = self.get(rcu)?;
        // SAFETY: By the type invariant the pointer comes from `Arc::into_raw`, and the slot's count is
        // not given up before the end of the read-side critical section, so for as long as the borrow
        // lives.
        Some(unsafe { ArcBorrow::from_raw(content) }.into())
    }

    /// Replaces the content. Readers may use what was there until [`Retired`] is dropped.
    pub fn replace(&self, new: Option<Arc<T>>) -> Retired<T> {
        // INVARIANT: A pointer from `into_raw`, whose count now is the slot's, or null.
        let new = new.map_or(ptr::null_mut(), |new| Arc::into_raw(new).cast_mut());
        Retired(NonNull::new(self.0.swap(new, Ordering::AcqRel)))
    }
}

impl<T: Send + Sync> Default for Slot<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send + Sync> Drop for Slot<T> {
    fn drop(&mut self) {
        let raw = *self.0.get_mut();
        if !raw.is_null() {
            // SAFETY: By the type invariant this is a pointer from `into_raw` whose count is ours.
            // No reader is left: they borrow the slot, which is borrowed mutably here.
            drop(unsafe { Arc::from_raw(raw) });
        }
    }
}

/// A shared object that is read under RCU and replaced at any time: a [`Slot`] that is never empty.
///
/// # Invariants
///
/// There is an object in the slot.
pub struct Current<T: Send + Sync>(Slot<T>);

impl<T: Send + Sync> Current<T> {
    /// Begins with `object`.
    pub fn new(object: Arc<T>) -> Self {
        let slot = Slot::new();
        drop(slot.replace(Some(object)));
        // INVARIANT: Just put there.
        Self(slot)
    }

    /// Returns the present object. It stays valid, replaced or not, until the end of the RCU read-side
    /// critical section.
    #[inline(always)]
    pub fn get<'a>(&'a self, rcu: &'a Rcu) -> &'a T {
        // SAFETY: The slot is not empty, by the type invariant.
        unsafe { self.0.get(rcu).unwrap_unchecked() }
    }

    /// Returns the present object, to be kept for longer than RCU is locked.
    pub fn hold(&self, rcu: &Rcu) -> Arc<T> {
        // SAFETY: The slot is not empty, by the type invariant.
        unsafe { self.0.hold(rcu).unwrap_unchecked() }
    }

    /// Replaces the object. Readers may use the old one until [`Retired`] is dropped.
    pub fn replace(&self, new: Arc<T>) -> Retired<T> {
        // INVARIANT: The slot has the new object.
        self.0.replace(Some(new))
    }
}

/// What a [`Slot`] held before. Dropping it waits for the readers that may still use it, so must
/// happen where sleeping is allowed.
///
/// # Invariants
///
/// The pointer, if any, comes from [`Arc::into_raw`], owns that count, and is in no slot.
#[must_use = "dropping this sleeps; drop it where that is meant to happen"]
pub struct Retired<T: Send + Sync>(Option<NonNull<T>>);

impl<T: Send + Sync> Drop for Retired<T> {
    fn drop(&mut self) {
        if let Some(old) = self.0 {
            // SAFETY: No requirement but that the context may sleep.
            unsafe { bindings::synchronize_net() };
            // SAFETY: By the type invariant; readers that got the pointer from the slot are done.
            drop(unsafe { Arc::from_raw(old.as_ptr()) });
        }
    }
}

#[kernel::macros::kunit_tests(netdev_rcu)]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicU32;
    use kernel::prelude::*;

    /// Counts how often a value of it was dropped.
    struct Dropped(Arc<AtomicU32>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_a_slot_held_is_dropped_after_it_is_replaced() -> Result {
        let drops = Arc::new(AtomicU32::new(0), GFP_KERNEL)?;
        let slot = Slot::new();
        assert!(slot.get(&read_lock()).is_none());

        let first = Arc::new(Dropped(drops.clone()), GFP_KERNEL)?;
        drop(slot.replace(Some(first)));
        assert!(slot.get(&read_lock()).is_some());
        assert_eq!(drops.load(Ordering::Relaxed), 0);

        let retired = slot.replace(None);
        assert!(slot.get(&read_lock()).is_none());
        assert_eq!(drops.load(Ordering::Relaxed), 0);
        drop(retired);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        Ok(())
    }

    #[test]
    fn an_object_is_dropped_after_it_is_replaced_and_let_go() -> Result {
        let drops = Arc::new(AtomicU32::new(0), GFP_KERNEL)?;
        let object = || Arc::new(Dropped(drops.clone()), GFP_KERNEL);
        let current = Current::new(object()?);
        let first = current.hold(&read_lock());
        assert!(ptr::eq(&*first, current.get(&read_lock())));

        drop(current.replace(object()?));
        assert!(!ptr::eq(&*first, current.get(&read_lock())));
        assert_eq!(drops.load(Ordering::Relaxed), 0);
        drop(first);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        drop(current);
        assert_eq!(drops.load(Ordering::Relaxed), 2);
        Ok(())
    }

    #[test]
    fn a_slot_that_goes_drops_what_it_holds() -> Result {
        let drops = Arc::new(AtomicU32::new(0), GFP_KERNEL)?;
        let slot = Slot::new();
        drop(slot.replace(Some(Arc::new(Dropped(drops.clone()), GFP_KERNEL)?)));
        drop(slot);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        Ok(())
    }
}
