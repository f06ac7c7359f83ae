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

    /// Is this the address of all stations?
    pub const fn is_broadcast(&self) -> bool {
        self.to_u64() == Self([0xff; 6]).to_u64()
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

#[kunit_tests(netdev_addr)]
mod tests {
    use super::MacAddr;

    #[test]
    fn addresses_are_told_apart() {
        // Address; group, broadcast, link-local, fit for a station.
        for (octets, group, broadcast, link_local, station) in [
            ([0x02, 0, 0, 0, 0, 0x01], false, false, false, true),
            ([0x00, 0, 0, 0, 0, 0x00], false, false, false, false),
            (
                [0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                true,
                true,
                false,
                false,
            ),
            ([0x01, 0x00, 0x5e, 0, 0, 0x01], true, false, false, false),
            ([0x01, 0x80, 0xc2, 0, 0, 0x00], true, false, true, false),
            ([0x01, 0x80, 0xc2, 0, 0, 0x0f], true, false, true, false),
            ([0x01, 0x80, 0xc2, 0, 0, 0x10], true, false, false, false),
            ([0x01, 0x80, 0xc2, 0, 1, 0x00], true, false, false, false),
        ] {
            let mac = MacAddr::new(octets);
            assert_eq!(mac.is_multicast(), group);
            assert_eq!(mac.is_broadcast(), broadcast);
            assert_eq!(mac.is_link_local(), link_local);
            assert_eq!(mac.is_valid_station(), station);
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
