// SPDX-License-Identifier: GPL-2.0

//! Spinlocks that are held with bottom halves disabled.
//!
//! [`SpinLockBh`] is for data that processes and softirqs share, and hard interrupts do not touch:
//! softirqs are what receives frames, mostly what transmits them, and what the timers of this crate
//! expire in. Interrupts stay enabled while it is held, so it may be held for longer than
//! [`SpinLockIrq`](kernel::sync::SpinLockIrq).
//!
//! Where interrupts are disabled it must not be taken: whoever is interrupted may hold it, and
//! bottom halves cannot be enabled again there.
//!
//! C header: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h)

use crate::rcu::RcuBh;
use core::{
    ops::Deref,
    ptr, //
};
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
            Guard,
            Lock, //
        },
        LockClassKey,
        SpinLock,
        SpinLockGuard, //
    },
};
use netdev_bindings::helpers;

/// Creates an initialiser of a [`SpinLockBh`], with a lock class of its own for lockdep.
///
/// The lock has the name that is given, or one that is made of file and line.
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

/// Takes a `spinlock_t` with bottom halves disabled (`spin_lock_bh()`).
pub struct SpinLockBhBackend;

/// Evidence that a [`SpinLockBh`] is held by [`Lock::lock`]; dropping it releases the lock and
/// enables bottom halves.
pub type SpinLockBhGuard<'a, T> = Guard<'a, T, SpinLockBhBackend>;

// SAFETY: A `spinlock_t` has one owner at a time. `relock` is the default, which calls `lock`.
unsafe impl Backend for SpinLockBhBackend {
    type State = spinlock_t;
    type GuardState = ();

    #[inline]
    unsafe fn init(ptr: *mut spinlock_t, name: *const c_char, key: *mut lock_class_key) {
        // SAFETY: By the requirements of this function: `ptr` is valid for writes, `name` and `key`
        // for reads at any time.
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

/// A spinlock that is held with bottom halves disabled.
///
/// [`Lock::lock`] and [`Lock::try_lock`] disable them, and may be called in process context, in a
/// softirq, and where bottom halves are disabled already. [`SpinLockBh::lock_with`] leaves them as
/// they are, where it is known that they are disabled. All exclude each other.
#[pin_data]
pub struct SpinLockBh<T: ?Sized> {
    #[pin]
    lock: Lock<T, SpinLockBhBackend>,
}

impl<T> SpinLockBh<T> {
    /// Creates an initialiser. [`new_spinlock_bh!`](crate::new_spinlock_bh) supplies name and class.
    pub fn new(
        data: impl PinInit<T>,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            lock <- Lock::new(data, name, key),
        })
    }
}

impl<T: ?Sized> SpinLockBh<T> {
    /// Takes the lock, with bottom halves disabled already.
    #[inline]
    pub fn lock_with<'a>(&'a self, context: &'a RcuBh) -> SpinLockGuard<'a, T> {
        self.as_spinlock(context).lock()
    }

    /// Takes the lock if it is free, with bottom halves disabled already.
    #[must_use = "if unused, the lock will be immediately unlocked"]
    #[inline]
    pub fn try_lock_with<'a>(&'a self, context: &'a RcuBh) -> Option<SpinLockGuard<'a, T>> {
        self.as_spinlock(context).try_lock()
    }

    fn as_spinlock<'a>(&'a self, _context: &'a RcuBh) -> &'a SpinLock<T> {
        let lock = ptr::from_ref(&self.lock) as *const SpinLock<T>;
        // SAFETY: `Lock` is `repr(C)`, and both backends have the same state, initialised by the
        // same function: the layouts are equal, and whoever takes either excludes the others. No
        // softirq on this CPU waits for the owner, as bottom halves are disabled for all of `'a`.
        unsafe { &*lock }
    }
}

impl<T: ?Sized> Deref for SpinLockBh<T> {
    type Target = Lock<T, SpinLockBhBackend>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.lock
    }
}

#[kunit_tests(netdev_lock)]
mod tests {
    use super::*;
    use crate::rcu::read_lock_bh;

    #[test]
    fn it_may_be_taken_in_each_way() -> Result {
        let lock = KBox::pin_init(new_spinlock_bh!(1u32, "test"), GFP_KERNEL)?;
        *lock.lock() = 2;
        assert!(lock.try_lock().is_some_and(|owner| *owner == 2));

        let context = read_lock_bh();
        *lock.lock_with(&context) = 3;
        assert!(lock
            .try_lock_with(&context)
            .is_some_and(|owner| *owner == 3));
        // Where they are disabled already, they stay so.
        assert_eq!(*lock.lock(), 3);
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
