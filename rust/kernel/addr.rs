// SPDX-License-Identifier: GPL-2.0

//! MAC addresses.
//!
//! C header: [`include/linux/etherdevice.h`](srctree/include/linux/etherdevice.h)

use core::fmt;

/// A 48-bit MAC address (EUI-48, IEEE 802-2014, 8.2), in the order of transmission.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct MacAddr([u8; 6]);

impl MacAddr {
    /// The address with these six octets.
    pub const fn new(octets: [u8; 6]) -> Self {
        Self(octets)
    }

    /// The six octets.
    #[inline(always)]
    pub const fn octets(&self) -> &[u8; 6] {
        &self.0
    }

    /// The address as a number, for a place where one must be read and written in one piece.
    #[inline(always)]
    pub const fn to_u64(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_le_bytes([0, 0, a, b, c, d, e, f])
    }

    /// Is this a group address (broadcast included)?
    #[inline(always)]
    pub const fn is_multicast(&self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Can a station have this address: neither a group address nor all zeroes?
    pub const fn is_valid_station(&self) -> bool {
        !self.is_multicast() && self.to_u64() != 0
    }

    /// Is this one of the sixteen addresses that no bridge forwards (IEEE 802.1Q-2018, table 8-1)?
    #[inline(always)]
    pub const fn is_link_local(&self) -> bool {
        const MASK: u64 = MacAddr([0xff, 0xff, 0xff, 0xff, 0xff, 0xf0]).to_u64();
        const BLOCK: u64 = MacAddr([0x01, 0x80, 0xc2, 0x00, 0x00, 0x00]).to_u64();

        self.to_u64() & MASK == BLOCK
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}
