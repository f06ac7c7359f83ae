// SPDX-License-Identifier: GPL-2.0

//! Network namespaces, and the devices in them.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use crate::{
    device::NetDevice,
    rcu::Rcu,
    rtnl::Rtnl, //
};
use core::{
    cell::UnsafeCell,
    ops::Deref,
    ptr::NonNull,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering}, //
};
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};
use netdev_bindings::{self as bindings, helpers};

/// A network namespace.
///
/// # Invariants
///
/// For as long as a reference to an instance lives, the namespace is allocated, and has its netlink
/// sockets, its table of devices and what modules have in it.
#[repr(transparent)]
pub struct Net(Opaque<bindings::net>);

// SAFETY: What is offered on a shared reference is safe on any thread.
unsafe impl Sync for Net {}

impl Net {
    /// Borrows a namespace.
    ///
    /// # Safety
    ///
    /// For all of `'a`, `ptr` must point to a namespace as the type invariant says.
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut bindings::net) -> &'a Self {
        // SAFETY: By the safety requirement; the type is transparent to `net`.
        unsafe { &*ptr.cast() }
    }

    pub(crate) fn as_ptr(&self) -> *mut bindings::net {
        self.0.get()
    }

    /// Returns a number that no other namespace has or will have.
    pub fn cookie(&self) -> u64 {
        // SAFETY: The namespace is allocated, by the type invariant; the number was written before
        // others knew the namespace.
        unsafe { (*self.as_ptr()).net_cookie }
    }

    /// Returns whether the namespace belongs to the initial user namespace: only an administrator of
    /// the machine may configure it.
    pub fn is_of_machine(&self) -> bool {
        // SAFETY: The namespace is allocated, by the type invariant; its owner does not change.
        unsafe { helpers::net_is_of_init_user_ns(self.as_ptr()) }
    }

    /// Takes a reference to the namespace. `None` if its end has begun.
    pub fn hold(&self) -> Option<HeldNet> {
        // SAFETY: The namespace is allocated, by the type invariant.
        let net = NonNull::new(unsafe { helpers::maybe_get_net(self.as_ptr()) })?;
        // INVARIANT: Just counted.
        Some(HeldNet(net))
    }
}

/// A network namespace that lasts for as long as this does.
///
/// # Invariants
///
/// Owns a count of the namespace's users.
pub struct HeldNet(NonNull<bindings::net>);

// SAFETY: Any thread may use a namespace and give up the count.
unsafe impl Send for HeldNet {}

// SAFETY: A shared reference offers a `Net`, which is `Sync`.
unsafe impl Sync for HeldNet {}

impl Deref for HeldNet {
    type Target = Net;

    fn deref(&self) -> &Net {
        // SAFETY: A namespace with users is as the invariant of `Net` says.
        unsafe { Net::from_raw(self.0.as_ptr()) }
    }
}

impl Drop for HeldNet {
    fn drop(&mut self) {
        // SAFETY: The count is ours, by the type invariant.
        unsafe { helpers::put_net(self.0.as_ptr()) };
    }
}

/// Counters that a module has in each network namespace, all 0 at first: `N` of them.
///
/// # Invariants
///
/// While `registered`, each namespace has `N` counters under the number in `id`. They are freed with
/// the namespace, or a grace period after `registered` was cleared.
pub struct PerNet<const N: usize> {
    ops: Opaque<bindings::pernet_operations>,
    id: UnsafeCell<c_uint>,
    taken: AtomicBool,
    registered: AtomicBool,
}

// SAFETY: `ops` and `id` are written by the one caller that has set `taken`, before `registered` is
// set, and by the core under a lock of its own. `id` is read only after `registered` was seen.
unsafe impl<const N: usize> Sync for PerNet<N> {}

impl<const N: usize> PerNet<N> {
    /// Makes counters that no namespace has yet.
    #[expect(clippy::new_without_default)] // For statics.
    pub const fn new() -> Self {
        // INVARIANT: Not registered.
        Self {
            ops: Opaque::uninit(),
            id: UnsafeCell::new(0),
            taken: AtomicBool::new(false),
            registered: AtomicBool::new(false),
        }
    }

