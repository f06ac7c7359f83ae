// SPDX-License-Identifier: GPL-2.0

//! The devices of a driver in a network namespace.

use crate::{
    device::{Device, NetDevice},
    driver::Driver,
    net::Net,
    rcu::Rcu,
    rtnl::Rtnl, //
};

impl<T: Driver> Device<T> {
    /// Returns the device of this driver in `net` with the smallest interface index that is `from` or
    /// more.
    pub fn next<'a>(net: &Net, from: u32, _rtnl: &'a Rtnl) -> Option<&'a Self> {
        // SAFETY: RTNL is held for as long as the result lives.
        unsafe { Self::first_of_ours(net, from) }
    }

    /// Returns the device of this driver in `net` with the smallest interface index that is `from` or
    /// more. It may be unregistered meanwhile.
    pub fn next_rcu<'a>(net: &Net, from: u32, _rcu: &'a Rcu) -> Option<&'a Self> {
        // SAFETY: The section lasts for as long as the result lives.
        unsafe { Self::first_of_ours(net, from) }
    }

    /// # Safety
    ///
    /// For all of `'a`, RTNL must be held, or this be an RCU read-side critical section.
    unsafe fn first_of_ours<'a>(net: &Net, mut from: u32) -> Option<&'a Self> {
        loop {
            // SAFETY: By the safety requirement.
            let (index, dev) = unsafe { NetDevice::first_from(net, from) }?;
            if let Some(dev) = Self::from_netdev(dev) {
                return Some(dev);
            }
            from = index.checked_add(1)?;
        }
    }
}
