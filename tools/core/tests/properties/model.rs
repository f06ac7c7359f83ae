// SPDX-License-Identifier: GPL-2.0

//! The rules once more, written as naively as can be, to hold the core against.

use std::collections::{BTreeMap, BTreeSet};
use trunk_core::port::*;

pub type Spares = BTreeMap<PortId, PortId>;

/// Ports that may carry frames.
pub fn usable(ports: &Ports) -> BTreeSet<PortId> {
    let act = |port: &PortView| port.state == LinkState::Act;
    let any_act = ports.iter().any(|(_, port)| act(port));
    ports
        .iter()
        .filter(|(_, port)| if any_act { act(port) } else { port.carrier })
        .map(|(id, _)| id)
        .collect()
}

fn is_home(ports: &Ports, id: PortId) -> bool {
    ports.get(id).is_some_and(|port| port.priority <= 1)
}

fn is_held_back(ports: &Ports, id: PortId) -> bool {
    ports
        .get(id)
        .is_some_and(|port| port.state == LinkState::Act && port.held_back)
}

/// Working ports that carry their own buckets.
pub fn in_service(ports: &Ports) -> BTreeSet<PortId> {
    let mut set = usable(ports);
    set.retain(|id| is_home(ports, *id) && !is_held_back(ports, *id));
    set
}

/// The stand-ins that follow from those there were.
pub fn stand_ins(before: &Spares, ports: &Ports) -> Spares {
    let usable = usable(ports);
    let mut after = before.clone();
    after.retain(|home, spare| {
        let away = is_home(ports, *home) && (!usable.contains(home) || is_held_back(ports, *home));
        let held = ports.get(*spare).is_some_and(|port| port.held);
        away && usable.contains(spare) && !is_home(ports, *spare) && !held
    });
    for (home, port) in ports.iter() {
        if port.priority > 1 || usable.contains(&home) || after.contains_key(&home) {
            continue;
        }
        let mut free: Vec<(u16, PortId)> = ports
            .iter()
            .filter(|(id, port)| port.priority > 1 && !port.held && usable.contains(id))
            .filter(|(id, _)| !after.values().any(|spare| spare == id))
            .map(|(id, port)| (port.priority, id))
            .collect();
        free.sort();
        if let Some((_, spare)) = free.first() {
            after.insert(home, *spare);
        }
    }
    after
}

/// The ports over which the buckets of homes without a stand-in are spread.
pub fn targets(ports: &Ports, stand_ins: &Spares) -> BTreeSet<PortId> {
    let in_service = in_service(ports);
    if !in_service.is_empty() {
        return in_service;
    }
    if !stand_ins.is_empty() {
        return stand_ins.values().copied().collect();
    }
    let best = usable(ports).into_iter();
    let rank = |id: &PortId| (ports.get(*id).map(|port| port.priority), *id);
    best.min_by_key(rank).into_iter().collect()
}

/// What the rules say of one bucket.
#[derive(Debug, PartialEq)]
pub enum Due {
    /// This port carries it, or none does.
    Port(Option<PortId>),
    /// One of the targets, whichever.
    Any,
}

/// Which port is due to carry a bucket of that home that `now` carries.
pub fn due(ports: &Ports, stand_ins: &Spares, home: Option<PortId>, now: Option<PortId>) -> Due {
    let targets = targets(ports, stand_ins);
    let stays = now.filter(|id| targets.contains(id));
    if let Some(home) = home.filter(|id| is_home(ports, *id)) {
        if in_service(ports).contains(&home) {
            return Due::Port(Some(home));
        }
        if let Some(spare) = stand_ins.get(&home) {
            return Due::Port(Some(*spare));
        }
        if usable(ports).contains(&home) {
            return Due::Port(stays.or(Some(home)));
        }
    }
    if targets.is_empty() {
        return Due::Port(None);
    }
    stays.map_or(Due::Any, |id| Due::Port(Some(id)))
}
