// SPDX-License-Identifier: GPL-2.0

//! Ports: their settings and state, shown and changed, and the request to give buckets back to
//! them.

use super::{
    dump::{
        self,
        each_trunk, //
    },
    put_ifindex,
    reply,
    request::{
        device,
        not_a_port,
        number,
        only,
        port_nest,
        port_to_set,
        small_number,
        trunk_to_set, //
    }, //
};
use crate::{
    pure::{
        health::{
            Link,
            Peer,
            RoundTrip, //
        },
        history::Reason,
        port::{
            to_slot,
            PortId,
            PortSet,
            PortView, //
        },
        state::{
            Input,
            PortSettings, //
        },
        table::Bucket,
        uapi::{
            attr,
            peer,
            port, //
        },
    },
    switch::step_later,
    trunk::{
        Port,
        Trunk, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        rcu, //
    }, //
};
use netdev::{
    device::{
        Device,
        NetDevice, //
    },
    genl::{
        Dump,
        Message,
        Request, //
    },
    rcu::Rcu,
    rtnl::{
        self,
        Rtnl, //
    }, //
};

pub(super) fn get(request: &mut Request<'_>) -> Result {
    let (attributes, net) = (request.attributes(), request.net());
    let extack = request.extack();
    let (_, attr) = port_nest(attributes, extack)?;
    let (trunk, id): (ARef<Device<Trunk>>, PortId) = {
        let guard = rcu::read_lock();
        let rcu: &Rcu = (&guard).into();
        let find = |ifindex| NetDevice::by_index_rcu(net, ifindex, rcu);
        let dev = device("port.ifindex", attr, extack, find)?;
        let found = dev
            .master_rcu(rcu)
            .and_then(Device::<Trunk>::from_netdev)
            .and_then(|trunk| {
                let mut ports = trunk.data().get_ref().ports(rcu);
                Some((trunk.into(), ports.find(|port| port.dev.is(dev))?.id))
            });
        found.ok_or_else(|| not_a_port(dev, attr, extack))?
    };
    reply(request, &trunk, |message, rcu| {
        let port = trunk.data().get_ref().port(id, rcu).ok_or(ENODEV)?;
        // Another may have got the number meanwhile.
        if Some(port.dev.ifindex()) != attr.to_u32() {
            return Err(ENODEV);
        }
        put(message, port, rcu)
    })
}

/// Calls `one` for each port from number `within` on. `ENODEV` says that the port is gone.
pub(super) fn each_port(
    within: &mut u64,
    trunk: &Trunk,
    rcu: &Rcu,
    mut one: impl FnMut(&Port) -> Result,
) -> Result {
    for port in trunk.ports(rcu) {
        let id = port.id.index() as u64;
        if id >= *within {
            match one(port) {
                Err(err) if err != ENODEV => return Err(err),
                _ => {}
            }
            *within = id.wrapping_add(1);
        }
    }
    Ok(())
}

pub(super) fn dump(dump: &mut Dump<'_>) -> Result {
    each_trunk(dump, true, |dump, within, dev, rcu| {
        each_port(within, dev.data().get_ref(), rcu, |port| {
            dump::message(dump, dev, |message| put(message, port, rcu))
        })
    })
}

pub(super) fn set(request: &mut Request<'_>) -> Result {
    const SETTABLE: [u16; 4] = [port::IFINDEX, port::PRIORITY, port::WEIGHT, port::ENABLED];

    let guard = rtnl::lock();
    let rtnl: &Rtnl = &guard;
    let (dev, port, asked) = port_to_set(request, rtnl)?;
    only(&SETTABLE, asked, &port::NAMES, "port", request.extack())?;
    let settings = PortSettings {
        priority: small_number(asked, port::PRIORITY),
        weight: small_number(asked, port::WEIGHT),
        enabled: number(asked, port::ENABLED).map(|number| number != 0),
    };
    let speed = port.dev.link_speed(rtnl).map(|(speed, _)| speed);
    let input = Input::Port(port.id, settings, speed);
    step_later(dev, input, (&rcu::read_lock()).into());
    Ok(())
}

pub(super) fn failback(request: &mut Request<'_>) -> Result {
    const SETTABLE: [u16; 1] = [port::IFINDEX];

    let guard = rtnl::lock();
    let rtnl: &Rtnl = &guard;
    let attributes = request.attributes();
    let (dev, ports) = if attributes.get(attr::PORT).is_some() {
        let (dev, port, asked) = port_to_set(request, rtnl)?;
        only(&SETTABLE, asked, &port::NAMES, "port", request.extack())?;
        if let Some(attr) = attributes.get(attr::IFINDEX) {
            if !trunk_to_set(request, rtnl)?.is(dev) {
                return Err(request.extack().refuse_fmt(
                    EINVAL,
                    Some(attr),
                    fmt!("ifindex: the port is one of {}", dev.name(rtnl)),
                ));
            }
        }
        (dev, [port.id].into_iter().collect())
    } else {
        (
            trunk_to_set(request, rtnl)?,
            PortId::all().collect::<PortSet>(),
        )
    };
    step_later(dev, Input::Release(ports), (&rcu::read_lock()).into());
    Ok(())
}