    /// Gives each present and future namespace its counters. May sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` if they have them already; `ENOMEM`.
    pub fn register(&'static self) -> Result<PerNetRegistration<N>> {
        if self.taken.swap(true, Ordering::Acquire) {
            return Err(EBUSY);
        }
        let ops = bindings::pernet_operations {
            id: self.id.get(),
            size: size_of::<[AtomicUsize; N]>(),
            ..pin_init::zeroed()
        };
        // SAFETY: Valid for writes, and only written here: `taken` has just been set.
        unsafe { self.ops.get().write(ops) };
        // SAFETY: Initialised, static, and unregistered before the module goes.
        to_result(unsafe { bindings::register_pernet_subsys(self.ops.get()) })
            .inspect_err(|_| self.taken.store(false, Ordering::Release))?;
        // INVARIANT: Each namespace has memory of that size now, zeroed, which is `N` counters.
        self.registered.store(true, Ordering::Release);
        Ok(PerNetRegistration(self))
    }

    /// Returns the counters of `net`; `None` if they are not registered, or not any more.
    pub fn of<'a>(&'static self, net: &'a Net, _rcu: &'a Rcu) -> Option<&'a [AtomicUsize; N]> {
        if !self.registered.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: By the type invariants of `Self` and `Net`, the namespace has the counters, and
        // keeps them to the end of this RCU read-side critical section.
        unsafe {
            let counters = helpers::net_generic(net.as_ptr(), *self.id.get());
            counters.cast::<[AtomicUsize; N]>().as_ref()
        }
    }
}

/// Registered [`PerNet`] counters. Dropping it removes them from all namespaces, and waits for their
/// users.
///
/// # Invariants
///
/// The counters are registered while an instance exists.
pub struct PerNetRegistration<const N: usize>(&'static PerNet<N>);

impl<const N: usize> Drop for PerNetRegistration<N> {
    fn drop(&mut self) {
        self.0.registered.store(false, Ordering::Relaxed);
        // SAFETY: Registered, by the type invariant. The core waits for a grace period before it
        // frees the counters.
        unsafe { bindings::unregister_pernet_subsys(self.0.ops.get()) };
        self.0.taken.store(false, Ordering::Release);
    }
}

impl NetDevice {
    /// Returns the device of that interface index in `net`.
    pub fn by_index<'a>(net: &Net, ifindex: u32, _rtnl: &'a Rtnl) -> Option<&'a Self> {
        let ifindex = c_int::try_from(ifindex).ok()?;
        // SAFETY: The namespace is alive, and RTNL is held.
        let dev = unsafe { bindings::__dev_get_by_index(net.as_ptr(), ifindex) };
        // SAFETY: Devices that can be found are registered, and stay so while RTNL is held.
        (!dev.is_null()).then(|| unsafe { Self::from_raw(dev) })
    }

    /// Returns the device of that interface index in `net`. It may be unregistered meanwhile.
    pub fn by_index_rcu<'a>(net: &Net, ifindex: u32, _rcu: &'a Rcu) -> Option<&'a Self> {
        let ifindex = c_int::try_from(ifindex).ok()?;
        // SAFETY: The namespace is alive, and this is an RCU read-side critical section.
        let dev = unsafe { bindings::dev_get_by_index_rcu(net.as_ptr(), ifindex) };
        // SAFETY: Devices that can be found are registered. One that is unregistered goes only
        // after all such sections that may have found it.
        (!dev.is_null()).then(|| unsafe { Self::from_raw(dev) })
    }

    /// Returns the namespace the device is in. `None` for a device that is not registered yet or not
    /// any more: it does not keep the namespace.
    pub fn net<'a>(&'a self, _rtnl: &'a Rtnl) -> Option<&'a Net> {
        // SAFETY: A device is unregistered or moved elsewhere only with RTNL, which we hold, and
        // its namespace does not end before that.
        unsafe { self.net_if_registered() }
    }

    /// Returns the namespace the device is in, without RTNL: the device may be unregistered meanwhile.
    /// `None` for a device that is not registered.
    pub fn net_rcu<'a>(&'a self, _rcu: &'a Rcu) -> Option<&'a Net> {
        // SAFETY: A device that is registered now is unregistered, or its move elsewhere ends, only
        // with a wait for RCU readers, which we are, and its namespace does not end before that.
        unsafe { self.net_if_registered() }
    }

    /// Returns the namespace of a registered device.
    ///
    /// # Safety
    ///
    /// If the device is registered now, the namespace that it is in must last for all of `'a`.
    unsafe fn net_if_registered<'a>(&self) -> Option<&'a Net> {
        if !self.seems_registered() {
            return None;
        }
        // SAFETY: The device is alive.
        let net = unsafe { helpers::dev_net(self.as_ptr()) };
        // SAFETY: By the safety requirement.
        Some(unsafe { Net::from_raw(net) })
    }

    /// Takes a reference to the namespace the device is in, found as by [`NetDevice::net_rcu`].
    pub fn hold_net(&self, rcu: &Rcu) -> Option<HeldNet> {
        self.net_rcu(rcu)?.hold()
    }
}

