// SPDX-License-Identifier: GPL-2.0

//! The trunk device: what the kernel asks of it.

use crate::{
    announce,
    auto_join,
    compare,
    control,
    enslave,
    probe,
    pure::{
        state::{
            Ending,
            Input, //
        }, //
    },
    send,
    settle::{
        settle,
        Busy, //
    },
    stats,
    switch,
    trunk::{
        Port,
        Trunk, //
    },
    undo::undo,
    xdp, //
};
use kernel::prelude::*;
use netdev::{
    addr::MacAddr,
    addr_lists::AddrLists,
    device::{
        Device,
        NetDevice, //
    },
    driver::{
        Driver,
        Setup, //
    },
    ethtool::LinkSettings,
    features::Features,
    link_ops::{self, LinkOps},
    net::Net,
    netlink::{
        Attributes,
        ExtAck,
        Message, //
    },
    rcu::{
        read_lock,
        read_lock_bh,
        RcuBh,
        RcuIrq, //
    },
    rtnl::Rtnl,
    skb::{
        SkBuff,
        Xmit, //
    },
    stats::LinkStats,
    time,
    vlan::Vlan,
    xdp::{
        Frames,
        Program, //
    },
};

/// Time until RTNL is tried again, in ms.
const RETRY: u32 = 2;

const NSEC_PER_MSEC: u64 = 1_000_000;

/// Notes that the trunk receives frames of a VLAN, or does not any more. Service VLANs are not tested.
fn note_vlan(dev: &Device<Trunk>, vlan: Vlan, used: bool) {
    if let Some(id) = vlan.customer() {
        switch::step_later(dev, Input::Vlan(id, used));
    }
}

/// The trunk `dev` has been brought up or down.
fn up(dev: &Device<Trunk>, up: bool, rtnl: &Rtnl) {
    switch::step_later(dev, Input::Up(up));
    probe::run(dev, rtnl);
}

