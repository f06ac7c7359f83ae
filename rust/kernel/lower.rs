// SPDX-License-Identifier: GPL-2.0

//! A lower device, as the upper one has it.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    device::{Device, NetDevice},
    driver::Driver,
    netpoll::Netpoll,
    rcu::RcuIrq,
    rtnl::Rtnl,
    skb::{SkBuff, Xmit}, //
};
use core::ops::Deref;
use kernel::prelude::*;
use netdev_bindings as bindings;

/// A port of a device of the driver `T`: the driver's data of it, to which it dereferences, and what
/// this crate keeps of it. It is made by [`Device::enslave`].
///
/// # Invariants
///
/// `upper` is the device of the driver that the port was linked to when this was made.
pub struct Lower<T: Driver> {
    upper: *mut bindings::net_device,
    netpoll: Netpoll,
    data: T::Port,
}

// SAFETY: `upper` is used only where the device is known to exist. The rest may go to any thread.
unsafe impl<T: Driver> Send for Lower<T> {}

// SAFETY: A shared reference offers nothing but shared references to parts that are `Sync`.
unsafe impl<T: Driver> Sync for Lower<T> {}

impl<T: Driver> Lower<T> {
    pub(crate) fn new(upper: &Device<T>, port: &NetDevice, data: T::Port) -> Self {
        // INVARIANT: `upper` is one of the driver.
        Self {
            upper: upper.as_ptr(),
            netpoll: Netpoll::new(port.into()),
            data,
        }
    }

    /// Returns the upper device.
    ///
    /// # Safety
    ///
    /// For all of `'a`, the port's handler must be registered, or it must be an RCU read-side critical
    /// section in which it was.
    #[inline(always)]
    pub(crate) unsafe fn upper<'a>(&self) -> &'a Device<T> {
        // SAFETY: One of the driver, by the type invariant. A handler is registered only while somebody
        // is linking the port or the link refers to the device, and is gone a grace period before.
        unsafe { Device::from_raw(self.upper) }
    }

    /// Sets the port up for netpoll, if it is not yet.
    ///
    /// # Errors
    ///
    /// `ENOTSUPP` where it cannot, `ENOMEM`.
    pub(crate) fn set_up_netpoll(&self, rtnl: &Rtnl) -> Result {
        self.netpoll.set_up(rtnl)
    }

    /// Undoes [`Lower::set_up_netpoll`], and waits for running senders.
    pub(crate) fn end_netpoll(&self, rtnl: &Rtnl) {
        self.netpoll.end(rtnl);
    }

    /// Sends a frame of netpoll by the port. It is refused if netpoll does not send by the upper
    /// device any more.
    pub fn transmit_netpoll(&self, skb: SkBuff, context: &RcuIrq) -> Xmit {
        self.netpoll.send(skb, context)
    }
}

impl<T: Driver> Deref for Lower<T> {
    type Target = T::Port;

    #[inline(always)]
    fn deref(&self) -> &T::Port {
        &self.data
    }
}
