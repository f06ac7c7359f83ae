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

/// Makes this the trunk's program; without one it has none any more.
///
/// # Errors
///
/// What a port has against it: then all run what they did before. To have none cannot fail.
pub(crate) fn set(
    dev: &Device<Trunk>,
    program: Option<Program>,
    extack: &mut ExtAck<'_>,
    rtnl: &Rtnl,
) -> Result {
    let trunk = dev.data();
    // RTNL keeps it as it is.
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
/// What it has against it, as `extack` says.
pub(crate) fn join(
    dev: &Device<Trunk>,
    port: &NetDevice,
    extack: &mut ExtAck<'_>,
    rtnl: &Rtnl,
) -> Result {
    let program = dev.data().program.lock().clone();
    program.map_or(Ok(()), |program| run(port, &program, extack, rtnl))
}

/// Has a device that is not a port any more run it no longer.
pub(crate) fn leave(dev: &Device<Trunk>, port: &NetDevice, rtnl: &Rtnl) {
    let any = dev.data().program.lock().is_some();
    if any {
        run_none(port, rtnl);
    }
}

/// What the trunk can do is what all its ports can.
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
