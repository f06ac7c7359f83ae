// SPDX-License-Identifier: GPL-2.0

//! MAC addresses.
//!
//! C header: [`include/linux/etherdevice.h`](srctree/include/linux/etherdevice.h)

use core::fmt;
use kernel::prelude::*;

/// A 48-bit MAC address (EUI-48, IEEE 802-2014, 8.2), in the order of transmission.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct MacAddr([u8; 6]);

impl MacAddr {
    /// Makes an address of its six bytes.
    pub const fn new(octets: [u8; 6]) -> Self {
        Self(octets)
    }

    /// Returns the six bytes.
    #[inline(always)]
    pub const fn octets(&self) -> &[u8; 6] {
        &self.0
    }

    /// Returns the address as a number, to be read and written in one piece. Its bytes, in the order of
    /// transmission, are the lower six of the number in little-endian order; the upper two are zero.
    #[inline(always)]
    pub const fn to_u64(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }

    /// All bits of a number from [`MacAddr::to_u64`].
    pub const BITS: u64 = (1 << 48) - 1;

    /// Returns the address of a number from [`MacAddr::to_u64`].
    #[inline(always)]
    pub const fn from_u64(number: u64) -> Self {
        let [a, b, c, d, e, f, _, _] = number.to_le_bytes();
        Self([a, b, c, d, e, f])
    }

    /// Returns whether this is a group address (broadcast included).
    #[inline(always)]
    pub const fn is_multicast(&self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Returns whether this is the broadcast address.
    pub const fn is_broadcast(&self) -> bool {
        self.to_u64() == Self([0xff; 6]).to_u64()
    }

    /// Returns whether a station can have this address: it is neither a group address nor all zeroes.
    pub const fn is_valid_station(&self) -> bool {
        !self.is_multicast() && self.to_u64() != 0
    }

    /// Returns whether this is one of the sixteen addresses that no bridge forwards (IEEE 802.1Q-2018,
    /// table 8-1).
    #[inline(always)]
    pub const fn is_link_local(&self) -> bool {
        const MASK: u64 = MacAddr([0xff, 0xff, 0xff, 0xff, 0xff, 0xf0]).to_u64();
        const BLOCK: u64 = MacAddr([0x01, 0x80, 0xc2, 0x00, 0x00, 0x00]).to_u64();

        self.to_u64() & MASK == BLOCK
    }

    /// Returns whether this is the Bridge Group Address, to which bridges send what they build their
    /// spanning tree with: that of customer bridges or of provider bridges (IEEE 802.1Q-2018, table 8-1).
    pub const fn is_bridge_group(&self) -> bool {
        let [.., last] = self.0;
        self.is_link_local() && matches!(last, 0x00 | 0x08)
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[kunit_tests(netdev_addr)]
mod tests {
    use super::MacAddr;

    #[test]
    fn addresses_are_told_apart() {
        // Group, broadcast, link-local, of all bridges, fit for a station.
        for (octets, what) in [
            ([0x02, 0, 0, 0, 0, 0x01], "s"),
            ([0x00, 0, 0, 0, 0, 0x00], ""),
            ([0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "gb"),
            ([0x01, 0x00, 0x5e, 0, 0, 0x01], "g"),
            ([0x01, 0x80, 0xc2, 0, 0, 0x00], "glB"),
            ([0x01, 0x80, 0xc2, 0, 0, 0x08], "glB"),
            ([0x01, 0x80, 0xc2, 0, 0, 0x0e], "gl"),
            ([0x01, 0x80, 0xc2, 0, 0, 0x0f], "gl"),
            ([0x01, 0x80, 0xc2, 0, 0, 0x10], "g"),
            ([0x01, 0x80, 0xc2, 0, 1, 0x00], "g"),
            ([0x02, 0x80, 0xc2, 0, 0, 0x00], "s"),
        ] {
            let mac = MacAddr::new(octets);
            assert_eq!(mac.is_multicast(), what.contains('g'));
            assert_eq!(mac.is_broadcast(), what.contains('b'));
            assert_eq!(mac.is_link_local(), what.contains('l'));
            assert_eq!(mac.is_bridge_group(), what.contains('B'));
            assert_eq!(mac.is_valid_station(), what.contains('s'));
        }
    }

    #[test]
    fn numbers_are_equal_where_addresses_are() {
        let one = MacAddr::new([2, 0, 0, 0, 0, 1]);
        for at in 0..48u32 {
            let mut octets = *one.octets();
            for (octet, number) in octets.iter_mut().zip(0u32..) {
                if number == at / 8 {
                    *octet ^= 1u8 << (at % 8);
                }
            }
            assert!(MacAddr::new(octets).to_u64() != one.to_u64());
        }
    }
}
