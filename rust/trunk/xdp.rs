// SPDX-License-Identifier: GPL-2.0

//! XDP: the trunk's program runs on every port, and nowhere else.

use crate::{
    trunk::Trunk,
    undo::undo, //
};
use kernel::prelude::*;
use netdev::{
    device::{
        Device,
        NetDevice, //
    },
    netlink::ExtAck,
    rtnl::Rtnl,
    xdp::{
        Program,
        XdpFeatures, //
    },
};

/// Makes `program` the trunk's program, which replaces the one before; `None` removes it.
///
/// # Errors
///
/// The error of a port that refuses it: then all ports run what they did before. Removing cannot
/// fail.
pub(crate) fn set(
    dev: &Device<Trunk>,
    program: Option<Program>,
    extack: &mut ExtAck<'_>,
    rtnl: &Rtnl,
) -> Result {
    let trunk = dev.data();
    // It does not change while RTNL is held.
    let old = trunk.program.lock().clone();
    match &program {
        Some(new) => Trunk::change_all_ports(
            dev,
            rtnl,
            |port, _| run(port, new, extack, rtnl),
            |port, _| {
                let back = port.set_program(old.as_ref(), &mut ExtAck::none(), rtnl);
                undo("XDP program", back);
            },
        )?,
        None if old.is_some() => dev.for_each_port(rtnl, |port, _| run_none(port, rtnl)),
        None => {}
    }
    *trunk.program.lock() = program;
    Ok(())
}

/// Has a device that is about to become a port run the trunk's program, if there is one.
///
/// # Errors
///
/// The error of the device, if it refuses the program; `extack` has the reason.
pub(crate) fn join(
    dev: &Device<Trunk>,
    port: &NetDevice,
    extack: &mut ExtAck<'_>,
    rtnl: &Rtnl,
) -> Result {
    let program = dev.data().program.lock().clone();
    program.map_or(Ok(()), |program| run(port, &program, extack, rtnl))
}

/// Removes the trunk's program from a device that is no longer a port.
pub(crate) fn leave(dev: &Device<Trunk>, port: &NetDevice, rtnl: &Rtnl) {
    let any = dev.data().program.lock().is_some();
    if any {
        run_none(port, rtnl);
    }
}

/// Makes the XDP features of the trunk those that all its ports have.
pub(crate) fn inherit_features(dev: &Device<Trunk>, rtnl: &Rtnl) {
    let mut common = None;
    dev.for_each_port(rtnl, |port, _| {
        common = Some(common.unwrap_or(XdpFeatures::UPPER) & port.xdp_features());
    });
    dev.set_xdp_features(common.unwrap_or(XdpFeatures::NONE), rtnl);
}

fn run(port: &NetDevice, program: &Program, extack: &mut ExtAck<'_>, rtnl: &Rtnl) -> Result {
    let name = port.name(rtnl);
    if !port.runs_programs() {
        return Err(extack.refuse_fmt(
            EOPNOTSUPP,
            None,
            fmt!("trunk: the driver of {name} does not run XDP programs"),
        ));
    }
    if port.has_program(rtnl) {
        return Err(extack.refuse_fmt(
            EBUSY,
            None,
            fmt!("trunk: {name} has an XDP program of its own"),
        ));
    }
    port.set_program(Some(program), extack, rtnl)
        .map_err(|err| extack.refuse_weakly(err, c"trunk: a port does not take the XDP program"))
}

fn run_none(port: &NetDevice, rtnl: &Rtnl) {
    let none = port.set_program(None, &mut ExtAck::none(), rtnl);
    undo("XDP program", none);
}
