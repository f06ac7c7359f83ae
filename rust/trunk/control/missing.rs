// SPDX-License-Identifier: GPL-2.0

//! Ports that a trunk is to have and whose devices are not there: added, forgotten and shown.

use super::{
    dump::{
        self,
        each_trunk, //
    },
    request::{
        only,
        small_number,
        trunk_named, //
    }, //
};
use crate::{
    auto_join::await_port,
    pure::{
        join::{
            MissingPort,
            Text,
            NAME_SIZE, //
        },
        uapi::{
            attr,
            port, //
        },
        MAX_PORTS, //
    }, //
};
use kernel::prelude::*;
use netdev::{
    genl::{
        Attribute,
        Attributes,
        Dump,
        Message,
        Request, //
    },
    rtnl, //
};

/// Returns the nest about a port, which has nothing but attributes that are `settable`, and in it
/// the port's name and what that says.
fn port_nest<'r>(
    request: &mut Request<'r>,
    settable: &[u16],
) -> Result<(Attributes<'r>, Attribute<'r>, Text<NAME_SIZE>)> {
    let attributes = request.attributes();
    let extack = request.extack();
    let reason = c"port: which port is not said";
    let nest = attributes.require(attr::PORT, reason, extack)?.nest();
    only(settable, nest, &port::NAMES, "port", extack)?;
    let reason = c"port.ifname: which port is not said";
    let attr = nest.require(port::IFNAME, reason, extack)?;
    // By the policy there is a NUL.
    let bytes = CStr::from_bytes_until_nul(attr.payload()).map_or(&[][..], CStr::to_bytes);
    match Text::new(bytes).filter(|name| !name.is_empty()) {
        Some(name) => Ok((nest, attr, name)),
        None => Err(extack.refuse_fmt(
            EINVAL,
            Some(attr),
            fmt!("port.ifname: it is empty, or has a space in it"),
        )),
    }
}

pub(super) fn add(request: &mut Request<'_>) -> Result {
    const SETTABLE: [u16; 4] = [port::IFNAME, port::PRIORITY, port::WEIGHT, port::ENABLED];

    let (nest, attr, name) = port_nest(request, &SETTABLE)?;
    let missing = MissingPort {
        name,
        priority: small_number(nest, port::PRIORITY).unwrap_or(1),
        weight: small_number(nest, port::WEIGHT).unwrap_or(1),
        enabled: small_number(nest, port::ENABLED).is_none_or(|number| number != 0),
    };
    let rtnl = &rtnl::lock();
    let dev = trunk_named(request)?;
    await_port(&dev, missing, rtnl).map_err(|err| {
        let extack = request.extack();
        if err == EEXIST {
            let reason = c"port.ifname: it is a port of the trunk already";
            return extack.refuse(err, reason);
        }
        if err == ENOSPC {
            return extack.refuse_fmt(
                err,
                Some(attr),
                fmt!("port: a trunk has at most {MAX_PORTS} missing ports"),
            );
        }
        err
    })
}

pub(super) fn del(request: &mut Request<'_>) -> Result {
    let (_, attr, name) = port_nest(request, &[port::IFNAME])?;
    let rtnl = &rtnl::lock();
    let dev = trunk_named(request)?;
    let net = request.net();
    match dev.data().missing.remove(name.octets(), net, rtnl) {
        true => Ok(()),
        false => Err(request.extack().refuse_fmt(
            ENOENT,
            Some(attr),
            fmt!("port.ifname: it is not missing there"),
        )),
    }
}

pub(super) fn dump(dump: &mut Dump<'_>) -> Result {
    each_trunk(dump, false, |dump, within, dev, _| {
        let at = |within: u64| usize::try_from(within).unwrap_or(usize::MAX);
        while let Some(port) = dev.data().missing.get(at(*within)) {
            dump::message(dump, dev, |message| put(message, &port))?;
            *within = within.wrapping_add(1);
        }
        Ok(())
    })
}

fn put(message: &mut Message<'_>, port: &MissingPort) -> Result {
    message.nest(attr::PORT, |message| {
        message.put(port::IFNAME, port.name.with_nul())?;
        message.put_u32(port::PRIORITY, u32::from(port.priority))?;
        message.put_u32(port::WEIGHT, u32::from(port.weight))?;
        message.put_u32(port::ENABLED, u32::from(port.enabled))
    })
}
