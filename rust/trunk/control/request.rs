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
        Attribute,
        Attributes,
        Request, //
    },
    netlink::ExtAck,
    rtnl::Rtnl, //
};

// Attributes

/// Returns the attribute of type `kind`, which must be there.
pub(super) fn required<'r>(
    attributes: Attributes<'r>,
    kind: u16,
    reason: &'static CStr,
    extack: &mut ExtAck<'_>,
) -> Result<Attribute<'r>> {
    attributes
        .get(kind)
        .ok_or_else(|| extack.missing(kind, None, reason))
}

/// Returns the attribute of type `kind` in `nest`, which must be there.
pub(super) fn required_in<'r>(
    nest: Attribute<'r>,
    kind: u16,
    reason: &'static CStr,
    extack: &mut ExtAck<'_>,
) -> Result<Attribute<'r>> {
    nest.nest()
        .get(kind)
        .ok_or_else(|| extack.missing(kind, Some(nest), reason))
}

/// Returns the name of `attr`, by these names of its attribute set.
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

/// Returns the device that `attr` names by its interface index, found by `find`.
pub(super) fn device<'a>(
    what: &str,
    attr: Attribute<'_>,
    extack: &mut ExtAck<'_>,
    find: impl FnOnce(u32) -> Option<&'a NetDevice>,
) -> Result<&'a NetDevice> {
    let ifindex = attr.to_u32().unwrap_or(0);
    find(ifindex).ok_or_else(|| {
        extack.refuse_fmt(
            ENODEV,
            Some(attr),
            fmt!("{what}: there is no device of index {ifindex}"),
        )
    })
}

/// Returns the trunk that a request names, found by `find`.
pub(super) fn trunk<'a>(
    attributes: Attributes<'_>,
    extack: &mut ExtAck<'_>,
    find: impl FnOnce(u32) -> Option<&'a NetDevice>,
) -> Result<&'a Device<Trunk>> {
    let reason = c"ifindex: which trunk is not said";
    let attr = required(attributes, attr::IFINDEX, reason, extack)?;
    let dev = device("ifindex", attr, extack, find)?;
    Device::from_netdev(dev).ok_or_else(|| {
        extack.refuse_fmt(
            EINVAL,
            Some(attr),
            fmt!("ifindex: {} is not a trunk", &*dev.current_name()),
        )
    })
}

/// Returns the trunk that a question is about.
pub(super) fn trunk_asked(request: &mut Request<'_>) -> Result<ARef<Device<Trunk>>> {
    let (attributes, net) = (request.attributes(), request.net());
    let guard = rcu::read_lock();
    let find = |ifindex| NetDevice::by_index_rcu(net, ifindex, (&guard).into());
    Ok(trunk(attributes, request.extack(), find)?.into())
}

/// Returns the trunk that a request is to change.
pub(super) fn trunk_to_set<'a>(
    request: &mut Request<'_>,
    rtnl: &'a Rtnl,
) -> Result<&'a Device<Trunk>> {
    let (attributes, net) = (request.attributes(), request.net());
    let find = |ifindex| NetDevice::by_index(net, ifindex, rtnl);
    trunk(attributes, request.extack(), find)
}

// Ports

/// Returns the nest about a port, and in it the port's interface index.
pub(super) fn port_nest<'r>(
    attributes: Attributes<'r>,
    extack: &mut ExtAck<'_>,
) -> Result<(Attribute<'r>, Attribute<'r>)> {
    let reason = c"port: which port is not said";
    let nest = required(attributes, attr::PORT, reason, extack)?;
    let reason = c"port.ifindex: which port is not said";
    Ok((nest, required_in(nest, port::IFINDEX, reason, extack)?))
}

/// Refuses `dev`, which `attr` names as a port.
pub(super) fn not_a_port(dev: &NetDevice, attr: Attribute<'_>, extack: &mut ExtAck<'_>) -> Error {
    extack.refuse_fmt(
        EINVAL,
        Some(attr),
        fmt!(
            "port.ifindex: {} is not a port of a trunk",
            &*dev.current_name()
        ),
    )
}

/// Returns the port that a request is to change, its trunk, and the attributes about it.
pub(super) fn port_to_set<'a, 'r>(
    request: &mut Request<'r>,
    rtnl: &'a Rtnl,
) -> Result<(&'a Device<Trunk>, LinkedPort, Attributes<'r>)> {
    let (attributes, net) = (request.attributes(), request.net());
    let extack = request.extack();
    let (nest, attr) = port_nest(attributes, extack)?;
    let find = |ifindex| NetDevice::by_index(net, ifindex, rtnl);
    let dev = device("port.ifindex", attr, extack, find)?;
    let Some((trunk, port)) = Device::<Trunk>::of_port(dev, rtnl) else {
        return Err(not_a_port(dev, attr, extack));
    };
    Ok((trunk, port, nest.nest()))
}

/// Returns the port of `dev` that `attr` names by its interface index.
pub(super) fn port_of(
    dev: &Device<Trunk>,
    what: &str,
    attr: Attribute<'_>,
    extack: &mut ExtAck<'_>,
) -> Result<PortId> {
    let ifindex = attr.to_u32().unwrap_or(0);
    let guard = rcu::read_lock();
    let mut ports = dev.data().get_ref().ports((&guard).into());
    let port = ports.find(|port| port.dev.ifindex() == ifindex);
    port.map(|port| port.id).ok_or_else(|| {
        extack.refuse_fmt(
            ENODEV,
            Some(attr),
            fmt!("{what}: no port of the trunk has index {ifindex}"),
        )
    })
}
