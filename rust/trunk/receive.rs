// SPDX-License-Identifier: GPL-2.0

//! A frame's way in.

use crate::{
    port::Port,
    stats::Count, //
};
use netdev::{
    rcu::RcuBh,
    rx_handler::{
        RxHandler,
        RxResult, //
    },
    skb::{
        DropReason,
        SkBuff, //
    },
};

impl RxHandler for Port {
    /// Frames to link-local addresses stay with the port. Of what a switch floods to all ports, the
    /// trunk gets one copy, and nothing that it has sent itself.
    #[inline]
    fn receive<'a>(&'a self, skb: SkBuff, context: &'a RcuBh) -> RxResult<'a> {
        let trunk = self.trunk.data().get_ref();
        let cpu = context.cpu();
        let header = skb.rx_header();
        let group = header.dst.is_multicast();

        if group && header.dst.is_link_local() {
            return RxResult::Pass(skb);
        }
        if header.src.to_u64() == trunk.mac() {
            trunk.statistics.count(cpu, Count::RxOwnSource, None);
            skb.drop_for(DropReason::LOCAL_MAC);
            return RxResult::Consumed;
        }
        if group {
            if !trunk.table.accepts_groups_from(self, &self.trunk, context) {
                trunk.statistics.count(cpu, Count::RxMulticastFiltered, None);
                // Who listens to the port itself may still want it.
                return RxResult::Exact(skb);
            }
            trunk.statistics.count(cpu, Count::RxMulticast, None);
        }
        let octets = Some((Count::RxOctets, skb.len()));
        trunk.statistics.count(cpu, Count::RxFrames, octets);
        RxResult::Another(skb, &self.trunk)
    }
}
