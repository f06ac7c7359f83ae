// SPDX-License-Identifier: GPL-2.0

//! What a request names, looked up and checked: trunks, ports and attributes. Each refusal names
//! the attribute and the reason in the extended acknowledgement.

use crate::{
    pure::{
        port::PortId,
        uapi::{
            attr,
            port, //
        }, //
    },
    trunk::{
        LinkedPort,
        Trunk, //
    }, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};
use netdev::{
    device::{
        Device,
        NetDevice, //
    },
    genl::{
        Attribute,
        Attributes,
        Request, //
    },
    net::Net,
    netlink::ExtAck,
    rcu::{
        read_lock,
        Rcu, //
    }, //
};

// Attributes

/// Returns the name of `attr` among `names`, which are those of its attribute set.
pub(super) fn name(names: &[&'static str], attr: Attribute<'_>) -> &'static str {
    names.get(usize::from(attr.kind())).unwrap_or(&"")
}

/// Refuses attributes that are not among `known`.
pub(super) fn only(
    known: &[u16],
    attributes: Attributes<'_>,
    names: &[&'static str],
    nest: &str,
    extack: &mut ExtAck<'_>,
) -> Result {
    match attributes.iter().find(|attr| !known.contains(&attr.kind())) {
        None => Ok(()),
        Some(attr) => {
            let name = name(names, attr);
            Err(extack.refuse_fmt(
                EINVAL,
                Some(attr),
                fmt!("{nest}.{name}: this is not to be set"),
            ))
        }
    }
}

/// Returns the value of an attribute of 32 bits.
pub(super) fn number(attributes: Attributes<'_>, kind: u16) -> Option<u32> {
    attributes.get(kind)?.to_u32()
}

/// Returns the value of an attribute of 32 bits that the policy limits to 16.
pub(super) fn small_number(attributes: Attributes<'_>, kind: u16) -> Option<u16> {
    number(attributes, kind).map(|number| u16::try_from(number).unwrap_or(u16::MAX))
}

// Devices

/// Returns the device of `net` that `attr` names by its interface index.
fn device<'a>(
    what: &str,
    attr: Attribute<'_>,
    net: &Net,
    extack: &mut ExtAck<'_>,
    rcu: &'a Rcu,
) -> Result<&'a NetDevice> {
    let ifindex = attr.to_u32().unwrap_or(0);
    NetDevice::by_index_rcu(net, ifindex, rcu).ok_or_else(|| {
        extack.refuse_fmt(
            ENODEV,
            Some(attr),
            fmt!("{what}: there is no device of index {ifindex}"),
        )
    })
}

/// Returns the trunk of `net` that a request names.
pub(super) fn trunk_named_in<'a>(
    attributes: Attributes<'_>,
    net: &Net,
    extack: &mut ExtAck<'_>,
    rcu: &'a Rcu,
) -> Result<&'a Device<Trunk>> {
    let reason = c"ifindex: which trunk is not said";
    let attr = attributes.require(attr::IFINDEX, reason, extack)?;
    let dev = device("ifindex", attr, net, extack, rcu)?;
    Device::from_netdev(dev).ok_or_else(|| {
        extack.refuse_fmt(
            EINVAL,
            Some(attr),
            fmt!("ifindex: {} is not a trunk", &*dev.current_name()),
        )
    })
}

/// Returns the trunk that a request names. It stays registered while RTNL is held.
pub(super) fn trunk_named(request: &mut Request<'_>) -> Result<ARef<Device<Trunk>>> {
    let (attributes, net) = (request.attributes(), request.net());
    Ok(trunk_named_in(attributes, net, request.extack(), &read_lock())?.into())
}

// Ports

/// Returns the port that a request names, and the attributes about it. It stays a port while RTNL
/// is held.
pub(super) fn port_named<'r>(request: &mut Request<'r>) -> Result<(LinkedPort, Attributes<'r>)> {
    let (attributes, net) = (request.attributes(), request.net());
    let extack = request.extack();
    let reason = c"port: which port is not said";
    let nest = attributes.require(attr::PORT, reason, extack)?.nest();
    let reason = c"port.ifindex: which port is not said";
    let attr = nest.require(port::IFINDEX, reason, extack)?;
    let rcu = &read_lock();
    let dev = device("port.ifindex", attr, net, extack, rcu)?;
    let trunk = dev.master_rcu(rcu).and_then(Device::<Trunk>::from_netdev);
    let port = trunk.and_then(|trunk| trunk.data().hold_port(dev, rcu));
    let port = port.ok_or_else(|| {
        extack.refuse_fmt(
            EINVAL,
            Some(attr),
            fmt!(
                "port.ifindex: {} is not a port of a trunk",
                &*dev.current_name()
            ),
        )
    })?;
    Ok((port, nest))
}

/// Returns the port of `dev` that `attr` names by its interface index.
pub(super) fn port_of(
    dev: &Device<Trunk>,
    what: &str,
    attr: Attribute<'_>,
    extack: &mut ExtAck<'_>,
) -> Result<PortId> {
    let ifindex = attr.to_u32().unwrap_or(0);
    let rcu = &read_lock();
    let mut ports = dev.data().ports(rcu);
    let port = ports.find(|port| port.dev.ifindex() == ifindex);
    port.map(|port| port.id).ok_or_else(|| {
        extack.refuse_fmt(
            ENODEV,
            Some(attr),
            fmt!("{what}: no port of the trunk has index {ifindex}"),
        )
    })
}
