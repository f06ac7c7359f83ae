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
