// SPDX-License-Identifier: GPL-2.0

//! Which devices join a trunk by themselves when they appear.

/// The bytes of the longest name of a device, an alternative one, with a NUL.
pub const NAME_SIZE: usize = 128;

/// A text of less than `N` bytes, none of them NUL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Text<const N: usize>([u8; N]);

impl<const N: usize> Text<N> {
    /// No text.
    pub const EMPTY: Self = Self([0; N]);

    /// Makes a text of these bytes. Returns `None` if they are too many, or if there are spaces or
    /// control characters among them, which neither a name nor a line with a name should have.
    pub fn new(octets: &[u8]) -> Option<Self> {
        let mut text = [0; N];
        let graphic = |octet: &u8| *octet > b' ' && *octet != 0x7f;
        if octets.len() >= N || !octets.iter().all(graphic) {
            return None;
        }
        for (room, octet) in text.iter_mut().zip(octets) {
            *room = *octet;
        }
        Some(Self(text))
    }

    /// Returns its bytes.
    pub fn octets(&self) -> &[u8] {
        self.0.split(|octet| *octet == 0).next().unwrap_or(&[])
    }

    /// Returns its bytes, and a NUL.
    pub fn with_nul(&self) -> &[u8] {
        let len = self.octets().len();
        self.0.get(..=len).unwrap_or(&[])
    }

    /// Returns whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.octets().is_empty()
    }

    /// Returns whether there is no text, or `other` is the same.
    fn asks_for(&self, other: Option<&[u8]>) -> bool {
        self.is_empty() || other == Some(self.octets())
    }
}

/// The first bytes of MAC addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prefix {
    octets: [u8; 6],
    len: u8,
}

impl Prefix {
    /// Any address.
    pub const EMPTY: Self = Self {
        octets: [0; 6],
        len: 0,
    };

    /// Makes a prefix of these bytes. Returns `None` if there are more than an address has.
    pub fn new(octets: &[u8]) -> Option<Self> {
        let mut prefix = Self::EMPTY;
        if octets.len() > prefix.octets.len() {
            return None;
        }
        for (room, octet) in prefix.octets.iter_mut().zip(octets) {
            *room = *octet;
        }
        prefix.len = octets.len() as u8;
        Some(prefix)
    }

    /// Returns its bytes.
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// Returns whether it is empty, or `address` begins with it.
    fn asks_for(&self, address: Option<[u8; 6]>) -> bool {
        self.len == 0 || address.is_some_and(|address| address.starts_with(self.octets()))
    }
}

/// What a device must be like to join. All conditions must be met. An empty one is no condition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// A pattern for one of its names: `*` stands for any bytes, `?` for any one byte.
    pub name: Text<NAME_SIZE>,
    /// The driver of its parent.
    pub driver: Text<32>,
    /// The bus of its parent.
    pub bus: Text<32>,
    /// The first bytes of its permanent MAC address.
    pub address: Prefix,
    /// The priority that it gets as a port.
    pub priority: u16,
}

/// A port that a trunk is to have, and whose device is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MissingPort {
    /// One of the names that its device will have.
    pub name: Text<NAME_SIZE>,
    /// The priority that it gets.
    pub priority: u16,
    /// The weight that it gets; 0 is by speed.
    pub weight: u16,
    /// Whether it may be used then.
    pub enabled: bool,
}

/// A device as a rule sees it. `None` is what it does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate<'a> {
    /// The driver of its parent.
    pub driver: Option<&'a [u8]>,
    /// The bus of its parent.
    pub bus: Option<&'a [u8]>,
    /// Its permanent MAC address.
    pub address: Option<[u8; 6]>,
}

impl Rule {
    /// No condition.
    pub const EMPTY: Self = Self {
        name: Text::EMPTY,
        driver: Text::EMPTY,
        bus: Text::EMPTY,
        address: Prefix::EMPTY,
        priority: 1,
    };

    /// Returns whether there is no condition.
    pub fn is_empty(&self) -> bool {
        let Self {
            name,
            driver,
            bus,
            address,
            priority: _,
        } = self;
        name.is_empty() && driver.is_empty() && bus.is_empty() && address.len == 0
    }

    /// Returns whether that device, which has these names, meets all conditions. Without a
    /// condition, none does.
    pub fn matches<'a>(
        &self,
        device: &Candidate<'_>,
        mut names: impl Iterator<Item = &'a [u8]>,
    ) -> bool {
        !self.is_empty()
            && (self.name.is_empty() || names.any(|name| fits(self.name.octets(), name)))
            && self.driver.asks_for(device.driver)
            && self.bus.asks_for(device.bus)
            && self.address.asks_for(device.address)
    }
}

