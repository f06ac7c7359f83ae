// SPDX-License-Identifier: GPL-2.0

//! What ethtool shows of a device.
//!
//! C header: [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)

/// What a device says of its link.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkSettings {
    /// In Mbit/s, if known.
    pub speed: Option<u32>,
    /// Does it send and receive at the same time? If known.
    pub full_duplex: Option<bool>,
}
