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
    /// What an upper device may offer because its lower devices, or the core on their behalf, do it:
    /// checksums, scatter-gather, segmentation.
    pub const MASTER_UPPER: Self = Self(bindings::MASTER_UPPER_DEV_VLAN_FEATURES);
    /// Segmentation that the core can do in software.
    pub const GSO_SOFTWARE: Self = Self(bindings::NETIF_F_GSO_SOFTWARE);
    /// Segmentation of tunnelled frames.
    pub const GSO_ENCAP_ALL: Self = Self(bindings::NETIF_F_GSO_ENCAP_ALL);
}

impl BitOr for Features {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
