// SPDX-License-Identifier: GPL-2.0

//! The trunk device: what the kernel asks of it.

use crate::{
    module_parameters,
    port::Port,
    pure::{
        port::PortId,
        selector::Selector,
        MAX_BITS,
        MAX_PORTS, //
    },
    send,
    stats::{self, Statistics},
    table::Table, //
};
use core::sync::atomic::{
    AtomicU64,
    Ordering, //
};
use kernel::{
    prelude::*,
    sync::rcu, //
};
use netdev::{
    addr::MacAddr,
    device::{
        AddrSource,
        Device,
        NetDevice, //
    },
    driver::{
        Driver,
        Setup, //
    },
    ethtool::LinkSettings,
    features::Features,
    link_ops::LinkOps,
    netlink::ExtAck,
    rcu::{
        Rcu,
        RcuBh,
        Slot, //
    },
    rtnl::Rtnl,
    skb::SkBuff,
    stats::LinkStats,
    upper::{
        AddrLists,
        LagHash, //
    },
};

/// What a new trunk begins with.
#[derive(Clone, Copy)]
pub(crate) struct Defaults {
    /// M: the table has 2^M buckets.
    pub(crate) bits: u32,
    pub(crate) selector: Selector,
}

impl Defaults {
    /// From the module's parameters.
    ///
    /// # Errors
    ///
    /// `EINVAL` where one is out of range; the kernel's log says which.
    pub(crate) fn from_parameters() -> Result<Self> {
        let bits = module_parameters::bits.value();
        if bits > MAX_BITS {
            pr_err!("bits: {bits} is out of range 0..{MAX_BITS}\n");
            return Err(EINVAL);
        }
        let number = module_parameters::selector.value();
        let Some(selector) = Selector::from_u32(number) else {
            pr_err!(
                "selector: {number} is out of range 0..{}\n",
                Selector::ALL.len().saturating_sub(1)
            );
            return Err(EINVAL);
        };
        Ok(Self { bits, selector })
    }
}

/// What each trunk device has.
#[pin_data]
pub(crate) struct Trunk {
    /// The ports that carry frames, by number. Changed under RTNL.
    pub(crate) ports: [Slot<Port>; MAX_PORTS],
    #[pin]
    pub(crate) table: Table,
    pub(crate) selector: Selector,
    pub(crate) statistics: Statistics,
    /// The trunk's own MAC address, to be compared with each frame's in one piece.
    mac: AtomicU64,
}

impl Trunk {
    /// The trunk's own MAC address, as [`MacAddr::to_u64`].
    #[inline(always)]
    pub(crate) fn mac(&self) -> u64 {
        self.mac.load(Ordering::Relaxed)
    }

    /// The port of that number.
    #[inline(always)]
    pub(crate) fn port<'a>(&'a self, id: PortId, rcu: &'a Rcu) -> Option<&'a Port> {
        self.ports.get(id.index())?.get(rcu)
    }

    /// The ports there are.
    pub(crate) fn ports<'a>(&'a self, rcu: &'a Rcu) -> impl Iterator<Item = &'a Port> {
        self.ports.iter().filter_map(move |slot| slot.get(rcu))
    }

    /// What lower devices are told of the choice of ports.
    pub(crate) fn lag_hash(&self) -> LagHash {
        match self.selector {
            Selector::SmacDmac => LagHash::L2,
            Selector::Flow => LagHash::L34,
            Selector::Dmac | Selector::Smac => LagHash::Unknown,
        }
    }

    /// May the trunk take over the MAC address of its first port? Not one the user has given it.
    pub(crate) fn inherits_mac(dev: &Device<Self>, rtnl: &Rtnl) -> bool {
        let made_up = matches!(
            dev.mac_source(rtnl),
            AddrSource::Random | AddrSource::Stolen
        );
        made_up && !dev.has_ports(rtnl)
    }

    /// Makes a port's MAC address the trunk's.
    pub(crate) fn inherit_mac(dev: &Device<Self>, mac: MacAddr, rtnl: &Rtnl) {
        dev.data().mac.store(mac.to_u64(), Ordering::Relaxed);
        dev.steal_mac(mac, rtnl);
    }