/// Returns whether `name` fits `pattern`, in which `*` stands for any bytes and `?` for any one
/// byte.
///
/// A star takes as few bytes as possible. If the rest does not fit, the last star takes one byte
/// more. What the stars before it have taken does not matter to the rest. So no byte of the name is
/// compared more often than the pattern is long.
fn fits(mut pattern: &[u8], mut name: &[u8]) -> bool {
    // What follows the last star, and the part of the name that was compared with it.
    let mut again: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern, name) {
            ([b'*', rest @ ..], _) => {
                pattern = rest;
                again = Some((rest, name));
            }
            ([wanted, after @ ..], [octet, tail @ ..]) if *wanted == b'?' || wanted == octet => {
                (pattern, name) = (after, tail);
            }
            ([], []) => return true,
            _ => {
                let Some((after, [_, tail @ ..])) = again else {
                    return false;
                };
                (pattern, name) = (after, tail);
                again = Some((after, tail));
            }
        }
    }
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_join))]
mod tests {
    use super::*;

    const NAMES: [&[u8]; 2] = [b"eno1", b"enp3s0"];

    const NIC: Candidate<'_> = Candidate {
        driver: Some(b"ixgbe"),
        bus: Some(b"pci"),
        address: Some([0x52, 0x54, 0, 1, 2, 3]),
    };

    fn text<const N: usize>(octets: &[u8]) -> Text<N> {
        Text::new(octets).unwrap_or(Text::EMPTY)
    }

    fn address(octets: &[u8]) -> Prefix {
        Prefix::new(octets).unwrap_or(Prefix::EMPTY)
    }

    #[test]
    fn names_fit_patterns() {
        for (pattern, name, fit) in [
            ("eth0", "eth0", true),
            ("eth0", "eth1", false),
            ("eth0", "eth", false),
            ("eth", "eth0", false),
            ("eth?", "eth0", true),
            ("eth?", "eth", false),
            ("eth?", "eth10", false),
            ("e?h*", "eth10", true),
            ("*", "eth0", true),
            ("*", "", true),
            ("**", "eth0", true),
            ("*0", "eth00", true),
            ("*0", "eth01", false),
            ("e*p*s0", "enp3s0", true),
            ("e*p*s0", "enp3s0np0", false),
            ("e*p*s0*", "enp3s0np0", true),
            ("*a*b", "aabab", true),
            ("*a?b", "aabab", false),
            ("?*?", "a", false),
            ("?*?", "ab", true),
            ("*?*", "", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), fit);
        }
    }

    #[test]
    fn every_condition_has_to_hold() {
        let rules = [
            Rule {
                name: text(b"enp*"),
                ..Rule::EMPTY
            },
            Rule {
                driver: text(b"ixgbe"),
                ..Rule::EMPTY
            },
            Rule {
                bus: text(b"pci"),
                ..Rule::EMPTY
            },
            Rule {
                address: address(&[0x52, 0x54]),
                ..Rule::EMPTY
            },
        ];
        let others = [
            NIC, // of another name
            Candidate {
                driver: Some(b"ixgbevf"),
                ..NIC
            },
            Candidate {
                bus: Some(b"pcie"),
                ..NIC
            },
            Candidate {
                address: Some([0x52, 0x55, 0, 1, 2, 3]),
                ..NIC
            },
        ];
        let names = |other| NAMES.into_iter().take(if other { 1 } else { 2 });
        let without = Candidate {
            driver: None,
            bus: None,
            address: None,
        };
        for (at, rule) in rules.iter().enumerate() {
            assert!(!rule.is_empty());
            assert!(rule.matches(&NIC, names(false)));
            assert_eq!(rule.matches(&without, names(false)), at == 0);
            for (of, other) in others.iter().enumerate() {
                assert_eq!(rule.matches(other, names(of == 0)), at != of);
            }
        }
        let [name, driver, bus, address] = rules;
        let all = Rule {
            name: name.name,
            driver: driver.driver,
            bus: bus.bus,
            address: address.address,
            priority: 2,
        };
        assert!(all.matches(&NIC, names(false)));
        for (of, other) in others.iter().enumerate() {
            assert!(!all.matches(other, names(of == 0)));
        }
        assert!(!Rule::EMPTY.matches(&NIC, names(false)) && Rule::EMPTY.is_empty());
    }

    #[test]
    fn texts_are_kept_whole_or_not_at_all() {
        let longest: Text<16> = text(b"fifteen-octets.");
        assert_eq!(longest.octets().len(), 15);
        assert_eq!(longest.with_nul(), b"fifteen-octets.\0");
        assert_eq!(text::<16>(b"a").with_nul(), b"a\0");
        for bad in [&b"sixteen-octets.."[..], b"a b", b"a\0", b"a\n", b"\x7f"] {
            assert!(Text::<16>::new(bad).is_none());
        }
        assert!(Text::<16>::new(b"").is_some_and(|text| text.is_empty()));
        assert!(Prefix::new(&[0; 7]).is_none());
        assert_eq!(address(&[1, 2, 3, 4, 5, 6]).octets(), [1, 2, 3, 4, 5, 6]);
        // Zeroes are bytes as any.
        assert_eq!(address(&[0]).octets(), [0]);
    }
}
