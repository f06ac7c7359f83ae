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
    /// Returns the devices of this driver in `net`, by interface index.
    pub fn all<'a>(net: &'a Net, rtnl: &'a Rtnl) -> impl Iterator<Item = &'a Self> {
        NetDevice::all(net, rtnl).filter_map(Self::from_netdev)
    }

    /// Returns the device of this driver in `net` with the smallest interface index that is `from` or
    /// more. It may be unregistered meanwhile.
    pub fn next_rcu<'a>(net: &Net, mut from: u32, _rcu: &'a Rcu) -> Option<&'a Self> {
        loop {
            // SAFETY: The section lasts for as long as the result lives.
            let (index, dev) = unsafe { NetDevice::first_from(net, from) }?;
            if let Some(dev) = Self::from_netdev(dev) {
                return Some(dev);
            }
            from = index.checked_add(1)?;
        }
    }
}