impl NetDevice {
    /// Returns the devices in `net`, by interface index.
    pub fn all<'a>(net: &'a Net, _rtnl: &'a Rtnl) -> impl Iterator<Item = &'a Self> {
        let mut from = 0u32;
        core::iter::from_fn(move || {
            // SAFETY: RTNL is held for as long as the result lives.
            let (index, dev) = unsafe { Self::first_from(net, from) }?;
            from = index.saturating_add(1);
            Some(dev)
        })
    }

    /// Returns the device in `net` with the smallest interface index that is `from` or more, and the
    /// index by which it was found: it may have another one by now.
    ///
    /// # Safety
    ///
    /// For all of `'a`, RTNL must be held, or this be an RCU read-side critical section.
    pub(crate) unsafe fn first_from<'a>(net: &Net, from: u32) -> Option<(u32, &'a Self)> {
        let mut index = from as c_ulong;
        // SAFETY: The namespace is alive, and has its table of devices by index. The pointer is
        // valid for reads and writes.
        let dev = unsafe {
            bindings::xa_find(
                &raw mut (*net.as_ptr()).dev_by_index,
                &mut index,
                c_ulong::MAX,
                bindings::XA_PRESENT,
            )
        };
        // SAFETY: Only registered devices are in the table. With RTNL held they stay registered; and one
        // that is unregistered goes only after all RCU readers that may have found it.
        (!dev.is_null()).then(|| (index as u32, unsafe { Self::from_raw(dev.cast()) }))
    }
}

#[kunit_tests(netdev_net)]
mod tests {
    use super::*;
    use crate::rcu;

    static COUNTERS: PerNet<2> = PerNet::new();

    /// Returns the counters of the first namespace, after 1 has been added to the second of them.
    fn counted() -> Option<[usize; 2]> {
        // SAFETY: The first namespace is there as long as the kernel.
        let net = unsafe { Net::from_raw((&raw mut kernel::bindings::init_net).cast()) };
        let guard = rcu::read_lock();
        let [first, second] = COUNTERS.of(net, &guard)?;
        second.fetch_add(1, Ordering::Relaxed);
        Some([first, second].map(|counter| counter.load(Ordering::Relaxed)))
    }

    #[test]
    fn namespaces_have_counters_while_these_are_registered() -> Result {
        assert!(counted().is_none());
        // The second time they begin at 0 again.
        for _ in 0..2 {
            let registration = COUNTERS.register()?;
            assert!(COUNTERS.register().is_err_and(|err| err == EBUSY));
            assert!(counted() == Some([0, 1]));
            assert!(counted() == Some([0, 2]));
            drop(registration);
            assert!(counted().is_none());
        }
        Ok(())
    }
}
