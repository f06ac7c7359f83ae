// SPDX-License-Identifier: GPL-2.0

//! A frame's way in.

use crate::{
    probe,
    stats::Count,
    switch,
    trunk::{
        Port,
        Trunk, //
    }, //
};
use netdev::{
    addr::MacAddr,
    device::Device,
    rcu::RcuBh,
    rx_handler::{
        RxHandler,
        RxResult, //
    },
    skb::{
        DropReason,
        Received, //
    },
};

impl RxHandler<Trunk> for Port {
    #[inline(always)]
    fn passes(&self, upper: &Device<Trunk>, skb: &Received) -> bool {
        match skb.is_for_host() {
            true => !self.is_probe(skb),
            false => {
                let mac = upper.data().mac();
                skb.is_for_other() && skb.header().src_differs(mac, self.own_bits())
            }
        }
    }

    /// Of what a switch floods to all ports, the trunk gets one copy, and nothing that it has sent
    /// itself. Frames to link-local addresses stay with the port; probes are nobody else's. Frames
    /// of other protocols under the EtherType of probes are like any. But what bridges build their
    /// spanning tree with is for the trunk: to a bridge that is one link, not several.
    fn receive(&self, upper: &Device<Trunk>, mut skb: Received, context: &RcuBh) -> RxResult {
        let trunk = upper.data();
        let count = |what| trunk.statistics.count(what, context);

        // With a tag, or to another station, it is no probe.
        if self.is_probe(&skb) && !skb.has_tag() && self.is_addressed(&skb) {
            match probe::on_frame(self, skb, context) {
                Some(other) => skb = other,
                None => return RxResult::Consumed,
            }
        }
        if skb.is_for_host() {
            RxResult::Another(skb)
        } else if skb.is_for_other() && !is_own(upper, &skb) {
            // The port has kept an address of its own, and takes the trunk's for another's.
            if skb.header().dst.to_u64() == trunk.mac() {
                skb.set_for_host();
            }
            RxResult::Another(skb)
        } else if stays_with_port(&skb) {
            RxResult::Pass(skb)
        } else if is_own(upper, &skb) {
            count(Count::RxOwnSource);
            skb.into_frame().drop_for(DropReason::LOCAL_MAC);
            RxResult::Consumed
        } else if switch::accepts_groups_from(upper, self, context) {
            if !skb.header().dst.is_broadcast() {
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
    /// Returns whether the frame has the EtherType of probes.
    #[inline(always)]
    fn is_probe(&self, skb: &Received) -> bool {
        skb.is_of(self.probe_type())
    }

    /// Returns whether the frame is for the trunk or its port, or for a group.
    fn is_addressed(&self, skb: &Received) -> bool {
        !skb.is_for_other() || skb.header().dst.to_u64() == self.trunk.data().mac()
    }
}

/// Returns whether the frame was sent by the trunk itself.
fn is_own(dev: &Device<Trunk>, skb: &Received) -> bool {
    !skb.header().src_differs(dev.data().mac(), MacAddr::BITS)
}

/// Is the frame meant for whoever is at this end of the cable, and not for the trunk as a whole?
fn stays_with_port(skb: &Received) -> bool {
    let dst = &skb.header().dst;
    dst.is_link_local() && !dst.is_bridge_group()
}
