// SPDX-License-Identifier: GPL-2.0

//! Spinlocks that are held with bottom halves disabled.
//!
//! [`SpinLockBh`] is for data that processes and softirqs share, and hard interrupts do not touch.
//! Frames are received in softirqs, mostly transmitted in them, and the timers of this crate expire in
//! them. Interrupts stay enabled while the lock is held, so it may be held for longer than a
//! [`SpinLockIrq`](kernel::sync::SpinLockIrq).
//!
//! It must not be taken where interrupts are disabled: the code that was interrupted may hold it, and
//! bottom halves cannot be enabled again there.
//!
//! C header: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h)

use kernel::{
    bindings::{
        lock_class_key,
        spinlock_t, //
    },
    prelude::*,
    sync::{
        lock::{
            spinlock::SpinLockBackend,
            Backend,
            Lock, //
        }, //
    },
};
use netdev_bindings::helpers;

/// Creates an initialiser of a [`SpinLockBh`], with a lock class of its own for lockdep.
///
/// The lock has the given name, or one that is made of file and line.
#[macro_export]
macro_rules! new_spinlock_bh {
    ($inner:expr $(, $name:literal)? $(,)?) => {
        $crate::lock::SpinLockBh::new(
            $inner,
            ::kernel::optional_name!($($name)?),
            ::kernel::static_lock_class!(),
        )
    };
}
pub use new_spinlock_bh;

/// A spinlock that is held with bottom halves disabled. It may be taken in process context, in a
/// softirq, and where bottom halves are disabled already.
pub type SpinLockBh<T> = Lock<T, SpinLockBhBackend>;

/// Takes a `spinlock_t` with bottom halves disabled (`spin_lock_bh()`).
pub struct SpinLockBhBackend;

// SAFETY: A `spinlock_t` has one owner at a time. `relock` is the default, which calls `lock`.
unsafe impl Backend for SpinLockBhBackend {
    type State = spinlock_t;
    type GuardState = ();

    #[inline]
    unsafe fn init(ptr: *mut spinlock_t, name: *const c_char, key: *mut lock_class_key) {
        // SAFETY: By the requirements of this function, `ptr` is valid for writes, and `name` and
        // `key` are valid for reads at any time.
        unsafe { SpinLockBackend::init(ptr, name, key) }
    }

    #[inline]
    unsafe fn lock(ptr: *mut spinlock_t) {
        // SAFETY: The lock is initialised, by the requirement of this function.
        unsafe { helpers::spin_lock_bh(ptr.cast()) }
    }

    #[inline]
    unsafe fn try_lock(ptr: *mut spinlock_t) -> Option<()> {
        // SAFETY: The lock is initialised, by the requirement of this function.
        let taken = unsafe { helpers::spin_trylock_bh(ptr.cast()) };
        (taken != 0).then_some(())
    }

    #[inline]
    unsafe fn unlock(ptr: *mut spinlock_t, _state: &()) {
        // SAFETY: The caller owns the lock, by the requirement of this function.
        unsafe { helpers::spin_unlock_bh(ptr.cast()) }
    }

    #[inline]
    unsafe fn assert_is_held(ptr: *mut spinlock_t) {
        // SAFETY: The lock is initialised, by the requirement of this function.
        unsafe { SpinLockBackend::assert_is_held(ptr) }
    }
}

#[kunit_tests(netdev_lock)]
mod tests {
    use super::*;
    use crate::rcu::read_lock_bh;

    #[test]
    fn bottom_halves_that_were_disabled_stay_so() -> Result {
        let lock = KBox::pin_init(new_spinlock_bh!(1u32, "test"), GFP_KERNEL)?;
        *lock.lock() = 2;
        assert!(lock.try_lock().is_some_and(|owner| *owner == 2));

        let context = read_lock_bh();
        assert_eq!(*lock.lock(), 2);
        assert!(in_softirq());
        assert!(lock.try_lock().is_some());
        assert!(in_softirq());
        drop(context);
        assert!(!in_softirq());
        Ok(())
    }

    #[test]
    fn bottom_halves_are_disabled_while_it_is_held() -> Result {
        let lock = KBox::pin_init(new_spinlock_bh!(()), GFP_KERNEL)?;
        assert!(!in_softirq());
        let owner = lock.lock();
        assert!(in_softirq());
        drop(owner);
        assert!(!in_softirq());
        let owner = lock.try_lock();
        assert!(owner.is_some() && in_softirq());
        drop(owner);
        assert!(!in_softirq());
        Ok(())
    }

    /// Returns whether bottom halves are disabled.
    fn in_softirq() -> bool {
        // SAFETY: An FFI call without requirements.
        unsafe { helpers::in_softirq() }
    }
}
