// SPDX-License-Identifier: GPL-2.0

//! SipHash-2-4, a keyed hash of short messages: without the key it can neither be predicted nor
//! controlled.
//!
//! C header: [`include/linux/siphash.h`](srctree/include/linux/siphash.h)

use crate::random::random_u64;
use kernel::prelude::*;
use netdev_bindings::{self as bindings, helpers};

/// A key. It is wiped when it is dropped; moving it may leave copies.
pub struct Key([u64; 2]);

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: The key is valid for writes, and any bytes are one.
        unsafe { helpers::memzero_explicit((&raw mut self.0).cast(), size_of_val(&self.0)) };
    }
}

impl Key {
    /// Makes a random key.
    pub fn random() -> Self {
        Self([random_u64(), random_u64()])
    }

    /// Makes the key of these bytes, the same on machines of any byte order.
    pub const fn from_octets(octets: [u8; 16]) -> Self {
        let key = u128::from_le_bytes(octets);
        Self([key as u64, (key >> 64) as u64])
    }

    /// Returns the hash of `data`. In any context.
    pub fn hash(&self, data: &[u8]) -> u64 {
        let key = bindings::siphash_key_t { key: self.0 };
        // SAFETY: `data` has that many bytes; the key is read during the call only.
        unsafe { helpers::siphash(data.as_ptr().cast(), data.len(), &key) }
    }
}

#[kunit_tests(netdev_siphash)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_paper() -> Result {
        // "SipHash: a fast short-input PRF" (2012), appendix A; and of 0, 1, 7, 8 and 63 bytes,
        // from the authors' implementation.
        let vectors = [
            (0, 0x726f_db47_dd0e_0e31),
            (1, 0x74f8_39c5_93dc_67fd),
            (7, 0xab02_00f5_8b01_d137),
            (8, 0x93f5_f579_9a93_2462),
            (15, 0xa129_ca61_49be_45e5),
            (63, 0x958a_324c_eb06_4572),
        ];
        let mut octets = [0u8; 65];
        let mut key = [0u8; 16];
        for (octet, number) in key.iter_mut().zip(0u8..) {
            *octet = number;
        }
        let key = Key::from_octets(key);
        for (len, hash) in vectors {
            // Aligned or not.
            for start in [0, 1] {
                let data = octets.get_mut(start..).and_then(|data| data.get_mut(..len));
                let data = data.ok_or(EINVAL)?;
                for (octet, number) in data.iter_mut().zip(0u8..) {
                    *octet = number;
                }
                assert_eq!(key.hash(data), hash);
            }
        }
        Ok(())
    }

    #[test]
    fn keys_that_nobody_knows_differ() {
        let (one, other) = (Key::random(), Key::random());
        assert!(one.0 != other.0);
        assert!(one.hash(b"trunk") == one.hash(b"trunk"));
        assert!(one.hash(b"trunk") != other.hash(b"trunk"));
    }
}
