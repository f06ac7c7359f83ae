// SPDX-License-Identifier: GPL-2.0

//! What a device receives: the lists of addresses that its users want, and how many of them want
//! all frames, or all group-addressed ones.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    addr::MacAddr,
    device::{Device, NetDevice},
    rtnl::Rtnl, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};
use netdev_bindings::{self as bindings, helpers};

impl NetDevice {
    /// Adds a user who wants all frames, or removes one.
    ///
    /// # Errors
    ///
    /// `EOVERFLOW` with too many users, and those of the driver.
    pub fn promiscuous(&self, on: bool, _rtnl: &Rtnl) -> Result {
        // SAFETY: The device is alive, and RTNL is held.
        to_result(unsafe { bindings::dev_set_promiscuity(self.as_ptr(), if on { 1 } else { -1 }) })
    }

    /// Adds a user who wants all group-addressed frames, or removes one.
    ///
    /// # Errors
    ///
    /// As [`NetDevice::promiscuous`].
    pub fn all_multicast(&self, on: bool, _rtnl: &Rtnl) -> Result {
        // SAFETY: The device is alive, and RTNL is held.
        to_result(unsafe { bindings::dev_set_allmulti(self.as_ptr(), if on { 1 } else { -1 }) })
    }

    /// Adds a user who wants the frames to `mac` as well as those to the device's own address. A
    /// device whose hardware cannot filter by several receives all frames.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` if it is no Ethernet device.
    pub fn add_unicast(&self, mac: MacAddr, _rtnl: &Rtnl) -> Result {
        // SAFETY: The core's function for this may be called for any device; RTNL is held.
        unsafe { self.change(bindings::dev_uc_add, mac) }
    }

    /// Removes a user that [`NetDevice::add_unicast`] has added.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is none; `EINVAL` if it is no Ethernet device.
    pub fn remove_unicast(&self, mac: MacAddr, _rtnl: &Rtnl) -> Result {
        // SAFETY: The core's function for this may be called for any device; RTNL is held.
        unsafe { self.change(bindings::dev_uc_del, mac) }
    }

    /// Adds a user who wants the frames to the group address `mac`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` if it is no Ethernet device.
    pub fn add_multicast(&self, mac: MacAddr, _rtnl: &Rtnl) -> Result {
        // SAFETY: The core's function for this may be called for any device; RTNL is held.
        unsafe { self.change(bindings::dev_mc_add, mac) }
    }

    /// Removes a user that [`NetDevice::add_multicast`] has added.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is none; `EINVAL` if it is no Ethernet device.
    pub fn remove_multicast(&self, mac: MacAddr, _rtnl: &Rtnl) -> Result {
        // SAFETY: The core's function for this may be called for any device; RTNL is held.
        unsafe { self.change(bindings::dev_mc_del, mac) }
    }

    /// Adds an address to a list, or removes it.
    ///
    /// # Safety
    ///
    /// `change` must be a function that may be called for any device, with RTNL held, and an address
    /// as long as those of the device. RTNL must be held.
    unsafe fn change(
        &self,
        change: unsafe extern "C" fn(*mut bindings::net_device, *const u8) -> c_int,
        mac: MacAddr,
    ) -> Result {
        if !self.is_ethernet() {
            return Err(EINVAL);
        }
        // SAFETY: The device is alive, and its addresses have six bytes, as this one. The lock of its
        // lists, which is taken inside, is not held where there is an `Rtnl`.
        to_result(unsafe { change(self.as_ptr(), mac.octets().as_ptr()) })
    }
}

/// Evidence that the lock of a device's address lists is held.
///
/// # Invariants
///
/// The lock is held for all of `'a`.
pub struct AddrLists<'a>(&'a NetDevice);

impl<'a> AddrLists<'a> {
    /// States that the lock of the lists of `dev` is held.
    ///
    /// # Safety
    ///
    /// The lock must be held for all of `'a`.
    pub(crate) unsafe fn assume_locked(dev: &'a NetDevice) -> Self {
        // INVARIANT: By the safety requirement.
        Self(dev)
    }

    /// Adds to `port` the unicast and multicast addresses that the device wants and the port does not
    /// have from it yet, and removes those that are not wanted any more.
    pub fn sync_to(&self, port: &NetDevice) {
        // SAFETY: Both devices are alive, and the lock of the upper one's lists is held, by the type
        // invariant. If there is no memory for an address, the port does not receive it.
        unsafe { bindings::dev_uc_sync_multiple(port.as_ptr(), self.0.as_ptr()) };
        // SAFETY: Both devices are alive, and the lock of the upper one's lists is held, by the type
        // invariant.
        unsafe { bindings::dev_mc_sync_multiple(port.as_ptr(), self.0.as_ptr()) };
    }
}

impl<T> Device<T> {
    /// Gives `port` the addresses that this device wants to receive.
    pub fn sync_addresses(&self, port: &NetDevice, _rtnl: &Rtnl) {
        // SAFETY: The device is alive.
        unsafe { helpers::netif_addr_lock_bh(self.as_ptr()) };
        // SAFETY: Just locked.
        unsafe { AddrLists::assume_locked(self) }.sync_to(port);
        // SAFETY: The lock of the lists was taken by this function.
        unsafe { helpers::netif_addr_unlock_bh(self.as_ptr()) };
    }

    /// Removes from `port` the addresses it has from this device.
    pub fn unsync_addresses(&self, port: &NetDevice, _rtnl: &Rtnl) {
        // SAFETY: Both devices are alive. The locks of both lists are taken inside.
        unsafe { bindings::dev_uc_unsync(port.as_ptr(), self.as_ptr()) };
        // SAFETY: Both devices are alive. The locks of both lists are taken inside.
        unsafe { bindings::dev_mc_unsync(port.as_ptr(), self.as_ptr()) };
    }
}
