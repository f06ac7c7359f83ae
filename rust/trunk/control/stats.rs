// SPDX-License-Identifier: GPL-2.0

//! Counters of trunks and ports since they were last reset: shown, and reset.

use super::{
    dump::{
        self,
        each_trunk, //
    },
    ports::{
        each_port,
        put_identity, //
    },
    reply,
    request::{
        trunk_asked,
        trunk_to_set, //
    }, //
};
use crate::{
    pure::{
        state::Replacement,
        uapi::attr, //
    },
    stats,
    switch::{
        replace,
        table, //
    },
    trunk::{
        Port,
        Trunk, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        rcu,
        Arc, //
    }, //
};
use netdev::{
    device::Device,
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
    let dev = trunk_asked(request)?;
    reply(request, &dev, |message, rcu| put_trunk(message, &dev, rcu))
}

pub(super) fn dump(dump: &mut Dump<'_>) -> Result {
    each_trunk(dump, false, |dump, within, dev, rcu| {
        if *within == 0 {
            dump::message(dump, dev, |message| put_trunk(message, dev, rcu))?;
            *within = 1;
        }
        let mut id = within.wrapping_sub(1);
        let result = each_port(&mut id, dev.data().get_ref(), rcu, |port| {
            dump::message(dump, dev, |message| put_port(message, port, rcu))
        });
        *within = id.wrapping_add(1);
        result
    })
}

pub(super) fn reset(request: &mut Request<'_>) -> Result {
    let guard = rtnl::lock();
    let rtnl: &Rtnl = &guard;
    let dev = trunk_to_set(request, rtnl)?;
    let trunk = dev.data().get_ref();
    let base = {
        let guard = rcu::read_lock();
        trunk_figures(dev, (&guard).into()).map(|(_, value)| value)
    };
    // Nothing is reset unless this succeeds.
    let next = table(trunk, rtnl).successor(None, None, Some(base))?;
    let next = Arc::new(next, GFP_KERNEL)?;
    {
        let guard = rcu::read_lock();
        for port in trunk.ports((&guard).into()) {
            if let Some(figures) = port_figures(port, (&guard).into()) {
                port.set_base(figures.map(|(_, value)| value), rtnl);
            }
        }
    }
    replace(dev, next, Replacement::Counters, rtnl);
    Ok(())
}

/// Adds the counters of a trunk since they were last reset.
fn put_trunk(message: &mut Message<'_>, dev: &Device<Trunk>, rcu: &Rcu) -> Result {
    let table = dev.data().get_ref().table.get(rcu);
    put_figures(message, &trunk_figures(dev, rcu), &table.base)
}

fn trunk_figures(dev: &Device<Trunk>, rcu: &Rcu) -> [(u16, u64); stats::TRUNK_FIGURES] {
    let trunk = dev.data().get_ref();
    let totals = *trunk.state.lock().totals();
    trunk.statistics.of_trunk(&dev.counters(rcu), &totals)
}

/// Adds the counters of a port since they were last reset. `ENODEV` for one that is just joining or
/// leaving.
fn put_port(message: &mut Message<'_>, port: &Port, rcu: &Rcu) -> Result {
    let figures = port_figures(port, rcu).ok_or(ENODEV)?;
    message.nest(attr::PORT, |message| put_identity(message, port))?;
    put_figures(message, &figures, &port.base())
}

/// Returns the counters of a port; `None` if it is just joining or leaving.
fn port_figures(port: &Port, rcu: &Rcu) -> Option<[(u16, u64); stats::PORT_FIGURES]> {
    let link = port.dev.counters(rcu);
    let state = port.trunk.data().get_ref().state.lock();
    let known = state.port(port.id)?;
    Some(stats::of_port(
        &link,
        (known.ups, known.downs),
        &known.link.counts,
    ))
}

fn put_figures(message: &mut Message<'_>, figures: &[(u16, u64)], base: &[u64]) -> Result {
    message.nest(attr::STATISTICS, |message| {
        for ((attribute, figure), base) in figures.iter().zip(base) {
            message.put_uint(*attribute, figure.wrapping_sub(*base))?;
        }
        Ok(())
    })
}
