// SPDX-License-Identifier: GPL-2.0

//! Which devices join by themselves, against a model that tries all there is to try.

use proptest::prelude::*;
use trunk_core::join::{Candidate, Prefix, Rule, Text};

/// Does `name` fit `pattern`? By the meaning of the signs, whatever it costs.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match pattern {
        [] => name.is_empty(),
        [b'*', rest @ ..] => (0..=name.len()).any(|taken| fits(rest, &name[taken..])),
        [b'?', rest @ ..] => !name.is_empty() && fits(rest, &name[1..]),
        [octet, rest @ ..] => name.first() == Some(octet) && fits(rest, &name[1..]),
    }
}

/// Few letters, so that they fit often.
fn octets(signs: &'static [u8], most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(signs), 0..=most)
}

fn rule_of(name: &[u8], driver: &[u8], bus: &[u8], address: &[u8]) -> Rule {
    Rule {
        name: Text::new(name).unwrap(),
        driver: Text::new(driver).unwrap(),
        bus: Text::new(bus).unwrap(),
        address: Prefix::new(address).unwrap(),
        priority: 1,
    }
}

const NOTHING: Candidate<'_> = Candidate {
    driver: None,
    bus: None,
    address: None,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn names_fit_as_in_the_model(
        pattern in octets(b"ab*?", 15),
        names in prop::collection::vec(octets(b"ab", 15), 1..4),
    ) {
        let rule = rule_of(&pattern, b"", b"", b"");
        let want = !pattern.is_empty() && names.iter().any(|name| fits(&pattern, name));
        prop_assert_eq!(rule.matches(&NOTHING, names.iter().map(Vec::as_slice)), want);
    }

    #[test]
    fn all_that_is_asked_for_has_to_hold(
        name in octets(b"a*", 2),
        [driver, bus] in [octets(b"xy", 1), octets(b"xy", 1)],
        address in octets(&[0, 1], 6),
        has_name in octets(b"ab", 2),
        [has_driver, has_bus] in [prop::option::of(octets(b"xy", 1)), prop::option::of(octets(b"xy", 1))],
        has_address in prop::option::of(prop::array::uniform6(0..2u8)),
    ) {
        let rule = rule_of(&name, &driver, &bus, &address);
        let device = Candidate {
            driver: has_driver.as_deref(),
            bus: has_bus.as_deref(),
            address: has_address,
        };
        let asked = |want: &[u8], has: &Option<Vec<u8>>| want.is_empty() || has.as_deref() == Some(want);
        let conditions = [
            name.is_empty() || fits(&name, &has_name),
            asked(&driver, &has_driver),
            asked(&bus, &has_bus),
            address.is_empty() || has_address.is_some_and(|has| has[..address.len()] == address),
        ];
        let none = [&name, &driver, &bus, &address].iter().all(|want| want.is_empty());
        prop_assert_eq!(rule.is_empty(), none);
        prop_assert_eq!(rule.matches(&device, [&has_name[..]].into_iter()), !none && conditions.iter().all(|held| *held));
    }

    #[test]
    fn texts_come_back_as_they_were(octets in prop::collection::vec(any::<u8>(), 0..40)) {
        let graphic = octets.iter().all(|octet| *octet > 32 && *octet != 127);
        let text = Text::<32>::new(&octets);
        prop_assert_eq!(text.is_some(), graphic && octets.len() < 32);
        if let Some(text) = text {
            prop_assert_eq!(text.octets(), &octets[..]);
            prop_assert_eq!(text.with_nul().split_last(), Some((&0, &octets[..])));
        }
    }
}
