// SPDX-License-Identifier: GPL-2.0

//! From which ports broadcast and multicast is accepted. Copies may come in on several ports.

use super::port::{
    PortId,
    PortSet,
    Ports, //
};
use super::uapi::RxGroup;

/// Returns the ports from which broadcast and multicast is accepted. `previous` are those of the
/// decision before.
///
/// By the rule [`RxGroup::All`] these are all ports. By the other rules it is one elected port, so
/// that one of several copies is taken. The elected port is the best of `previous`, as long as one
/// of these is usable, so that no frame is taken twice or missed without need. The best is a
/// working port before a spare, then by rank. By [`RxGroup::Auto`] all ports that lead to the same
/// trunk as the elected one are accepted too, since that trunk sends one copy, on any of its links.
/// `peer` returns the trunk that a port leads to, `None` if none is known. The set is empty if no
/// port is usable.
pub fn accept<P: PartialEq>(
    rule: RxGroup,
    ports: &Ports,
    peer: impl Fn(PortId) -> Option<P>,
    previous: PortSet,
) -> PortSet {
    if rule == RxGroup::All {
        return !PortSet::EMPTY;
    }
    let usable = ports.usable();
    let elected = ports.best(usable & previous).or_else(|| ports.best(usable));
    let Some(elected) = elected else {
        return PortSet::EMPTY;
    };
    let mut accepted = PortSet::EMPTY;
    if let Some(trunk) = peer(elected).filter(|_| rule == RxGroup::Auto) {
        let fellows = ports.iter().map(|(id, _)| id);
        accepted = fellows
            .filter(|id| peer(*id).as_ref() == Some(&trunk))
            .collect();
    }
    accepted.insert(elected);
    accepted
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_receive))]
mod tests {
    use super::super::testing::ports;
    use super::*;

    /// What is accepted from the ports of that line after `previous`. Each port's peer is a letter,
    /// or a `.` for none that is known.
    fn accepted(rule: RxGroup, line: &str, peers: &str, previous: u64) -> u64 {
        let peer = |id: PortId| peers.chars().nth(id.index()).filter(|peer| *peer != '.');
        accept(rule, &ports(line), peer, PortSet::from_bits(previous)).bits()
    }

    #[test]
    fn the_elected_port_stays_while_usable() {
        for (line, previous, elected) in [
            // First election: working ports before spares, by number.
            ("2a 1a 1a", 0, 0b010),
            ("2a 1s 1a", 0, 0b100),
            ("3a 1s 2a", 0, 0b100),
            // It stays, even against a better one.
            ("1a 1a 2a", 0b010, 0b010),
            ("1a 1a 2a", 0b100, 0b100),
            ("1ab 1a 2a", 0b001, 0b001),
            // It fails or leaves.
            ("1a 1s 2a", 0b010, 0b001),
            ("1a 1c 2a", 0b010, 0b001),
            ("1a - 2a", 0b010, 0b001),
            // The last resort.
            ("1s 1c 2c", 0, 0b010),
            ("1s 1c 2c", 0b100, 0b100),
            ("1s 1s 2s", 0b010, 0),
            ("- - -", 0, 0),
            // Of several, one remains.
            ("1a 1a 1a", 0b110, 0b010),
            ("1a 1a 1a", u64::MAX, 0b001),
        ] {
            assert_eq!(accepted(RxGroup::One, line, "AAA", previous), elected);
            assert_eq!(accepted(RxGroup::Auto, line, "...", previous), elected);
            assert_eq!(accepted(RxGroup::All, line, "ABA", previous), u64::MAX);
        }
    }

    #[test]
    fn all_ports_to_one_trunk_are_accepted() {
        for (line, peers, previous, expected) in [
            ("1a 1a 1a 2a", "AAAA", 0, 0b1111),
            ("1a 1a 1a 1a", "AABB", 0, 0b0011),
            ("1a 1a 1a 1a", "ABAB", 0, 0b0101),
            // The peer stays while one of its links is usable.
            ("1a 1a 1a 1a", "AABB", 0b1100, 0b1100),
            ("1a 1a 1a 1s", "AABB", 0b1100, 0b1100),
            ("1a 1a 1s 1s", "AABB", 0b1100, 0b0011),
            ("1a 1a 1s 1s", "AA..", 0b1100, 0b0011),
            ("1s 1s 1a 1a", "AABB", 0b0011, 0b1100),
            // From one port to all that lead where it does.
            ("1a 1a 1a 1a", "AABB", 0b1000, 0b1100),
            ("1a 1a 1a 1a", "AA.B", 0b0100, 0b0100),
            // A port of which nothing is known is not one of them, until it is.
            ("1a 1a 1a 1a", "A.BB", 0b0001, 0b0001),
            ("1a 1a 1a 1a", "AABB", 0b0001, 0b0011),
            // The peer may still use what this end has given up: it sends one copy all the same.
            ("1a 1s 2a -", "AAAA", 0b0001, 0b0111),
            // Another trunk at the other end of a cable.
            ("1a 1a 1a 1a", "CABB", 0b0011, 0b0001),
            ("1s 1s 1s 1s", "AABB", 0b0011, 0),
        ] {
            assert_eq!(accepted(RxGroup::Auto, line, peers, previous), expected);
        }
    }
}
