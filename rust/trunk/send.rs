// SPDX-License-Identifier: GPL-2.0

//! A frame's way out: selector, bucket, slot, port.

use crate::{
    pure::{
        flow,
        port::{
            Slot,
            NO_PORT, //
        },
        selector::Selector, //
    },
    stats::Count,
    switch,
    table::{
        Counters,
        Table, //
    },
    trunk::{
        Trunk,
        Watch, //
    }, //
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
    time,
    xdp::Frames, //
};

/// Sends a frame by the port that carries its bucket, or by the link of the claim that it belongs
/// to. Takes no lock, unless the port has just failed: then the frame itself switches the table
/// over, and is not lost.
///
/// Returns what the port's queueing discipline says of the frame, or success if the trunk itself
/// drops it.
#[inline(always)]
pub(crate) fn transmit(dev: &Device<Trunk>, skb: SkBuff, context: &RcuBh) -> Xmit {
    let spread = |skb: &SkBuff| Some(dev.data().flow_key.spread(skb.hash()?));
    plainly(dev, skb, context, spread, |skb| hashed(skb, dev, context))
}

/// Sends a frame that needs no preparation: it has all that its selector asks for, and its port can
/// send. `flow` returns what selects by its flow. Nothing is called before the port has the frame. Any
/// other frame is handed to `otherwise`.
#[inline(always)]
fn plainly(
    dev: &Device<Trunk>,
    skb: SkBuff,
    context: &RcuBh,
    flow: impl FnOnce(&SkBuff) -> Option<u32>,
    otherwise: impl FnOnce(SkBuff) -> Xmit,
) -> Xmit {
    let trunk = dev.data();
    let way = || {
        let table = trunk.table.get(context);
        let header = skb.tx_header()?;
        let (dst, src) = (header.dst.octets(), header.src.octets());
        let bucket = table.bucket(table.index(dst, src, || flow(&skb))?);
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
// The arguments are in the registers in which the core passes them, so the caller moves none.
#[inline(never)]
fn hashed(mut skb: SkBuff, dev: &Device<Trunk>, context: &RcuBh) -> Xmit {
    let trunk = dev.data();
    if trunk.table.get(context).selector == Selector::Flow && skb.hash().is_none() {
        if let Some(hash) = trunk.flow_key.hash(skb.linear()) {
            skb.set_hash(hash);
            let otherwise = |skb| otherwise(skb, dev, Some(hash), context);
            return plainly(dev, skb, context, |_| Some(hash), otherwise);
        }
    }
    otherwise(skb, dev, None, context)
}

/// Sends a frame that needs more: there are claims, or it is for a group, or its headers are in
/// pieces, or its flow is one that only the kernel can hash, or its port cannot send. `flow` selects by
/// its flow, if that is known.
#[cold]
#[inline(never)]
fn otherwise(mut skb: SkBuff, dev: &Device<Trunk>, flow: Option<u32>, context: &RcuBh) -> Xmit {
    let trunk = dev.data();
    let table = trunk.table.get(context);
    if trunk.live.echoes() {
        let source = skb.tx_header().map(|header| header.src.to_u64());
        if let Some(source) = source.filter(|source| *source != trunk.mac()) {
            trunk.echoes.left(source, time::monotonic_ns());
        }
    }
    if table.has_marks() {
        if let Some(port) = claimed(dev, skb.mark(), context) {
            return send(dev, None, &port.dev, skb, context);
        }
    }
    let Some(address) = address(trunk, table.selector, flow, &mut skb) else {
        return drop(dev, skb, DropReason::PKT_TOO_SMALL, context);
    };
    let Some(port) = port(dev, trunk, address, context) else {
        return drop(dev, skb, DropReason::DEV_READY, context);
    };
    let is_broadcast = || {
        skb.tx_header()
            .is_some_and(|header| header.dst.is_broadcast())
    };
    if trunk.live.watch() != Watch::Off && is_broadcast() {
        trunk.broadcasts.left(&skb);
    }
    let counters = table.counters(table.bucket(address.index), context);
    send(dev, Some(counters), &port.dev, skb, context)
}

/// Sends a frame by `port`, and counts it; if the port takes it, also in the bucket of `counters`.
/// A frame of a claim counts in no bucket.
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

/// Sends a frame of netpoll by the port that is to carry it, or, if that port has failed, by any
/// port that is `act`. Notifies nobody: this may have interrupted the holder of the state's
/// lock.
pub(crate) fn transmit_netpoll(dev: &Device<Trunk>, mut skb: SkBuff, context: &RcuIrq) -> Xmit {
    let trunk = dev.data();
    let table = trunk.table.get(context);
    let address = address(trunk, table.selector, None, &mut skb);
    let port = address
        .and_then(|address| trunk.port_in(slot(trunk, table, address), context))
        .filter(|port| port.dev.has_link(context));
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

/// Returns the link of the claim that frames of that mark belong to. `None` without a claim, and
/// while the claim has no link: then a frame goes by its bucket.
fn claimed<'a>(dev: &'a Device<Trunk>, mark: u32, context: &'a RcuBh) -> Option<&'a Lower<Trunk>> {
    let trunk = dev.data();
    let link = || trunk.port(trunk.live.claimed(mark)?, context);
    match link() {
        Some(port) if !port.dev.has_link(context) => brought_up_to_date(dev, link, context),
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

/// Sends frames that XDP programs have redirected to the trunk. They have no mark, so they belong
/// to no claim: each leaves by its bucket, or as a group does.
pub(crate) fn transmit_xdp(dev: &Device<Trunk>, frames: &mut Frames<'_>, context: &RcuBh) {
    let trunk = dev.data();
    frames.send(
        |frame| {
            let way = || {
                let table = trunk.table.get(context);
                let header = frame.header()?;
                let (dst, src) = (header.dst.octets(), header.src.octets());
                let flow = || {
                    let (key, bytes) = (&trunk.flow_key, frame.linear());
                    let others = || key.dissected(bytes, frame.flow_hash(dev));
                    Some(key.hash(bytes).unwrap_or_else(others))
                };
                let address = Address {
                    index: table.selector.index(dst, src, flow)?,
                    group: header.dst.is_multicast(),
                };
                let port = port(dev, trunk, address, context)?;
                let counters = table.counters(table.bucket(address.index), context);
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

/// What decides by which port a frame leaves.
#[derive(Clone, Copy)]
struct Address {
    /// The number whose low bits name its bucket.
    index: u32,
    /// It is for a group.
    group: bool,
}

/// Returns what decides by which port a frame leaves. `None` if it has no Ethernet header. `known`
/// selects by its flow, if that is known.
fn address(
    trunk: &Trunk,
    selector: Selector,
    known: Option<u32>,
    skb: &mut SkBuff,
) -> Option<Address> {
    if skb.tx_header().is_none() && !skb.pull(EthHeader::LEN as u32) {
        return None;
    }
    let flow = match selector {
        Selector::Flow => Some(known.unwrap_or_else(|| flow(trunk, skb))),
        _ => None,
    };
    let header = skb.tx_header()?;
    Some(Address {
        index: selector.index(header.dst.octets(), header.src.octets(), || flow)?,
        group: header.dst.is_multicast(),
    })
}

/// Returns what selects by the flow of a frame, and writes its hash into the frame, unless it has one: a
/// port with several queues chooses one by it.
fn flow(trunk: &Trunk, skb: &mut SkBuff) -> u32 {
    if let Some(hash) = skb.hash() {
        return trunk.flow_key.spread(hash);
    }
    let mut hash = trunk.flow_key.hash(skb.linear());
    // Headers in pieces are put into one piece, so that a frame has the hash that XDP computes for
    // it.
    let len = skb.len().min(flow::ENOUGH as u32);
    if hash.is_none() && skb.linear().len() < len as usize && skb.pull(len) {
        hash = trunk.flow_key.hash(skb.linear());
    }
    let hash = hash.unwrap_or_else(|| {
        let hash = skb.flow_hash();
        trunk.flow_key.dissected(skb.linear(), hash)
    });
    skb.set_hash(hash);
    hash
}

/// Returns the slot of the port that is to carry a frame: that of its bucket, unless one port
/// carries all groups.
#[inline(always)]
fn slot(trunk: &Trunk, table: &Table, address: Address) -> Slot {
    let groups = trunk.live.groups();
    match address.group && groups != NO_PORT {
        true => groups,
        false => table.slot(table.bucket(address.index)),
    }
}

/// Returns the port that is to carry a frame.
#[inline(always)]
fn port<'a>(
    dev: &Device<Trunk>,
    trunk: &'a Trunk,
    address: Address,
    context: &'a RcuBh,
) -> Option<&'a Lower<Trunk>> {
    let named = || trunk.port_in(slot(trunk, trunk.table.get(context), address), context);
    match named() {
        Some(port) if port.dev.has_link(context) => Some(port),
        // There may be another table by then.
        _ => brought_up_to_date(dev, named, context),
    }
}

/// Brings the table up to date with the links, and returns the port that is `named` then.
#[cold]
fn brought_up_to_date<'a>(
    dev: &Device<Trunk>,
    named: impl Fn() -> Option<&'a Lower<Trunk>>,
    context: &RcuBh,
) -> Option<&'a Lower<Trunk>> {
    switch::follow_links(dev, context);
    match named() {
        // Another CPU has noticed before, and is just changing the table.
        Some(port) if !port.dev.has_link(context) => {
            switch::wait_for_change(dev.data());
            named()
        }
        port => port,
    }
}