#[vtable]
impl Driver for Trunk {
    const KIND: &'static CStr = c"trunk";
    const STATISTICS: &'static [&'static CStr] = stats::NAMES;
    type Port = Port;

    fn link_ops() -> &'static LinkOps<Self> {
        static OPS: LinkOps<Trunk> = LinkOps::new();
        &OPS
    }

    fn setup(setup: &mut Setup) {
        // Largest MTU of Ethernet devices whose hardware sets no limit.
        const ETH_MAX_MTU: u32 = 0xffff;

        setup
            .queueless()
            .stacked()
            .live_address_change()
            .netns_immutable()
            .no_carrier()
            .max_mtu(ETH_MAX_MTU)
            .random_mac()
            .features(
                Features::MASTER_UPPER
                    | Features::GSO_ENCAP_ALL
                    | Features::VLAN_FILTER
                    | Features::VLAN_TX,
            );
    }

    fn settings() -> Option<link_ops::Settings> {
        control::link_settings()
    }

    fn configure(
        dev: &Device<Self>,
        settings: Attributes<'_>,
        extack: &mut ExtAck<'_>,
        rtnl: &Rtnl,
    ) -> Result {
        control::link_set(dev, settings, extack, rtnl)
    }

    const DESCRIPTION_SIZE: usize = control::TRUNK_SIZE;

    fn describe(dev: &Device<Self>, message: &mut Message<'_>) -> Result {
        control::link_get(dev, message)
    }

    fn port_settings() -> Option<link_ops::Settings> {
        control::link_port_settings()
    }

    fn configure_port(
        dev: &Device<Self>,
        port: &NetDevice,
        settings: Attributes<'_>,
        extack: &mut ExtAck<'_>,
        rtnl: &Rtnl,
    ) -> Result {
        control::link_set_port(dev, port, settings, extack, rtnl)
    }

    const PORT_DESCRIPTION_SIZE: usize = control::PORT_SIZE;

    fn describe_port(dev: &Device<Self>, port: &NetDevice, message: &mut Message<'_>) -> Result {
        control::link_get_port(dev, port, message)
    }

    fn new(mac: MacAddr) -> impl PinInit<Self, Error> {
        Self::empty(mac)
    }

    #[inline]
    fn transmit(dev: &Device<Self>, skb: SkBuff, context: &RcuBh) -> Xmit {
        send::transmit(dev, skb, context)
    }

    fn open(dev: &Device<Self>, rtnl: &Rtnl) -> Result {
        up(dev, true, rtnl);
        Ok(())
    }

    fn stop(dev: &Device<Self>, rtnl: &Rtnl) {
        up(dev, false, rtnl);
        dev.for_each_port(rtnl, |port, _| dev.unsync_addresses(port, rtnl));
    }

    fn uninit(dev: &Device<Self>, net: &Net, rtnl: &Rtnl) {
        auto_join::end(dev, net, rtnl);
        announce::end(dev, rtnl);
        control::end_claims(dev, Ending::All, net);
        probe::run(dev, rtnl);
        enslave::release_all(dev, rtnl);
    }

    fn link_stats(dev: &Device<Self>, stats: &mut LinkStats) {
        dev.data().statistics.link_stats(stats);
    }

    fn set_mac(dev: &Device<Self>, mac: MacAddr, rtnl: &Rtnl) -> Result {
        let old = dev.mac(rtnl);
        Self::change_all_ports(
            dev,
            rtnl,
            |_, port| enslave::take_mac(port, mac, rtnl),
            |_, port| undo("MAC address", enslave::take_mac(port, old, rtnl)),
        )?;
        switch::set_mac(dev, mac, rtnl);
        Ok(())
    }

    fn change_mtu(dev: &Device<Self>, mtu: u32, rtnl: &Rtnl) -> Result {
        let old = dev.mtu();
        let set = |port: &NetDevice, mtu| port.set_mtu(mtu, rtnl);
        Self::change_all_ports(
            dev,
            rtnl,
            |port, _| set(port, mtu),
            |port, _| undo("MTU", set(port, old)),
        )?;
        switch::step_later(dev, Input::Mtu);
        Ok(())
    }

    fn add_vlan(dev: &Device<Self>, vlan: Vlan, rtnl: &Rtnl) -> Result {
        Self::change_all_ports(
            dev,
            rtnl,
            |port, _| port.add_vlan(vlan, rtnl),
            |port, _| port.remove_vlan(vlan, rtnl),
        )?;
        note_vlan(dev, vlan, true);
        Ok(())
    }

    fn remove_vlan(dev: &Device<Self>, vlan: Vlan, rtnl: &Rtnl) {
        dev.for_each_port(rtnl, |port, _| port.remove_vlan(vlan, rtnl));
        note_vlan(dev, vlan, false);
    }

    fn set_rx_mode(dev: &Device<Self>, lists: AddrLists<'_>, rcu: &RcuBh) {
        for port in dev.data().ports(rcu) {
            lists.sync_to(&port.dev);
        }
    }

    fn change_rx_flags(
        dev: &Device<Self>,
        promiscuous: Option<bool>,
        all_multicast: Option<bool>,
        rtnl: &Rtnl,
    ) {
        if let Some(on) = promiscuous {
            switch::step_later(dev, Input::Promiscuous(on));
        }
        dev.for_each_port(rtnl, |port, _| {
            // A port that refuses receives less than it should. The other ports are not affected.
            let heard = promiscuous
                .map_or(Ok(()), |on| port.promiscuous(on, rtnl))
                .and(all_multicast.map_or(Ok(()), |on| port.all_multicast(on, rtnl)));
            if heard.is_err() {
                pr_warn!("{}: a port refuses a receive mode\n", dev.name(rtnl));
            }
        });
    }

    fn transmit_netpoll(dev: &Device<Self>, skb: SkBuff, context: &RcuIrq) -> Xmit {
        send::transmit_netpoll(dev, skb, context)
    }

    fn poll(dev: &Device<Self>, context: &RcuIrq) {
        for port in dev.data().ports(context) {
            port.dev.poll(context);
        }
    }

    fn add_port(
        dev: &Device<Self>,
        port: &NetDevice,
        extack: &mut ExtAck<'_>,
        rtnl: &Rtnl,
    ) -> Result {
        let settings = dev.data().missing.settings_of(port, rtnl);
        enslave::join(dev, port, settings.unwrap_or_default(), extack, rtnl)
    }

    fn del_port(dev: &Device<Self>, port: &NetDevice, rtnl: &Rtnl) -> Result {
        enslave::leave(dev, port, false, rtnl)
    }

    fn set_program(
        dev: &Device<Self>,
        program: Option<Program>,
        extack: &mut ExtAck<'_>,
        rtnl: &Rtnl,
    ) -> Result {
        xdp::set(dev, program, extack, rtnl)
    }

    fn transmit_xdp(dev: &Device<Self>, frames: &mut Frames<'_>, context: &RcuBh) {
        send::transmit_xdp(dev, frames, context);
    }

    fn link_settings(dev: &Device<Self>, rtnl: &Rtnl) -> LinkSettings {
        let in_use = dev.data().state.lock().view().in_use;
        let mut sum = LinkSettings::default();
        dev.for_each_port(rtnl, |port, data| {
            if !port.is_operational() || !in_use.contains(data.id) {
                return;
            }
            if let Some((speed, full)) = port.link_speed(rtnl) {
                sum.speed = Some(sum.speed.unwrap_or(0).saturating_add(speed));
                sum.full_duplex = Some(full && sum.full_duplex.unwrap_or(true));
            }
        });
        sum
    }

    fn work(dev: &Device<Self>) {
        let joined = auto_join::admit(dev);
        // A port that has waited long enough gets its buckets back.
        let effects = probe::step_and_send(dev, Input::Links, &read_lock_bh());
        if effects.paths {
            probe::send_path_tests(dev);
        }
        let wait = dev.data().state.lock().failback_in(time::monotonic_ns());
        let wait = wait.map(|ns| {
            let ms = ns.div_ceil(NSEC_PER_MSEC);
            u32::try_from(ms).unwrap_or(u32::MAX).max(1)
        });
        control::notify(dev);
        let again = joined.and(settle(dev)).err().map(|Busy| RETRY);
        if let Some(ms) = [
            wait,
            again,
            announce::go_on(dev),
            compare::read_counters(dev),
        ]
        .into_iter()
        .flatten()
        .min()
        {
            dev.schedule_work(ms);
        }
    }

    fn timer(dev: &Device<Self>, context: &RcuBh) -> Option<u64> {
        let effects = probe::step_and_send(dev, Input::Time, context);
        if effects.paths {
            dev.schedule_work(0);
        }
        effects.next
    }

    fn statistics(dev: &Device<Self>, figures: &mut [u64]) {
        let trunk = dev.data();
        // A failure that nobody has noticed yet counts, too.
        switch::follow_links(dev, &read_lock());
        let totals = *trunk.state.lock().totals();
        trunk.statistics.named(&totals, figures);
    }
}

#[kunit_tests(trunk_device)]
mod tests {
    use super::*;
    use netdev::link_ops::Registration;

    #[test]
    fn a_kind_is_registered_once_at_a_time() {
        // If the module is loaded already, the first is not the first.
        let first = Registration::<Trunk>::new();
        assert!(matches!(Registration::<Trunk>::new(), Err(err) if err == EEXIST));
        drop(first);
    }
}
