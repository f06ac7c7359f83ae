// SPDX-License-Identifier: GPL-2.0

//! From a frame to a number whose low bits name a bucket.

pub use super::uapi::Selector;

impl Selector {
    /// The selector of that name, `None` if there is none.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == name)
    }

    /// The number whose low bits are the bucket: `index & (N - 1)`.
    ///
    /// For the MAC selectors it is the last two bytes of the address, which is as many bits as the
    /// largest table has. `flow` is called only if its hash is asked for.
    #[inline(always)]
    pub fn index(self, dst: &[u8; 6], src: &[u8; 6], flow: impl FnOnce() -> u32) -> u32 {
        match self {
            Self::Dmac => low(dst),
            Self::Smac => low(src),
            Self::SmacDmac => low(dst) ^ low(src),
            Self::Flow => flow(),
        }
    }
}

/// The low 16 bits of an address; its last byte is the least significant.
#[inline(always)]
fn low(mac: &[u8; 6]) -> u32 {
    let [.., high, low] = *mac;
    u32::from(u16::from_be_bytes([high, low]))
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
            (Selector::Dmac, 0x1234),
            (Selector::Smac, 0x0fff),
            (Selector::SmacDmac, 0x1dcb),
            (Selector::Flow, 0xdead_beef),
        ] {
            assert_eq!(selector.index(&DST, &SRC, || 0xdead_beef), index);
        }
    }

    #[test]
    fn both_directions_of_a_pair_share_a_bucket() {
        let there = Selector::SmacDmac.index(&DST, &SRC, || 0);
        let back = Selector::SmacDmac.index(&SRC, &DST, || 0);
        assert_eq!(there, back);
        // What a server sends to a client and what its switch sends back: one and the same link.
        let server = Selector::Dmac.index(&DST, &SRC, || 0);
        let switch = Selector::Smac.index(&SRC, &DST, || 0);
        assert_eq!(server, switch);
    }

    #[test]
    fn only_flow_asks_for_a_hash() {
        for selector in Selector::ALL {
            let asked = Cell::new(false);
            selector.index(&DST, &SRC, || {
                asked.set(true);
                0
            });
            assert_eq!(asked.get(), selector == Selector::Flow);
        }
    }

    #[test]
    fn names_and_numbers_are_read_back() {
        for selector in Selector::ALL {
            assert_eq!(Selector::from_u32(selector as u32), Some(selector));
            assert_eq!(Selector::parse(selector.as_str()), Some(selector));
        }
        assert_eq!(Selector::from_u32(4), None);
        assert_eq!(Selector::parse("DMAC"), None);
        assert_eq!(Selector::parse(""), None);
    }
}