/// Adds a port's settings and state. `ENODEV` for one that is just joining or leaving.
pub(super) fn put(message: &mut Message<'_>, port: &Port, rcu: &Rcu) -> Result {
    let trunk = port.trunk.data().get_ref();
    let table = trunk.table.get(rcu);
    let state = State::of(trunk, port.id).ok_or(ENODEV)?;
    // Decisions are not kept waiting for this.
    let count = |test: &dyn Fn(&Bucket) -> bool| {
        let buckets = table.buckets().iter().filter(|bucket| test(bucket));
        buckets.fold(0u32, |sum, _| sum.saturating_add(1))
    };
    let slot = to_slot(Some(port.id));

    message.nest(attr::PORT, |message| {
        put_identity(message, port)?;
        message.put_u32(port::ID, port.id.index() as u32)?;
        message.put_u32(port::PRIORITY, state.view.priority.into())?;
        message.put_u32(port::WEIGHT, state.weight.into())?;
        message.put_u32(port::SHARE, state.view.weight.into())?;
        message.put_u32(port::ENABLED, state.enabled.into())?;
        message.put_u32(port::STATE, state.view.state as u32)?;
        message.put_u32(port::REASON, state.reason as u32)?;
        message.put_uint(port::SINCE, state.since)?;
        message.put_u32(port::HOMES, count(&|bucket| bucket.home() == slot))?;
        message.put_u32(port::BUCKETS, count(&|bucket| bucket.slot() == slot))?;
        put_ifindex(
            message,
            port::STANDS_IN_FOR,
            trunk,
            state.stands_in_for,
            rcu,
        )?;
        put_ifindex(message, port::STAND_IN, trunk, state.stand_in, rcu)?;
        if state.view.is_held_back() {
            message.put_flag(port::HELD_BACK)?;
        }
        if state.in_use {
            message.put_flag(port::IN_USE)?;
        }
        message.put_u32(port::CLAIMS, state.claims)?;
        put_tested(message, &state.link)
    })
}

/// Adds which port it is.
pub(super) fn put_identity(message: &mut Message<'_>, port: &Port) -> Result {
    message.put_u32(port::IFINDEX, port.dev.ifindex())?;
    message.put_str(port::IFNAME, &port.dev.current_name())
}

/// What is known of a port.
struct State {
    view: PortView,
    /// As set by the user; 0 is by speed.
    weight: u16,
    enabled: bool,
    /// Why it is not usable as of now.
    reason: Reason,
    /// When it became what it is, in ns.
    since: u64,
    stands_in_for: Option<PortId>,
    stand_in: Option<PortId>,
    /// It serves buckets or claims, and so many of these.
    in_use: bool,
    claims: u32,
    link: Tested,
}

impl State {
    /// Returns what is known of the port of that number, if the trunk has it.
    fn of(trunk: &Trunk, id: PortId) -> Option<Self> {
        let state = trunk.state.lock();
        let port = state.port(id)?;
        let claims = state.claims().iter();
        let claims = claims.filter(|claim| claim.link == Some(id));
        Some(Self {
            view: *state.ports().get(id)?,
            weight: port.weight,
            enabled: port.is_enabled(),
            reason: port.why(),
            since: port.since,
            stands_in_for: state.stand_ins().home_of(id),
            stand_in: state.stand_ins().of(id),
            in_use: state.view().in_use.contains(id),
            claims: claims.fold(0, |sum: u32, _| sum.saturating_add(1)),
            link: Tested::of(&port.link),
        })
    }
}

/// What is known of a link from probes.
struct Tested {
    probed: bool,
    peer: Option<Peer>,
    trip: Option<RoundTrip>,
    late: Option<u64>,
    rounds: u64,
    missed: u64,
}

impl Tested {
    fn of(link: &Link) -> Self {
        Self {
            probed: link.is_probed(),
            peer: link.peer,
            trip: link.round_trip,
            late: link.late,
            rounds: link.counts.rounds,
            missed: link.counts.missed,
        }
    }
}

fn put_tested(message: &mut Message<'_>, link: &Tested) -> Result {
    if link.probed {
        message.put_flag(port::PROBED)?;
    }
    if let Some(peer) = &link.peer {
        message.nest(port::PEER, |message| put_peer(message, peer))?;
    }
    message.put_uint(port::ROUNDS, link.rounds)?;
    message.put_uint(port::ROUNDS_MISSED, link.missed)?;
    if let Some(trip) = link.trip {
        message.put_uint(port::ROUND_TRIP_LAST, trip.last)?;
        message.put_uint(port::ROUND_TRIP_MIN, trip.min)?;
        message.put_uint(port::ROUND_TRIP_AVG, trip.avg)?;
    }
    match link.late {
        Some(late) => message.put_uint(port::ROUND_TRIP_LATE, late),
        None => Ok(()),
    }
}

fn put_peer(message: &mut Message<'_>, peer: &Peer) -> Result {
    message.put_uint(peer::SYSTEM, peer.identity.system)?;
    message.put_u32(peer::TRUNK, peer.identity.trunk)?;
    message.put_u32(peer::PORT, peer.port.into())?;
    message.put_u32(peer::PRIORITY, peer.priority.into())?;
    if peer.usable {
        message.put_flag(peer::USABLE)?;
    }
    if peer.in_use {
        message.put_flag(peer::IN_USE)?;
    }
    message.put_u32(peer::INTERVAL, peer.interval)?;
    message.put_uint(peer::HEARD, peer.heard)?;
    match &peer.address {
        Some(address) => message.put(peer::ADDRESS, address),
        None => Ok(()),
    }
}
