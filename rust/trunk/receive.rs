// SPDX-License-Identifier: GPL-2.0

//! A frame's way in.

use crate::{
    device::Trunk,
    port::Port,
    stats::Count, //
};
use netdev::{
    device::Device,
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
    fn upper(&self) -> &Device<Trunk> {
        &self.trunk
    }

    #[inline(always)]
    fn passes(&self, skb: &SkBuff) -> bool {
        skb.is_for_host() || (skb.is_for_other() && !self.is_own(skb))
    }

    /// Of what a switch floods to all ports, the trunk gets one copy, and nothing that it has sent
    /// itself. Frames to link-local addresses stay with the port.
    fn receive(&self, skb: SkBuff, context: &RcuBh) -> RxResult {
        let trunk = self.trunk.data().get_ref();
        let count = |what| trunk.statistics.count(context.cpu(), what);

        if skb.rx_header().dst.is_link_local() {
            RxResult::Pass(skb)
        } else if self.is_own(&skb) {
            count(Count::RxOwnSource);
            skb.drop_for(DropReason::LOCAL_MAC);
            RxResult::Consumed
        } else if trunk.table.accepts_groups_from(self, &self.trunk, context) {
            if !skb.rx_header().dst.is_broadcast() {
                count(Count::RxMulticast);
            }
            RxResult::Another(skb)
        } else {
            count(Count::RxMulticastFiltered);
            // Who listens to the port itself may still want it.
            RxResult::Exact(skb)
        }
    }
}

impl Port {
    /// Was the frame sent by the trunk itself?
    #[inline(always)]
    fn is_own(&self, skb: &SkBuff) -> bool {
        skb.rx_header().src_u64() == self.trunk.data().mac()
    }
}
