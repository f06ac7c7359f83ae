// SPDX-License-Identifier: GPL-2.0

//! From which port broadcast and multicast is accepted, where it comes in on all of them.

use super::port::{
    PortId,
    Ports, //
};

/// The one port whose broadcast and multicast frames are accepted.
///
/// It is `previous` as long as that is usable, so that no frame is taken twice or missed without
/// need; else the best usable port: a working port before a spare, then by number. `None` if no
/// port is usable.
pub fn elect(ports: &Ports, previous: Option<PortId>) -> Option<PortId> {
    let usable = ports.usable();
    previous
        .filter(|id| usable.contains(*id))
        .or_else(|| ports.best(usable))
}

#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
#[cfg_attr(not(test), ::kernel::macros::kunit_tests(trunk_receive))]
mod tests {
    use super::super::testing::{
        id,
        ports, //
    };
    use super::*;

    #[test]
    fn the_elected_port_stays_while_usable() {
        for (line, previous, elected) in [
            // First election: working ports before spares, by number.
            ("2a 1a 1a", -1, 1),
            ("2a 1s 1a", -1, 2),
            ("3a 1s 2a", -1, 2),
            // It stays, even against a better one.
            ("1a 1a 2a", 1, 1),
            ("1a 1a 2a", 2, 2),
            ("1ab 1a 2a", 0, 0),
            // It fails or leaves.
            ("1a 1s 2a", 1, 0),
            ("1a 1c 2a", 1, 0),
            ("1a - 2a", 1, 0),
            // The last resort.
            ("1s 1c 2c", -1, 1),
            ("1s 1c 2c", 2, 2),
            ("1s 1s 2s", 1, -1),
            ("- - -", -1, -1),
        ] {
            assert_eq!(elect(&ports(line), id(previous)), id(elected));
        }
    }
}
