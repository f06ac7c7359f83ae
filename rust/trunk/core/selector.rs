// SPDX-License-Identifier: GPL-2.0

//! Makes a number from a frame. Its low bits name a bucket.

pub use super::uapi::Selector;

impl Selector {
    /// Returns the number whose low bits are the bucket: `index & (N - 1)`.
    ///
    /// By the MAC selectors it is the last four bytes of the address, which are a single load. The
    /// largest table needs only two of them. `flow` is called only by the selector that needs a
    /// hash. Returns `None` if there is no hash then.
    #[inline(always)]
    pub fn index(
        self,
        dst: &[u8; 6],
        src: &[u8; 6],
        flow: impl FnOnce() -> Option<u32>,
    ) -> Option<u32> {
        match self {
            Self::Dmac => Some(low(dst)),
            Self::Smac => Some(low(src)),
            Self::SmacDmac => Some(low(dst) ^ low(src)),
            Self::Flow => flow(),
        }
    }
}

/// Returns the low 32 bits of an address. Its last byte is the least significant.
#[inline(always)]
fn low(mac: &[u8; 6]) -> u32 {
    let [_, _, low @ ..] = *mac;
    u32::from_be_bytes(low)
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_selector))]
mod tests {
    use super::*;
    use ::core::cell::Cell;

    const DST: [u8; 6] = [0x02, 0, 0, 0xaa, 0x12, 0x34];
    const SRC: [u8; 6] = [0x02, 0, 0, 0xbb, 0x0f, 0xff];

    #[test]
    fn low_bits_of_the_address_pick_the_bucket() {
        for (selector, index) in [
            (Selector::Dmac, 0x00aa_1234),
            (Selector::Smac, 0x00bb_0fff),
            (Selector::SmacDmac, 0x0011_1dcb),
            (Selector::Flow, 0xdead_beef),
        ] {
            assert_eq!(
                selector.index(&DST, &SRC, || Some(0xdead_beef)),
                Some(index)
            );
        }
    }

    #[test]
    fn both_directions_of_a_pair_share_a_bucket() {
        let there = Selector::SmacDmac.index(&DST, &SRC, || None);
        let back = Selector::SmacDmac.index(&SRC, &DST, || None);
        assert_eq!(there, back);
        // What a server sends to a client and what its switch sends back: one and the same link.
        let server = Selector::Dmac.index(&DST, &SRC, || None);
        let switch = Selector::Smac.index(&SRC, &DST, || None);
        assert_eq!(server, switch);
    }

    #[test]
    fn only_flow_asks_for_a_hash() {
        for selector in Selector::ALL {
            let asked = Cell::new(false);
            let index = selector.index(&DST, &SRC, || {
                asked.set(true);
                None
            });
            assert_eq!(asked.get(), selector == Selector::Flow);
            assert_eq!(index.is_none(), asked.get());
        }
    }

    #[test]
    fn numbers_are_read_back() {
        for selector in Selector::ALL {
            assert_eq!(Selector::from_u32(selector as u32), Some(selector));
        }
        assert_eq!(Selector::from_u32(4), None);
    }
}
