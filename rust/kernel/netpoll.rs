// SPDX-License-Identifier: GPL-2.0

//! Netpoll: frames that are sent with interrupts disabled, in any context, as those of netconsole are.
//!
//! A device that is stacked on others sends such frames by
//! [`Lower::transmit_netpoll`](crate::lower::Lower::transmit_netpoll). In a kernel without netpoll
//! there are none.
//!
//! C header: [`include/linux/netpoll.h`](srctree/include/linux/netpoll.h)

use crate::{
    device::NetDevice,
    rcu::RcuIrq,
    rtnl::Rtnl,
    skb::{DropReason, SkBuff, Xmit}, //
};
use core::{
    ptr,
    sync::atomic::{AtomicPtr, Ordering}, //
};
#[cfg(CONFIG_NETPOLL)]
use kernel::error::to_result;
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};
use netdev_bindings as bindings;

/// A lower device, as netpoll may send by it.
///
/// # Invariants
///
/// The pointer is null, or `__netpoll_setup` has succeeded with it for `dev`, and it owns what it
/// points to.
pub(crate) struct Netpoll {
    np: AtomicPtr<bindings::netpoll>,
    #[cfg_attr(not(CONFIG_NETPOLL), expect(dead_code))]
    dev: ARef<NetDevice>,
}

impl Netpoll {
    /// Makes one that is not set up yet.
    pub(crate) fn new(dev: ARef<NetDevice>) -> Self {
        // INVARIANT: Null.
        Self {
            np: AtomicPtr::new(ptr::null_mut()),
            dev,
        }
    }

    /// Sets the device up for frames of netpoll, if it is not yet. [`Netpoll::end`] must follow, or the
    /// device stays so for ever.
    ///
    /// # Errors
    ///
    /// `ENOTSUPP` where it cannot, `ENOMEM`.
    #[cfg(CONFIG_NETPOLL)]
    pub(crate) fn set_up(&self, _rtnl: &Rtnl) -> Result {
        if !self.np.load(Ordering::Relaxed).is_null() {
            return Ok(());
        }
        let np = bindings::netpoll {
            // What messages about it begin with.
            name: c"netdev".as_char_ptr(),
            ..pin_init::zeroed()
        };
        let np = KBox::into_raw(KBox::new(np, GFP_KERNEL)?);
        // SAFETY: The device is alive, RTNL is held, and `np` is valid and zeroed but for its name.
        let result = to_result(unsafe { bindings::__netpoll_setup(np, self.dev.as_ptr()) });
        match result {
            // INVARIANT: Just set up. The device stays allocated for as long as `self` does.
            Ok(()) => self.np.store(np, Ordering::Release),
            // SAFETY: From `into_raw` above, and not used otherwise.
            Err(_) => drop(unsafe { KBox::from_raw(np) }),
        }
        result
    }

    /// Refuses: there is no netpoll, so this is not called.
    #[cfg(not(CONFIG_NETPOLL))]
    pub(crate) fn set_up(&self, _rtnl: &Rtnl) -> Result {
        Err(EOPNOTSUPP)
    }

    /// Undoes [`Netpoll::set_up`], and waits for running senders.
    pub(crate) fn end(&self, _rtnl: &Rtnl) {
        // INVARIANT: Null.
        let np = self.np.swap(ptr::null_mut(), Ordering::AcqRel);
        #[cfg(CONFIG_NETPOLL)]
        if !np.is_null() {
            // SAFETY: Set up, by the type invariant, and allocated with `kmalloc`. Senders that found it
            // here are in RCU read-side critical sections, which this waits for. RTNL is held.
            unsafe { bindings::__netpoll_free(np) };
        }
        #[cfg(not(CONFIG_NETPOLL))]
        let _ = np;
    }

    /// Sends a frame of netpoll by the device. It is refused where that is not set up.
    pub(crate) fn send(&self, skb: SkBuff, _context: &RcuIrq) -> Xmit {
        let np = self.np.load(Ordering::Acquire);
        #[cfg(CONFIG_NETPOLL)]
        if !np.is_null() {
            // SAFETY: By the type invariant `np` is set up, and stays so to the end of this RCU
            // read-side critical section. The frame is handed over, and consumed in any case.
            return unsafe { Xmit::from_raw(bindings::netpoll_send_skb(np, skb.into_raw()).0) };
        }
        #[cfg(not(CONFIG_NETPOLL))]
        let _ = np;
        skb.drop_for(DropReason::DEV_READY);
        Xmit::REFUSED
    }
}

impl NetDevice {
    /// Returns whether the device is set up for netpoll.
    pub fn is_in_netpoll(&self, _rtnl: &Rtnl) -> bool {
        #[cfg(CONFIG_NETPOLL)]
        {
            // SAFETY: Alive by the type invariant; changed only by holders of RTNL.
            unsafe { !(*self.as_ptr()).npinfo.is_null() }
        }
        #[cfg(not(CONFIG_NETPOLL))]
        {
            false
        }
    }

    /// Handles what the device has received, and frames that it has sent.
    pub fn poll(&self, _context: &RcuIrq) {
        #[cfg(CONFIG_NETPOLL)]
        {
            // SAFETY: The device is alive, and interrupts are disabled.
            unsafe { bindings::netpoll_poll_dev(self.as_ptr()) };
        }
    }
}
