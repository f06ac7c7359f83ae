// SPDX-License-Identifier: GPL-2.0

//! What a device can do for the frames given to it.
//!
//! C header: [`include/linux/netdev_features.h`](srctree/include/linux/netdev_features.h)

use core::ops::BitOr;
use netdev_bindings as bindings;

/// A set of device features (`netdev_features_t`).
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Features(pub(crate) bindings::netdev_features_t);

impl Features {
    /// What an upper device may offer because its lower devices do it, or the core on their behalf:
    /// checksums, scatter-gather, segmentation. The merging of received frames (LRO) is not among them:
    /// merged frames cannot be forwarded.
    pub const MASTER_UPPER: Self =
        Self(bindings::MASTER_UPPER_DEV_VLAN_FEATURES & !bindings::NETIF_F_LRO);
    /// Segmentation of tunnelled frames.
    pub const GSO_ENCAP_ALL: Self = Self(bindings::NETIF_F_GSO_ENCAP_ALL);
    /// Receives only the VLANs that are added to it, with both kinds of tags. For a driver with
    /// [`Driver::add_vlan`](crate::driver::Driver::add_vlan) and
    /// [`Driver::remove_vlan`](crate::driver::Driver::remove_vlan).
    pub const VLAN_FILTER: Self =
        Self(bindings::NETIF_F_HW_VLAN_CTAG_FILTER | bindings::NETIF_F_HW_VLAN_STAG_FILTER);
    /// Inserts tags into frames, of both kinds.
    pub const VLAN_TX: Self =
        Self(bindings::NETIF_F_HW_VLAN_CTAG_TX | bindings::NETIF_F_HW_VLAN_STAG_TX);
}

impl BitOr for Features {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
