// SPDX-License-Identifier: GPL-2.0

//! A frame's way out: selector, bucket, slot, port.

use crate::{
    pure::selector::Selector,
    stats::Count,
    switch,
    table::{
        Table,
        Way, //
    },
    trunk::{
        Port,
        Trunk, //
    }, //
};
use kernel::cpu::CpuId;
use netdev::{
    device::Device,
    rcu::{
        RcuBh,
        RcuIrq, //
    },
    skb::{
        DropReason,
        SkBuff,
        Xmit, //
    },
    xdp::Frames,
};

/// Sends a frame by the port that carries its bucket, or if there are claims, by the link of the one
/// it belongs to. Takes no lock, unless the port has just failed: then the frame itself switches the
/// table over, and is not lost.
///
/// Returns what the port's queueing discipline says of the frame, or success if the trunk itself drops
/// it.
#[inline(always)]
pub(crate) fn transmit(dev: &Device<Trunk>, skb: SkBuff, context: &RcuBh) -> Xmit {
    let trunk = dev.data().get_ref();
    let Some(table) = trunk.table.get(context) else {
        return drop(dev, skb, DropReason::DEV_READY, context.cpu());
    };
    match table.way() {
        Way::Bucket(selector) => by_bucket(dev, table, selector, skb, context),
        Way::Special => by_mark(dev, table, skb, context),
    }
}

#[inline(always)]
fn by_bucket(
    dev: &Device<Trunk>,
    table: &Table,
    selector: Selector,
    mut skb: SkBuff,
    context: &RcuBh,
) -> Xmit {
    let trunk = dev.data().get_ref();
    let cpu = context.cpu();
    let len = skb.len();

    let Some(index) = index(selector, &mut skb) else {
        return drop(dev, skb, DropReason::PKT_TOO_SMALL, cpu);
    };
    let bucket = table.bucket(index);
    let Some(port) = port(dev, trunk, table, index, context) else {
        return drop(dev, skb, DropReason::DEV_READY, cpu);
    };

    let xmit = skb.transmit(&port.dev, context);
    if xmit.is_taken() {
        table.count(cpu, bucket, len);
        dev.count_transmitted(len, context);
    } else {
        trunk.statistics.count(cpu, Count::TxRefused);
    }
    xmit
}

/// Drops a frame that no port can carry.
#[cold]
fn drop(dev: &Device<Trunk>, skb: SkBuff, reason: DropReason, cpu: CpuId) -> Xmit {
    dev.data().get_ref().statistics.count(cpu, Count::TxNoPort);
    skb.drop_for(reason);
    Xmit::OK
}

/// A frame of netpoll leaves by the port that carries its bucket, or if that has failed, by any other
/// that is usable. Nobody is notified: this may have interrupted the very one who holds the state's
/// lock.
pub(crate) fn transmit_netpoll(dev: &Device<Trunk>, mut skb: SkBuff, context: &RcuIrq) -> Xmit {
    let trunk = dev.data().get_ref();
    let cpu = context.cpu();
    let Some(table) = trunk.table.get(context) else {
        return drop(dev, skb, DropReason::DEV_READY, cpu);
    };
    let index = index(table.selector, &mut skb);
    let port = index
        .and_then(|index| trunk.lower(table.port(table.bucket(index))?, context))
        .filter(|port| port.dev.is_operational())
        .or_else(|| {
            trunk
                .lowers(context)
                .find(|port| trunk.live.act().contains(port.id))
        });
    let Some(port) = port else {
        return drop(dev, skb, DropReason::DEV_READY, cpu);
    };
    let len = skb.len();
    let xmit = port.transmit_netpoll(skb, context);
    match xmit.is_taken() {
        true => dev.count_transmitted(len, context),
        false => trunk.statistics.count(cpu, Count::TxRefused),
    }
    xmit
}

/// A frame of a claim leaves by the claim's link, and counts in no bucket. While the claim has none,
/// and without a claim, it goes by its bucket as any other.
#[inline(never)] // Off the way of those without.
fn by_mark(dev: &Device<Trunk>, table: &Table, skb: SkBuff, context: &RcuBh) -> Xmit {
    let trunk = dev.data().get_ref();
    let mark = skb.mark();
    let link = || trunk.port(trunk.live.claimed(mark)?, context);
    let port = match link() {
        Some(port) if !port.dev.is_operational() => brought_up_to_date(dev, link, context),
        port => port,
    };
    match port {
        Some(port) => {
            let len = skb.len();
            let xmit = skb.transmit(&port.dev, context);
            match xmit.is_taken() {
                true => dev.count_transmitted(len, context),
                false => trunk.statistics.count(context.cpu(), Count::TxRefused),
            }
            xmit
        }
        None => by_bucket(dev, table, table.selector, skb, context),
    }
}

/// Sends what XDP programs have redirected to the trunk. Such frames have no mark, so belong to no
/// claim: each leaves by its bucket.
pub(crate) fn transmit_xdp(dev: &Device<Trunk>, frames: &mut Frames<'_>, context: &RcuBh) {
    let trunk = dev.data().get_ref();
    let cpu = context.cpu();
    frames.send(
        |frame| {
            let way = || {
                let table = trunk.table.get(context)?;
                let header = frame.header()?;
                let (dst, src) = (header.dst.octets(), header.src.octets());
                let index = table.selector.index(dst, src, || frame.flow_hash(dev));
                let port = port(dev, trunk, table, index, context)?;
                Some((&*port.dev, (table, table.bucket(index), frame.len())))
            };
            let way = way();
            if way.is_none() {
                trunk.statistics.count(cpu, Count::TxNoPort);
            }
            way
        },
        |(table, bucket, len)| {
            table.count(cpu, bucket, len);
            dev.count_transmitted(len, context);
        },
        context,
    );
}

/// The number that names a frame's bucket. `None` if it has no Ethernet header.
#[inline(always)]
fn index(selector: Selector, skb: &mut SkBuff) -> Option<u32> {
    let flow = match selector {
        Selector::Flow => skb.flow_hash(),
        _ => 0,
    };
    let header = skb.tx_header()?;
    Some(selector.index(header.dst.octets(), header.src.octets(), || flow))
}

/// The port that carries the bucket of `index`.
#[inline(always)]
fn port<'a>(
    dev: &Device<Trunk>,
    trunk: &'a Trunk,
    table: &'a Table,
    index: u32,
    context: &'a RcuBh,
) -> Option<&'a Port> {
    let port = table
        .port(table.bucket(index))
        .and_then(|id| trunk.port(id, context));
    match port {
        Some(port) if port.dev.is_operational() => Some(port),
        _ => port_anew(dev, trunk, index, context),
    }
}

/// The same, when the port the table names cannot send. There may be another table by then.
#[cold]
fn port_anew<'a>(
    dev: &Device<Trunk>,
    trunk: &'a Trunk,
    index: u32,
    context: &'a RcuBh,
) -> Option<&'a Port> {
    let named = || {
        let table = trunk.table.get(context)?;
        trunk.port(table.port(table.bucket(index))?, context)
    };
    brought_up_to_date(dev, named, context)
}

/// The port that is `named`, once the tables are as the ports are now.
#[cold]
fn brought_up_to_date<'a>(
    dev: &Device<Trunk>,
    named: impl Fn() -> Option<&'a Port>,
    context: &RcuBh,
) -> Option<&'a Port> {
    switch::follow_links(dev, context);
    match named() {
        // Somebody else has noticed, and is just changing the table.
        Some(port) if !port.dev.is_operational() => {
            switch::wait_for_change(dev.data().get_ref());
            named()
        }
        port => port,
    }
}