    /// Does `change` to each port; if one refuses, does `undo` to those before it.
    fn change_all_ports(
        dev: &Device<Self>,
        rtnl: &Rtnl,
        change: impl Fn(&NetDevice) -> Result,
        undo: impl Fn(&NetDevice) -> Result,
    ) -> Result {
        let mut result = Ok(());
        let mut changed = 0usize;
        dev.for_each_port(rtnl, |port, _| {
            if result.is_ok() {
                result = change(port);
                if result.is_ok() {
                    changed = changed.saturating_add(1);
                }
            }
        });
        if result.is_err() {
            dev.for_each_port(rtnl, |port, _| {
                if let Some(rest) = changed.checked_sub(1) {
                    changed = rest;
                    if undo(port).is_err() {
                        pr_warn!("{}: a port does not go back\n", dev.name(rtnl));
                    }
                }
            });
        }
        result
    }
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
            .features(Features::MASTER_UPPER | Features::GSO_ENCAP_ALL);
    }

    fn new(dev: &NetDevice, rtnl: &Rtnl) -> impl PinInit<Self, Error> {
        let mac = dev.mac(rtnl).to_u64();
        let defaults = Defaults::from_parameters();
        try_pin_init!(Self {
            ports: [const { Slot::new() }; MAX_PORTS],
            table <- Table::new(defaults?.bits),
            selector: defaults?.selector,
            statistics: Statistics::new()?,
            mac: AtomicU64::new(mac),
        })
    }

    #[inline]
    fn transmit(dev: &Device<Self>, skb: SkBuff, context: &RcuBh) {
        send::transmit(dev, skb, context);
    }

    fn stop(dev: &Device<Self>, rtnl: &Rtnl) {
        dev.for_each_port(rtnl, |port, _| dev.unsync_addresses(port, rtnl));
    }

    fn uninit(dev: &Device<Self>, rtnl: &Rtnl) {
        Port::release_all(dev, rtnl);
    }

    fn link_stats(dev: &Device<Self>, stats: &mut LinkStats) {
        dev.data().statistics.link_stats(stats);
    }

    fn set_mac(dev: &Device<Self>, mac: MacAddr, rtnl: &Rtnl) -> Result {
        let old = dev.mac(rtnl);
        let set = |port: &NetDevice, mac| port.set_mac(mac, &mut ExtAck::none(), rtnl);
        Self::change_all_ports(dev, rtnl, |port| set(port, mac), |port| set(port, old))?;
        dev.data().mac.store(mac.to_u64(), Ordering::Relaxed);
        Ok(())
    }

    fn change_mtu(dev: &Device<Self>, mtu: u32, rtnl: &Rtnl) -> Result {
        let old = dev.mtu();
        let set = |port: &NetDevice, mtu| port.set_mtu(mtu, rtnl);
        Self::change_all_ports(dev, rtnl, |port| set(port, mtu), |port| set(port, old))
    }

    fn set_rx_mode(dev: &Device<Self>, lists: AddrLists<'_, Self>, rcu: &RcuBh) {
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
        dev.for_each_port(rtnl, |port, _| {
            // A port that cannot hears less than it should; the others are not worse off for it.
            let heard = promiscuous
                .map_or(Ok(()), |on| port.promiscuous(on, rtnl))
                .and(all_multicast.map_or(Ok(()), |on| port.all_multicast(on, rtnl)));
            if heard.is_err() {
                pr_warn!("{}: a port refuses a receive mode\n", dev.name(rtnl));
            }
        });
    }

    fn add_port(dev: &Device<Self>, port: &NetDevice, extack: &mut ExtAck, rtnl: &Rtnl) -> Result {
        Port::join(dev, port, extack, rtnl)
    }

    fn del_port(dev: &Device<Self>, port: &NetDevice, rtnl: &Rtnl) -> Result {
        Port::leave(dev, port, false, rtnl)
    }

    fn link_settings(dev: &Device<Self>, rtnl: &Rtnl) -> LinkSettings {
        let mut sum = LinkSettings::default();
        dev.for_each_port(rtnl, |port, _| {
            if !port.is_operational() {
                return;
            }
            if let Some((speed, full)) = port.link_speed(rtnl) {
                sum.speed = Some(sum.speed.unwrap_or(0).saturating_add(speed));
                sum.full_duplex = Some(full && sum.full_duplex.unwrap_or(true));
            }
        });
        sum
    }

    fn statistics(dev: &Device<Self>, figures: &mut [u64]) {
        let trunk = dev.data();
        // What nobody has noticed yet counts too.
        trunk.table.follow_ports(dev, (&rcu::read_lock()).into());
        trunk.statistics.named(trunk.table.history(), figures);
    }
}
