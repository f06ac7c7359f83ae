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
    request::trunk_named, //
};
use crate::{
    pure::{
        state::Replacement,
        uapi::attr, //
    },
    stats::{
        self,
        Base,
        Figure, //
    },
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
    sync::Arc, //
};
use netdev::{
    device::Device,
    genl::{
        Dump,
        Message,
        Request, //
    },
    rcu::{
        read_lock,
        Rcu, //
    },
    rtnl, //
};

pub(super) fn get(request: &mut Request<'_>) -> Result {
    let dev = trunk_named(request)?;
    reply(request, &dev, |message, rcu| put_trunk(message, &dev, rcu))
}

pub(super) fn dump(dump: &mut Dump<'_>) -> Result {
    each_trunk(dump, false, |dump, within, dev, rcu| {
        if *within == 0 {
            dump::message(dump, dev, |message| put_trunk(message, dev, rcu))?;
            *within = 1;
        }
        let mut id = within.wrapping_sub(1);
        let result = each_port(&mut id, dev.data(), rcu, |port| {
            dump::message(dump, dev, |message| put_port(message, port, rcu))
        });
        *within = id.wrapping_add(1);
        result
    })
}

pub(super) fn reset(request: &mut Request<'_>) -> Result {
    let rtnl = &rtnl::lock();
    let dev = &*trunk_named(request)?;
    let trunk = dev.data();
    let base = stats::base(trunk_figures(dev, &read_lock()));
    // Nothing is reset unless this succeeds.
    let next = Arc::new(
        table(trunk, rtnl).successor(None, None, Some(base))?,
        GFP_KERNEL,
    )?;
    let rcu = read_lock();
    for port in trunk.ports(&rcu) {
        if let Some(figures) = port_figures(port, &rcu) {
            port.set_base(stats::base(figures), rtnl);
        }
    }
    drop(rcu);
    replace(dev, next, Replacement::Counters, rtnl);
    Ok(())
}

/// Adds the counters of a trunk since they were last reset.
fn put_trunk(message: &mut Message<'_>, dev: &Device<Trunk>, rcu: &Rcu) -> Result {
    let table = dev.data().table.get(rcu);
    put_figures(message, trunk_figures(dev, rcu), &table.base)
}

fn trunk_figures(dev: &Device<Trunk>, rcu: &Rcu) -> impl Iterator<Item = Figure> {
    let trunk = dev.data();
    let totals = *trunk.state.lock().totals();
    trunk.statistics.of_trunk(&dev.counters(rcu), &totals)
}

/// Adds the counters of a port since they were last reset. `ENODEV` for one that is just joining or
/// leaving.
fn put_port(message: &mut Message<'_>, port: &Port, rcu: &Rcu) -> Result {
    let figures = port_figures(port, rcu).ok_or(ENODEV)?;
    message.nest(attr::PORT, |message| put_identity(message, port))?;
    put_figures(message, figures, &port.base())
}

/// Returns the counters of a port; `None` if it is just joining or leaving.
fn port_figures(port: &Port, rcu: &Rcu) -> Option<impl Iterator<Item = Figure>> {
    let link = port.dev.counters(rcu);
    let state = port.trunk.data().state.lock();
    let known = state.port(port.id)?;
    Some(stats::of_port(
        &link,
        (known.ups, known.downs),
        &known.link.counts,
    ))
}

fn put_figures(
    message: &mut Message<'_>,
    figures: impl Iterator<Item = Figure>,
    base: &Base,
) -> Result {
    message.nest(attr::STATISTICS, |message| {
        for (kind, figure) in figures {
            let base = base.get(usize::from(kind)).copied().unwrap_or(0);
            message.put_uint(kind, figure.wrapping_sub(base))?;
        }
        Ok(())
    })
}
