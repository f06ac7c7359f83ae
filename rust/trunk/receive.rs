// SPDX-License-Identifier: GPL-2.0

//! A frame's way in.

use crate::{
    probe,
    pure::state::Input,
    stats::Count,
    switch,
    trunk::{
        Port,
        Trunk,
        Watch, //
    }, //
};
use netdev::{
    addr::MacAddr,
    device::Device,
    lower::Lower,
    rcu::RcuBh,
    rx_handler::{
        RxHandler,
        RxResult, //
    },
    skb::{
        DropReason,
        Received, //
    },
    time, //
};

impl RxHandler<Trunk> for Port {
    #[inline(always)]
    fn passes(&self, upper: &Device<Trunk>, skb: &Received) -> bool {
        match skb.is_for_host() {
            true => !self.is_probe(skb) && self.takes(true),
            false => {
                let mac = upper.data().mac();
                skb.is_for_other() && skb.header().src_differs(mac, self.own_bits())
            }
        }
    }

    /// The trunk gets one copy of a frame that a switch floods to all ports, as long as it uses one
    /// port to the switch, and none of a frame that it has sent itself. Frames of a link's own
    /// protocols, such as LLDP, come to the trunk from each port in use, and stay with any other port.
    /// Probes are for nobody else. A frame of another protocol with the EtherType of probes is treated
    /// as any frame.
    fn receive(&self, upper: &Device<Trunk>, mut skb: Received, context: &RcuBh) -> RxResult {
        let trunk = upper.data();
        let count = |what| trunk.statistics.count(what, context);

        // To another station, it is no probe.
        if self.is_probe(&skb) && self.is_addressed(&skb) {
            match probe::on_frame(self, skb, context) {
                Some(other) => skb = other,
                None => return RxResult::Consumed,
            }
        }
        // The port may have kept an address of its own, and take the trunk's for that of another
        // host.
        let own = !skb.is_for_host() && (is_own(upper, &skb) || comes_back(trunk, &skb));
        if skb.is_for_other() && !own && skb.header().dst.to_u64() == trunk.mac() {
            skb.set_for_host();
        }
        let for_host = skb.is_for_host();
        if for_host || skb.is_for_other() && !own {
            if switch::takes_unicast_from(upper, self, for_host, context) {
                return RxResult::Another(skb);
            }
            count(Count::RxUnicastFiltered);
            return RxResult::Exact(skb);
        }
        let is_copy = skb.header().dst.is_broadcast()
            && trunk.live.watch() != Watch::Off
            && look_for_copies(upper, self, &skb, own, context);
        let of_link = is_of_link(&skb);
        if of_link && (own || !trunk.live.in_use().contains(self.id)) {
            RxResult::Pass(skb)
        } else if own {
            count(Count::RxOwnSource);
            skb.into_frame().drop_for(DropReason::LOCAL_MAC);
            RxResult::Consumed
        } else if of_link || !is_copy && switch::accepts_groups_from(upper, self, context) {
            if !skb.header().dst.is_broadcast() {
                count(Count::RxMulticast);
            }
            RxResult::Another(skb)
        } else {
            count(Count::RxMulticastFiltered);
            // Sockets that listen to the port itself may still want it.
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

/// Has the state know what the broadcast shows of the far end. Returns whether the trunk has had a copy
/// of it, from another port, just because it did not expect any.
#[cold]
fn look_for_copies(
    dev: &Device<Trunk>,
    port: &Port,
    skb: &Received,
    own: bool,
    context: &RcuBh,
) -> bool {
    let trunk = dev.data();
    let linked = |port: &&Lower<Trunk>| port.dev.has_link(context);
    // Nothing comes twice by a single link.
    if trunk.ports(context).filter(linked).nth(1).is_none() {
        return false;
    }
    let shown = trunk.broadcasts.came(skb, port.id, own);
    let known = trunk.live.watch() == Watch::OneCopy;
    let Some(one) = shown.filter(|one| *one != known) else {
        return false;
    };
    switch::step_later(dev, Input::OneCopy(one));
    known
}

/// Returns whether the trunk itself has sent the frame.
fn is_own(dev: &Device<Trunk>, skb: &Received) -> bool {
    !skb.header().src_differs(dev.data().mac(), MacAddr::BITS)
}

/// Returns whether the frame is of a machine behind the trunk.
fn comes_back(trunk: &Trunk, skb: &Received) -> bool {
    let source = || skb.header().src.to_u64();
    trunk.live.echoes() && trunk.echoes.comes_back(source(), time::monotonic_ns())
}

/// Returns whether the frame is about the cable that it has come by: LLDP, LACP, 802.1X. Sockets on the
/// port get it in any case, also if the trunk receives it. The frames of the spanning tree of bridges
/// are none of these: for a bridge the trunk is one link.
fn is_of_link(skb: &Received) -> bool {
    let dst = &skb.header().dst;
    dst.is_link_local() && !dst.is_bridge_group()
}
