// SPDX-License-Identifier: GPL-2.0

//! A frame's way in.

use crate::{
    device::Trunk,
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
    type Upper = Trunk;

    #[inline(always)]
    fn receive<'a>(&'a self, skb: SkBuff, context: &'a RcuBh) -> RxResult<'a, Trunk> {
        if skb.is_for_host() {
            RxResult::Another(skb, &self.trunk)
        } else {
            self.filter(skb, context)
        }
    }
}

impl Port {
    /// A frame to a group, or to another station. Those to link-local addresses stay with the port.
    /// Of what a switch floods to all ports, the trunk gets one copy, and nothing that it has sent
    /// itself.
    #[inline(never)]
    fn filter<'a>(&'a self, skb: SkBuff, context: &'a RcuBh) -> RxResult<'a, Trunk> {
        let trunk = self.trunk.data().get_ref();
        let count = |what| trunk.statistics.count(context.cpu(), what);
        let header = skb.rx_header();
        let group = header.dst.is_multicast();

        if group && header.dst.is_link_local() {
            return RxResult::Pass(skb);
        }
        if header.src.to_u64() == trunk.mac() {
            count(Count::RxOwnSource);
            skb.drop_for(DropReason::LOCAL_MAC);
            return RxResult::Consumed;
        }
        if group {
            if !trunk.table.accepts_groups_from(self, &self.trunk, context) {
                count(Count::RxMulticastFiltered);
                // Who listens to the port itself may still want it.
                return RxResult::Exact(skb);
            }
            count(Count::RxMulticast);
        }
        RxResult::Another(skb, &self.trunk)
    }
}
