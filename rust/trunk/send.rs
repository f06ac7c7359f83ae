// SPDX-License-Identifier: GPL-2.0

//! A frame's way out: selector, bucket, slot, port.

use crate::{
    pure::{
        flow,
        selector::Selector, //
    },
    stats::Count,
    switch,
    table::{
        Counters,
        Table, //
    },
    trunk::Trunk, //
};
use netdev::{
    device::{
        Device,
        NetDevice, //
    },
    lower::Lower,
    rcu::{
        RcuBh,
        RcuCpu,
        RcuIrq, //
    },
    skb::{
        DropReason,
        EthHeader,
        SkBuff,
        Xmit, //
    },
    xdp::Frames,
};

/// Sends a frame by the port that carries its bucket, or if there are claims, by the link of the
/// one it belongs to. Takes no lock, unless the port has just failed: then the frame itself
/// switches the table over, and is not lost.
///
/// Returns what the port's queueing discipline says of the frame, or success if the trunk itself
/// drops it.
#[inline(always)]
pub(crate) fn transmit(dev: &Device<Trunk>, skb: SkBuff, context: &RcuBh) -> Xmit {
    plainly(dev, skb, context, |skb| hashed(skb, dev, context))
}

/// Sends a frame for which nothing is to be done: it has all that its selector asks for, and a port
/// that can send. Nothing is called before the port has the frame. All others are for `otherwise`.
#[inline(always)]
fn plainly(
    dev: &Device<Trunk>,
    skb: SkBuff,
    context: &RcuBh,
    otherwise: impl FnOnce(SkBuff) -> Xmit,
) -> Xmit {
    let trunk = dev.data();
    let way = || {
        let table = trunk.table.get(context);
        let header = skb.tx_header()?;
        let (dst, src) = (header.dst.octets(), header.src.octets());
        let bucket = table.bucket(table.index(dst, src, || skb.hash())?);
        let port: &NetDevice = &trunk.port_in(table.slot(bucket), context)?.dev;
        let counters = || table.counters(bucket, context);
        port.is_operational().then(|| (port, counters()))
    };
    match way() {
        Some((port, counters)) => send(dev, Some(counters), port, skb, context),
        None => otherwise(skb),
    }
}

/// Sends a frame that may lack nothing but a hash.
// The arguments are where the core has put them: what calls this has nothing to move.
#[inline(never)]
fn hashed(mut skb: SkBuff, dev: &Device<Trunk>, context: &RcuBh) -> Xmit {
    let trunk = dev.data();
    if trunk.table.get(context).selector == Selector::Flow && skb.hash().is_none() {
        if let Some(hash) = trunk.flow_key.hash(skb.linear()) {
            skb.set_hash(hash);
            return plainly(dev, skb, context, |skb| otherwise(skb, dev, context));
        }
    }
    otherwise(skb, dev, context)
}

/// Sends a frame, whatever has to be done for it: there are claims; its headers are in pieces; this
/// knows no hash for it; its port cannot send.
#[cold]
#[inline(never)]
fn otherwise(mut skb: SkBuff, dev: &Device<Trunk>, context: &RcuBh) -> Xmit {
    let trunk = dev.data();
    let table = trunk.table.get(context);
    if table.is_special() {
        if let Some(port) = claimed(dev, skb.mark(), context) {
            return send(dev, None, &port.dev, skb, context);
        }
    }
    let Some(index) = index(trunk, table.selector, &mut skb) else {
        return drop(dev, skb, DropReason::PKT_TOO_SMALL, context);
    };
    let Some(port) = port(dev, trunk, table, index, context) else {
        return drop(dev, skb, DropReason::DEV_READY, context);
    };
    let counters = table.counters(table.bucket(index), context);
    send(dev, Some(counters), &port.dev, skb, context)
}

/// Sends a frame by `port`, and counts it: if the port takes it, in the bucket of `counters`, too.
/// The frame of a claim counts in no bucket.
#[inline(always)]
fn send(
    dev: &Device<Trunk>,
    counters: Option<Counters<'_>>,
    port: &NetDevice,
    skb: SkBuff,
    context: &RcuBh,
) -> Xmit {
    let len = skb.len();
    let xmit = skb.transmit(port, context);
    if let Some(counters) = counters.filter(|_| xmit.is_taken()) {
        counters.count(len);
    }
    count(dev, xmit, len, context);
    xmit
}

/// A frame of netpoll leaves by the port that carries its bucket, or if that has failed, by any
/// other that is usable. Nobody is notified: this may have interrupted the very one who holds the
/// state's lock.
pub(crate) fn transmit_netpoll(dev: &Device<Trunk>, mut skb: SkBuff, context: &RcuIrq) -> Xmit {
    let trunk = dev.data();
    let table = trunk.table.get(context);
    let index = index(trunk, table.selector, &mut skb);
    let port = index
        .and_then(|index| trunk.port_in(table.slot(table.bucket(index)), context))
        .filter(|port| port.dev.is_operational());
    let act = trunk.live.act();
    let port = port.or_else(|| trunk.ports(context).find(|port| act.contains(port.id)));
    let Some(port) = port else {
        return drop(dev, skb, DropReason::DEV_READY, context);
    };
    let len = skb.len();
    let xmit = port.transmit_netpoll(skb, context);
    count(dev, xmit, len, context);
    xmit
}

