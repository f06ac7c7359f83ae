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
        name,
        number,
        only,
        port_named,
        small_number,
        trunk_named, //
    },
    FAMILY, //
};
use crate::{
    pure::{
        health::{
            Link,
            Peer,
            RoundTrip, //
        },
        port::{
            to_slot,
            PortId,
            Slot, //
        },
        state::{
            Input,
            PortSettings, //
        },
        table::Bucket,
        tally::Compared,
        uapi::{
            attr,
            cmd,
            compared,
            peer,
            port, //
        },
        wire::Path,
    },
    switch::step_later,
    trunk::{
        LinkedPort,
        Port,
        Trunk, //
    }, //
};
use kernel::prelude::*;
use netdev::{
    device::{
        Device,
        NetDevice, //
    },
    genl::{
        Attributes,
        Dump,
        Message,
        Request, //
    },
    link_ops,
    netlink::ExtAck,
    rcu::{
        read_lock,
        Rcu, //
    },
    rtnl::{
        self,
        Rtnl, //
    }, //
};

pub(super) fn get(request: &mut Request<'_>) -> Result {
    let (asked, _) = port_named(request)?;
    reply(request, &asked.trunk, |message, rcu| {
        let port = asked.trunk.data().port(asked.id, rcu).ok_or(ENODEV)?;
        // Another port may have got the number meanwhile.
        if !port.dev.is(&asked.dev) {
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
        each_port(within, dev.data(), rcu, |port| {
            dump::message(dump, dev, |message| put(message, port, rcu))
        })
    })
}

pub(super) fn set(request: &mut Request<'_>) -> Result {
    const SETTABLE: [u16; 4] = [port::IFINDEX, port::PRIORITY, port::WEIGHT, port::ENABLED];

    let rtnl = &rtnl::lock();
    let (port, asked) = port_named(request)?;
    only(&SETTABLE, asked, &port::NAMES, "port", request.extack())?;
    change(&port, asked, rtnl);
    Ok(())
}

/// Bytes that are enough for what [`link_get_port`] writes.
pub(crate) const PORT_SIZE: usize = 64;

/// Returns the policy of [`link_set_port`].
pub(crate) fn link_port_settings() -> Option<link_ops::Settings> {
    link_ops::Settings::of_operation(&FAMILY, cmd::PORT_SET)?.within(attr::PORT)
}

/// Changes the settings of a port that a link message has in `IFLA_INFO_SLAVE_DATA`: attributes and
/// policy are those in the nest of `port-set`.
pub(crate) fn link_set_port(
    dev: &Device<Trunk>,
    port: &NetDevice,
    asked: Attributes<'_>,
    extack: &mut ExtAck<'_>,
    rtnl: &Rtnl,
) -> Result {
    const SETTABLE: [u16; 3] = [port::PRIORITY, port::WEIGHT, port::ENABLED];

    // rtnetlink lets attributes without a policy pass, and numbers that are too long.
    only(&SETTABLE, asked, &port::NAMES, "port", extack)?;
    if let Some(attr) = asked.iter().find(|attr| attr.to_u32().is_none()) {
        let name = name(&port::NAMES, attr);
        return Err(extack.refuse_fmt(
            EINVAL,
            Some(attr),
            fmt!("port.{name}: a number has 4 bytes"),
        ));
    }
    let port = dev.data().hold_port(port, &read_lock()).ok_or(ENODEV)?;
    change(&port, asked, rtnl);
    Ok(())
}

/// Writes settings and state of a port into a link message. Nothing, if it is just joining or leaving.
pub(crate) fn link_get_port(
    dev: &Device<Trunk>,
    port: &NetDevice,
    message: &mut Message<'_>,
) -> Result {
    let rcu = &read_lock();
    let trunk = dev.data();
    let Some(port) = trunk.hold_port(port, rcu) else {
        return Ok(());
    };
    let state = trunk.state.lock();
    let (Some(known), Some(view)) = (state.port(port.id), state.ports().get(port.id)) else {
        return Ok(());
    };
    message.put_u32(port::PRIORITY, u32::from(view.priority))?;
    message.put_u32(port::WEIGHT, u32::from(known.weight))?;
    message.put_u32(port::ENABLED, u32::from(known.is_enabled()))?;
    message.put_u32(port::STATE, view.state as u32)?;
    message.put_u32(port::REASON, known.why() as u32)
}

/// Changes settings of a port.
fn change(port: &LinkedPort, asked: Attributes<'_>, rtnl: &Rtnl) {
    let settings = PortSettings {
        priority: small_number(asked, port::PRIORITY),
        weight: small_number(asked, port::WEIGHT),
        enabled: number(asked, port::ENABLED).map(|number| number != 0),
    };
    let speed = port.dev.link_speed(rtnl).map(|(speed, _)| speed);
    step_later(&port.trunk, Input::Port(port.id, settings, speed));
}

pub(super) fn failback(request: &mut Request<'_>) -> Result {
    const SETTABLE: [u16; 1] = [port::IFINDEX];

    let rtnl = &rtnl::lock();
    let attributes = request.attributes();
    if attributes.get(attr::PORT).is_none() {
        let ports = PortId::all().collect();
        let dev = trunk_named(request)?;
        step_later(&dev, Input::Release(ports));
        return Ok(());
    }
    let (port, asked) = port_named(request)?;
    only(&SETTABLE, asked, &port::NAMES, "port", request.extack())?;
    if let Some(attr) = attributes.get(attr::IFINDEX) {
        if !trunk_named(request)?.is(&port.trunk) {
            return Err(request.extack().refuse_fmt(
                EINVAL,
                Some(attr),
                fmt!("ifindex: the port is one of {}", port.trunk.name(rtnl)),
            ));
        }
    }
    let ports = [port.id].into_iter().collect();
    step_later(&port.trunk, Input::Release(ports));
    Ok(())
}

/// Adds a port's settings and state. `ENODEV` for one that is just joining or leaving.
pub(super) fn put(message: &mut Message<'_>, port: &Port, rcu: &Rcu) -> Result {
    let trunk = port.trunk.data();
    let buckets = trunk.table.get(rcu).buckets();
    // Before the state is locked, so that decisions do not wait for this.
    let slot = to_slot(Some(port.id));
    let count =
        |of: fn(&Bucket) -> Slot| number_of(buckets.iter().filter(|bucket| of(bucket) == slot));
    let (homes, carried) = (count(Bucket::home), count(Bucket::slot));

    message.nest(attr::PORT, |message| {
        put_identity(message, port)?;
        let state = trunk.state.lock();
        let known = state.port(port.id).ok_or(ENODEV)?;
        let view = state.ports().get(port.id).ok_or(ENODEV)?;
        let stand_ins = state.stand_ins();
        let claims = state.claims().iter();
        let claims = claims.filter(|claim| claim.link == Some(port.id));

        message.put_u32(port::ID, port.id.index() as u32)?;
        message.put_u32(port::PRIORITY, u32::from(view.priority))?;
        message.put_u32(port::WEIGHT, u32::from(known.weight))?;
        message.put_u32(port::SHARE, u32::from(view.weight))?;
        message.put_u32(port::ENABLED, u32::from(known.is_enabled()))?;
        message.put_u32(port::STATE, view.state as u32)?;
        message.put_u32(port::REASON, known.why() as u32)?;
        message.put_uint(port::SINCE, known.since)?;
        message.put_u32(port::HOMES, homes)?;
        message.put_u32(port::BUCKETS, carried)?;
        let home = stand_ins.home_of(port.id);
        put_ifindex(message, port::STANDS_IN_FOR, trunk, home, rcu)?;
        let stand_in = stand_ins.of(port.id);
        put_ifindex(message, port::STAND_IN, trunk, stand_in, rcu)?;
        message.put_flag(port::HELD_BACK, view.is_held_back())?;
        message.put_flag(port::IN_USE, state.view().in_use.contains(port.id))?;
        message.put_u32(port::CLAIMS, number_of(claims))?;
        put_tested(message, &known.link)?;
        put_losses(message, state.health().losses(port.id))?;
        let has_peer = known.link.peer.is_some();
        drop(state);
        let compared = trunk.tallies.lock().compare(port.id);
        match compared.filter(|_| has_peer) {
            Some(it) => message.nest(port::COMPARED, |message| put_compared(message, &it)),
            None => Ok(()),
        }
    })
}

/// Returns the number of items. Not by `count()`, which could panic.
fn number_of(items: impl Iterator) -> u32 {
    items.fold(0u32, |sum, _| sum.saturating_add(1))
}

/// Adds which port it is.
pub(super) fn put_identity(message: &mut Message<'_>, port: &Port) -> Result {
    message.put_u32(port::IFINDEX, port.dev.ifindex())?;
    message.put_str(port::IFNAME, &port.dev.current_name())
}

/// Adds what is known of a link from probes.
fn put_tested(message: &mut Message<'_>, link: &Link) -> Result {
    message.put_flag(port::PROBED, link.is_probed())?;
    if let Some(peer) = &link.peer {
        message.nest(port::PEER, |message| put_peer(message, peer))?;
    }
    message.put_uint(port::ROUNDS, link.counts.rounds)?;
    message.put_uint(port::ROUNDS_MISSED, link.counts.missed)?;
    if let Some(RoundTrip { last, min, avg, .. }) = link.round_trip {
        message.put_uint(port::ROUND_TRIP_LAST, last)?;
        message.put_uint(port::ROUND_TRIP_MIN, min)?;
        message.put_uint(port::ROUND_TRIP_AVG, avg)?;
    }
    message.put_uint(port::ROUND_TRIP_LATE, link.late)?;
    message.put_flag(port::LATE, link.is_late())
}

/// Adds the kinds of data that a link loses.
fn put_losses(message: &mut Message<'_>, losses: impl Iterator<Item = Path>) -> Result {
    for path in losses {
        match path {
            Path::Source => message.put_flag(port::LOSES_SOURCE, true)?,
            Path::Mtu => message.put_flag(port::LOSES_MTU, true)?,
            Path::Vlan(vlan) => message.put_u32(port::LOSES_VLAN, u32::from(vlan))?,
        }
    }
    Ok(())
}

fn put_compared(message: &mut Message<'_>, it: &Compared) -> Result {
    message.put_uint(compared::TIME, it.time)?;
    message.put_uint(compared::SENT, it.sent)?;
    message.put_uint(compared::ARRIVED, it.arrived)?;
    message.put_uint(compared::PEER_SENT, it.peer_sent)?;
    message.put_uint(compared::PEER_ARRIVED, it.peer_arrived)
}

fn put_peer(message: &mut Message<'_>, peer: &Peer) -> Result {
    message.put_uint(peer::SYSTEM, peer.identity.system)?;
    message.put_u32(peer::TRUNK, peer.identity.trunk)?;
    message.put_u32(peer::PORT, u32::from(peer.port))?;
    message.put_u32(peer::PRIORITY, u32::from(peer.priority))?;
    message.put_flag(peer::USABLE, peer.usable)?;
    message.put_flag(peer::IN_USE, peer.in_use)?;
    message.put_u32(peer::INTERVAL, peer.interval)?;
    message.put_uint(peer::HEARD, peer.heard)?;
    match &peer.address {
        Some(address) => message.put(peer::ADDRESS, address),
        None => Ok(()),
    }
}
