// SPDX-License-Identifier: GPL-2.0

//! What ethtool shows of a device.
//!
//! C header: [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)

/// What a device reports of its link.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkSettings {
    /// The speed in Mbit/s, if known.
    pub speed: Option<u32>,
    /// Whether it sends and receives at the same time, if known.
    pub full_duplex: Option<bool>,
}