/// The link of the claim that frames of that mark belong to. `None` while the claim has none, and
/// without a claim: then a frame goes by its bucket as any other.
fn claimed<'a>(dev: &'a Device<Trunk>, mark: u32, context: &'a RcuBh) -> Option<&'a Lower<Trunk>> {
    let trunk = dev.data();
    let link = || trunk.port(trunk.live.claimed(mark)?, context);
    match link() {
        Some(port) if !port.dev.is_operational() => brought_up_to_date(dev, link, context),
        port => port,
    }
}

/// Counts a frame of `len` bytes that was handed to a port.
#[inline(always)]
fn count(dev: &Device<Trunk>, xmit: Xmit, len: u32, context: &RcuCpu) {
    if xmit.is_taken() {
        dev.count_transmitted(len, context);
    } else {
        let statistics = &dev.data().statistics;
        statistics.count(Count::TxRefused, context);
    }
}

/// Drops a frame that no port can carry.
#[cold]
fn drop(dev: &Device<Trunk>, skb: SkBuff, reason: DropReason, context: &RcuCpu) -> Xmit {
    let statistics = &dev.data().statistics;
    statistics.count(Count::TxNoPort, context);
    skb.drop_for(reason);
    Xmit::OK
}

/// Sends what XDP programs have redirected to the trunk. Such frames have no mark, so belong to no
/// claim: each leaves by its bucket.
pub(crate) fn transmit_xdp(dev: &Device<Trunk>, frames: &mut Frames<'_>, context: &RcuBh) {
    let trunk = dev.data();
    frames.send(
        |frame| {
            let way = || {
                let table = trunk.table.get(context);
                let header = frame.header()?;
                let (dst, src) = (header.dst.octets(), header.src.octets());
                let flow = || {
                    let hash = trunk.flow_key.hash(frame.linear());
                    hash.or_else(|| Some(frame.flow_hash(dev)))
                };
                let index = table.selector.index(dst, src, flow)?;
                let port = port(dev, trunk, table, index, context)?;
                let counters = table.counters(table.bucket(index), context);
                Some((&*port.dev, (counters, frame.len())))
            };
            let way = way();
            if way.is_none() {
                trunk.statistics.count(Count::TxNoPort, context);
            }
            way
        },
        |(counters, len)| {
            counters.count(len);
            dev.count_transmitted(len, context);
        },
        context,
    );
}

/// The number that names a frame's bucket. `None` if it has no Ethernet header.
fn index(trunk: &Trunk, selector: Selector, skb: &mut SkBuff) -> Option<u32> {
    if skb.tx_header().is_none() && !skb.pull(EthHeader::LEN as u32) {
        return None;
    }
    let flow = match selector {
        Selector::Flow => Some(flow(trunk, skb)),
        _ => None,
    };
    let header = skb.tx_header()?;
    selector.index(header.dst.octets(), header.src.octets(), || flow)
}

/// The hash of a frame's flow. Whoever sees the frame after this has it, too: a port with several
/// queues chooses one by it.
fn flow(trunk: &Trunk, skb: &mut SkBuff) -> u32 {
    if let Some(hash) = skb.hash() {
        return hash;
    }
    let mut hash = trunk.flow_key.hash(skb.linear());
    // Headers that are in pieces get into one, so that frames have the hash that XDP has for them.
    let len = skb.len().min(flow::ENOUGH as u32);
    if hash.is_none() && skb.linear().len() < len as usize && skb.pull(len) {
        hash = trunk.flow_key.hash(skb.linear());
    }
    match hash {
        Some(hash) => {
            skb.set_hash(hash);
            hash
        }
        None => skb.flow_hash(),
    }
}

/// Returns the port that carries the bucket of `index`.
#[inline(always)]
fn port<'a>(
    dev: &Device<Trunk>,
    trunk: &'a Trunk,
    table: &'a Table,
    index: u32,
    context: &'a RcuBh,
) -> Option<&'a Lower<Trunk>> {
    let named = |table: &Table| trunk.port_in(table.slot(table.bucket(index)), context);
    match named(table) {
        Some(port) if port.dev.is_operational() => Some(port),
        // There may be another table by then.
        _ => brought_up_to_date(dev, || named(trunk.table.get(context)), context),
    }
}

/// The port that is `named`, once the tables are as the ports are now.
#[cold]
fn brought_up_to_date<'a>(
    dev: &Device<Trunk>,
    named: impl Fn() -> Option<&'a Lower<Trunk>>,
    context: &RcuBh,
) -> Option<&'a Lower<Trunk>> {
    switch::follow_links(dev, context);
    match named() {
        // Somebody else has noticed, and is just changing the table.
        Some(port) if !port.dev.is_operational() => {
            switch::wait_for_change(dev.data());
            named()
        }
        port => port,
    }
}
