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
    decided::Decided,
    device::Trunk,
    port::Port,
    pure::{
        health::Health,
        uapi::attr, //
    },
    stats, //
};
use kernel::{
    prelude::*,
    sync::rcu, //
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
    let next = trunk.table.next(None, None, true, rtnl)?;
    {
        let guard = rcu::read_lock();
        for port in trunk.ports((&guard).into()) {
            let link = port.dev.counters((&guard).into());
            let counts = |health: &mut Health<_>| Some(*health.link(port.id)?.counts());
            let counts = trunk.prober.look(counts).unwrap_or_default();
            trunk.table.look(|decided| {
                if let Some(record) = decided.record_mut(port.id) {
                    let figures = stats::of_port(&link, record.ups, record.downs, &counts);
                    record.base = figures.map(|(_, value)| value);
                }
            });
        }
    }
    let link = dev.counters((&rcu::read_lock()).into());
    let reset = |decided: &mut Decided| {
        let figures = trunk.statistics.of_trunk(&link, decided.totals);
        decided.base = figures.map(|(_, value)| value);
    };
    trunk.table.replace(dev, next, None, reset, rtnl);
    Ok(())
}

/// Adds the counters of a trunk since they were last reset.
fn put_trunk(message: &mut Message<'_>, dev: &Device<Trunk>, rcu: &Rcu) -> Result {
    let trunk = dev.data().get_ref();
    let (totals, base) = trunk.table.look(|decided| (decided.totals, decided.base));
    let figures = trunk.statistics.of_trunk(&dev.counters(rcu), totals);
    put_figures(message, &figures, &base)
}

/// Adds the counters of a port since they were last reset. `ENODEV` for one that is just joining or
/// leaving.
fn put_port(message: &mut Message<'_>, port: &Port, rcu: &Rcu) -> Result {
    let record = |decided: &mut Decided| {
        let record = decided.record(port.id)?;
        Some((record.ups, record.downs, record.base))
    };
    let trunk = port.trunk.data();
    let (ups, downs, base) = trunk.table.look(record).ok_or(ENODEV)?;
    let counts = |health: &mut Health<_>| Some(*health.link(port.id)?.counts());
    let counts = trunk.prober.look(counts).ok_or(ENODEV)?;
    message.nest(attr::PORT, |message| put_identity(message, port))?;
    put_figures(
        message,
        &stats::of_port(&port.dev.counters(rcu), ups, downs, &counts),
        &base,
    )
}

fn put_figures(message: &mut Message<'_>, figures: &[(u16, u64)], base: &[u64]) -> Result {
    message.nest(attr::STATISTICS, |message| {
        for ((attribute, figure), base) in figures.iter().zip(base) {
            message.put_uint(*attribute, figure.wrapping_sub(*base))?;
        }
        Ok(())
    })
}
