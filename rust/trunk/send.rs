// SPDX-License-Identifier: GPL-2.0

//! A frame's way out: selector, bucket, slot, port.

use crate::{
    device::Trunk,
    layout::{
        Layout,
        Way, //
    },
    port::Port,
    pure::selector::Selector,
    stats::Count, //
};
use netdev::{
    device::Device,
    rcu::RcuBh,
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
    let Some(layout) = trunk.table.layout(context) else {
        return drop(dev, skb, DropReason::DEV_READY, context);
    };
    match layout.way() {
        Way::Bucket(selector) => by_bucket(dev, layout, selector, skb, context),
        Way::Special => specially(dev, layout, skb, context),
    }
}

#[inline(always)]
fn by_bucket(
    dev: &Device<Trunk>,
    layout: &Layout,
    selector: Selector,
    mut skb: SkBuff,
    context: &RcuBh,
) -> Xmit {
    let trunk = dev.data().get_ref();
    let len = skb.len();

    let Some(index) = index(selector, &mut skb) else {
        return drop(dev, skb, DropReason::PKT_TOO_SMALL, context);
    };
    let bucket = layout.bucket(index);
    let Some(port) = port(dev, trunk, layout, index, context) else {
        return drop(dev, skb, DropReason::DEV_READY, context);
    };

    let xmit = skb.transmit(&port.dev, context);
    count(dev, xmit, len, context);
    if xmit.is_taken() {
        layout.count(context.cpu(), bucket, len);
    }
    xmit
}

/// Counts a frame of `len` octets that was handed to a port.
#[inline(always)]
fn count(dev: &Device<Trunk>, xmit: Xmit, len: u32, context: &RcuBh) {
    if xmit.is_taken() {
        dev.count_transmitted(len, context);
    } else {
        let statistics = &dev.data().get_ref().statistics;
        statistics.count(context.cpu(), Count::TxRefused);
    }
}

/// Drops a frame that no port can carry.
#[cold]
fn drop(dev: &Device<Trunk>, skb: SkBuff, reason: DropReason, context: &RcuBh) -> Xmit {
    let statistics = &dev.data().get_ref().statistics;
    statistics.count(context.cpu(), Count::TxNoPort);
    skb.drop_for(reason);
    Xmit::OK
}

/// With claims, or with netpoll.
#[inline(never)] // Off the way of those that have neither.
fn specially(dev: &Device<Trunk>, layout: &Layout, skb: SkBuff, context: &RcuBh) -> Xmit {
    if dev.is_netpoll_sending(context) {
        by_netpoll(dev, layout, skb, context)
    } else {
        by_mark(dev, layout, skb, context)
    }
}

/// A frame of netpoll leaves by the port that carries its bucket, or if that has failed, by any other
/// that is usable. Nobody is told: this may have interrupted the very one who holds the table's lock.
fn by_netpoll(dev: &Device<Trunk>, layout: &Layout, mut skb: SkBuff, context: &RcuBh) -> Xmit {
    let trunk = dev.data().get_ref();
    let index = index(layout.selector, &mut skb);
    let port = index
        .and_then(|index| trunk.port(layout.port(layout.bucket(index))?, context))
        .filter(|port| port.is_operational())
        .or_else(|| trunk.ports(context).find(|port| port.condition().is_act()));
    let Some(port) = port else {
        return drop(dev, skb, DropReason::DEV_READY, context);
    };
    let len = skb.len();
    let xmit = port.netpoll.send(skb, context);
    count(dev, xmit, len, context);
    xmit
}

/// A frame of a claim leaves by the claim's link, and counts in no bucket. While the claim has none,
/// and without a claim, it goes by its bucket as any other.
fn by_mark(dev: &Device<Trunk>, layout: &Layout, skb: SkBuff, context: &RcuBh) -> Xmit {
    let trunk = dev.data().get_ref();
    let mark = skb.mark();
    let link = || trunk.port(trunk.table.claimed(mark, context)?, context);
    let port = match link() {
        Some(port) if !port.dev.is_operational() => brought_up_to_date(dev, link, context),
        port => port,
    };
    match port {
        Some(port) => {
            let len = skb.len();
            let xmit = skb.transmit(&port.dev, context);
            count(dev, xmit, len, context);
            xmit
        }
        None => by_bucket(dev, layout, layout.selector, skb, context),
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
                let layout = trunk.table.layout(context)?;
                let header = frame.header()?;
                let (dst, src) = (header.dst.octets(), header.src.octets());
                let index = layout.selector.index(dst, src, || frame.flow_hash(dev));
                let port = port(dev, trunk, layout, index, context)?;
                Some((&*port.dev, (layout, layout.bucket(index), frame.len())))
            };
            let way = way();
            if way.is_none() {
                trunk.statistics.count(cpu, Count::TxNoPort);
            }
            way
        },
        |(layout, bucket, len)| {
            layout.count(cpu, bucket, len);
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
    layout: &'a Layout,
    index: u32,
    context: &'a RcuBh,
) -> Option<&'a Port> {
    let port = layout
        .port(layout.bucket(index))
        .and_then(|id| trunk.port(id, context));
    match port {
        Some(port) if port.dev.is_operational() => Some(port),
        _ => port_anew(dev, trunk, index, context),
    }
}

/// The same, when the port the table names cannot send. There may be another layout by then.
#[cold]
fn port_anew<'a>(
    dev: &Device<Trunk>,
    trunk: &'a Trunk,
    index: u32,
    context: &'a RcuBh,
) -> Option<&'a Port> {
    let named = || {
        let layout = trunk.table.layout(context)?;
        trunk.port(layout.port(layout.bucket(index))?, context)
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
    let table = &dev.data().get_ref().table;
    table.follow_ports(dev, context);
    match named() {
        // Somebody else has noticed, and is just changing the table.
        Some(port) if !port.dev.is_operational() => {
            table.wait_for_change();
            named()
        }
        port => port,
    }
}
