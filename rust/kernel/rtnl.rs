// SPDX-License-Identifier: GPL-2.0

//! The RTNL lock.
//!
//! Taken for nearly every change of the configuration of network devices. Most callbacks run with
//! it held already and are handed an [`Rtnl`]; taking it once more would deadlock.
//!
//! C header: [`include/linux/rtnetlink.h`](srctree/include/linux/rtnetlink.h)

use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::types::NotThreadSafe;
use netdev_bindings as bindings;

/// Evidence that the RTNL lock is held by the current thread.
///
/// # Invariants
///
/// While a reference to an instance is alive, the current thread holds the lock.
pub struct Rtnl(NotThreadSafe);

impl Rtnl {
    /// States that the lock is held.
    ///
    /// # Safety
    ///
    /// The current thread must hold the RTNL lock for all of `'a`.
    #[inline(always)]
    pub(crate) unsafe fn assume_held<'a>() -> &'a Self {
        // INVARIANT: By the safety requirement.
        // SAFETY: `Self` has size zero and alignment one, so any non-null pointer will do.
        unsafe { NonNull::<Self>::dangling().as_ref() }
    }
}

/// The RTNL lock, held until this is dropped.
pub struct RtnlGuard(Rtnl);

/// Takes the RTNL lock, sleeping until it is free.
pub fn lock() -> RtnlGuard {
    // SAFETY: An FFI call without requirements but that the context may sleep.
    unsafe { bindings::rtnl_lock() };
    // INVARIANT: Just taken, and given back only when the guard is dropped.
    RtnlGuard(Rtnl(NotThreadSafe))
}

/// Takes the RTNL lock if it is free.
pub fn try_lock() -> Option<RtnlGuard> {
    // SAFETY: An FFI call without requirements.
    let taken = unsafe { bindings::rtnl_trylock() } != 0;
    // INVARIANT: Just taken, and given back only when the guard is dropped.
    taken.then(|| RtnlGuard(Rtnl(NotThreadSafe)))
}

impl Deref for RtnlGuard {
    type Target = Rtnl;

    fn deref(&self) -> &Rtnl {
        &self.0
    }
}

impl Drop for RtnlGuard {
    fn drop(&mut self) {
        // SAFETY: Held since the guard was made.
        unsafe { bindings::rtnl_unlock() };
    }
}
