// SPDX-License-Identifier: GPL-2.0

//! VLANs: which of them a device has to receive.
//!
//! Hardware that filters by VLAN receives only the VLANs that were added to it. So a device that is
//! stacked on others adds to them what is added to it.
//!
//! C header: [`include/linux/if_vlan.h`](srctree/include/linux/if_vlan.h)

use crate::{
    device::{Device, NetDevice},
    rtnl::Rtnl, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};
use netdev_bindings::{self as bindings, helpers};

/// A VLAN, as the tags of its frames name it (IEEE 802.1Q-2018, 9.6).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Vlan {
    /// EtherType of the tag, in network order.
    proto: u16,
    /// 0 to 4095.
    id: u16,
}

impl Vlan {
    pub(crate) const fn from_raw(proto: bindings::__be16, id: u16) -> Self {
        Self { proto, id }
    }

    /// Returns the ID of a VLAN of customers, whose tags have EtherType 0x8100; `None` for a service VLAN.
    pub fn customer(self) -> Option<u16> {
        let is_customer = self.proto == (bindings::ETH_P_8021Q as u16).to_be();
        is_customer.then_some(self.id)
    }
}

impl NetDevice {
    /// Adds a user who wants the frames of `vlan`. Where the device does not filter by VLAN, this only
    /// counts the user.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and what its driver says against it.
    pub fn add_vlan(&self, vlan: Vlan, _rtnl: &Rtnl) -> Result {
        // SAFETY: The device is alive, and RTNL is held.
        to_result(unsafe { helpers::vlan_vid_add(self.as_ptr(), vlan.proto, vlan.id) })
    }

    /// Removes a user that [`NetDevice::add_vlan`] has added.
    pub fn remove_vlan(&self, vlan: Vlan, _rtnl: &Rtnl) {
        // SAFETY: The device is alive, and RTNL is held. For a VLAN without users, nothing happens.
        unsafe { helpers::vlan_vid_del(self.as_ptr(), vlan.proto, vlan.id) };
    }
}

impl<T> Device<T> {
    /// Adds to `port` all VLANs that this device has to receive.
    ///
    /// # Errors
    ///
    /// As [`NetDevice::add_vlan`]. Nothing is changed then.
    pub fn add_vlans_to(&self, port: &NetDevice, _rtnl: &Rtnl) -> Result {
        // SAFETY: Both devices are alive, and RTNL is held.
        to_result(unsafe { helpers::vlan_vids_add_by_dev(port.as_ptr(), self.as_ptr()) })
    }

    /// Undoes [`Device::add_vlans_to`], and what was added since.
    pub fn remove_vlans_from(&self, port: &NetDevice, _rtnl: &Rtnl) {
        // SAFETY: Both devices are alive, and RTNL is held.
        unsafe { helpers::vlan_vids_del_by_dev(port.as_ptr(), self.as_ptr()) };
    }
}
