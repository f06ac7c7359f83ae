// SPDX-License-Identifier: GPL-2.0

//! A frame's way out: selector, bucket, slot, port.

use crate::{
    device::Trunk,
    port::Port,
    pure::selector::Selector,
    stats::Count, //
};
use netdev::{
    device::Device,
    rcu::RcuBh,
    skb::{
        DropReason,
        SkBuff, //
    },
};

/// Sends a frame by the port that carries its bucket. Takes no lock, unless the port has just
/// failed: then the frame itself switches the table over, and is not lost.
#[inline(always)]
pub(crate) fn transmit(dev: &Device<Trunk>, mut skb: SkBuff, context: &RcuBh) {
    let trunk = dev.data().get_ref();
    let cpu = context.cpu();
    let len = skb.len();

    let Some(index) = index(trunk.selector, &mut skb) else {
        trunk.statistics.count(cpu, Count::TxNoPort);
        return skb.drop_for(DropReason::PKT_TOO_SMALL);
    };
    let bucket = trunk.table.bucket(index);
    let Some(port) = port(dev, trunk, bucket, context) else {
        trunk.statistics.count(cpu, Count::TxNoPort);
        return skb.drop_for(DropReason::DEV_READY);
    };

    trunk.table.count(cpu, bucket, len);
    dev.count_transmitted(len, context);
    skb.transmit(&port.dev, context);
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

/// The port that carries `bucket`.
#[inline(always)]
fn port<'a>(
    dev: &Device<Trunk>,
    trunk: &'a Trunk,
    bucket: usize,
    context: &'a RcuBh,
) -> Option<&'a Port> {
    let port = trunk
        .table
        .port(bucket)
        .and_then(|id| trunk.port(id, context));
    match port {
        Some(port) if port.dev.is_operational() => Some(port),
        _ => port_anew(dev, trunk, bucket, context),
    }
}

/// The same, when the port the table names cannot send: what the table says once it has been
/// brought up to date.
#[cold]
fn port_anew<'a>(
    dev: &Device<Trunk>,
    trunk: &'a Trunk,
    bucket: usize,
    context: &'a RcuBh,
) -> Option<&'a Port> {
    trunk.table.follow_ports(dev, context);
    trunk.port(trunk.table.port(bucket)?, context)
}
