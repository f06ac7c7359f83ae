// SPDX-License-Identifier: GPL-2.0

//! Vectors in which each number names an item.

use core::ops::Deref;
use kernel::prelude::*;

/// A vector of 2^n items. The low n bits of any number name one of them, so a look-up needs no check.
///
/// # Invariants
///
/// `mask` is less than the number of items, by 1.
pub struct PowerOfTwo<T> {
    items: KVVec<T>,
    mask: usize,
}

impl<T> PowerOfTwo<T> {
    /// Allocates 2^`bits` items, on the account of the caller's memory cgroup.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there can be no such number, `ENOMEM`.
    pub fn new(bits: u32, item: impl Fn() -> T) -> Result<Self> {
        let len = 1usize.checked_shl(bits).ok_or(EINVAL)?;
        let mut items = KVVec::with_capacity(len, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..len {
            items.push(item(), GFP_KERNEL_ACCOUNT)?;
        }
        // INVARIANT: There are `len` items.
        Ok(Self {
            items,
            mask: len.wrapping_sub(1),
        })
    }

    /// Returns the index of the item that `number` names.
    #[inline(always)]
    pub fn index(&self, number: usize) -> usize {
        number & self.mask
    }

    /// Returns the item that `number` names.
    #[inline(always)]
    pub fn at(&self, number: usize) -> &T {
        // SAFETY: By the type invariant, the index is at most that of the last item.
        unsafe { self.items.get_unchecked(self.index(number)) }
    }
}

impl<T> Deref for PowerOfTwo<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

#[kunit_tests(netdev_pow2)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_number_names_an_item_by_its_low_bits() -> Result {
        for bits in [0, 1, 5, 16] {
            let made = AtomicUsize::new(0);
            let items = PowerOfTwo::new(bits, || made.fetch_add(1, Ordering::Relaxed))?;
            let len = 1usize << bits;
            assert_eq!(items.len(), len);
            for number in [0, 1, 31, 32, 0xffff, 0x1_0000, 0xdead_beef, usize::MAX] {
                assert_eq!(items.index(number), number & (len - 1));
                assert_eq!(*items.at(number), number & (len - 1));
            }
        }
        assert!(PowerOfTwo::new(usize::BITS, || 0u8).is_err());
        Ok(())
    }
}
