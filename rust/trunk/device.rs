// SPDX-License-Identifier: GPL-2.0

//! The trunk device: what the kernel asks of it.

use crate::{
    auto_join::{
        self,
        Waiting, //
    },
    control,
    messages,
    module_parameters,
    port::{
        undo,
        Port, //
    },
    probe::Prober,
    pure::{
        self,
        flow,
        health::View,
        port::{
            PortId,
            PortView, //
        },
        selector::Selector,
        MAX_BITS,
        MAX_PORTS, //
    },
    send,
    stats::{self, Statistics},
    table::Table,
    xdp, //
};
use core::{
    mem,
    sync::atomic::{
        AtomicBool,
        AtomicU64,
        Ordering, //
    }, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        rcu,
        Mutex, //
    }, //
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
    link_ops::{self, LinkOps},
    netlink::{
        Attributes,
        ExtAck,
        Message, //
    },
    random::random_u64,
    rcu::{
        read_lock_bh,
        Rcu,
        RcuBh,
        Slot, //
    },
    rtnl::{
        self,
        Rtnl, //
    },
    skb::{
        SkBuff,
        Xmit, //
    },
    stats::LinkStats,
    upper::{
        AddrLists,
        LagHash, //
    },
    vlan::Vlan,
    xdp::{
        Frames,
        Program, //
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

/// Priority of a port unless the user says otherwise.
const WORKING: u16 = 1;

/// As many as there are slots that are not negative; [`NO_PORT`](crate::pure::port::NO_PORT) names the
/// last.
const PLACES: usize = LAST as usize + 1;
const LAST: u8 = 0x7f;

static_assert!(MAX_PORTS < PLACES);

/// Somebody else holds RTNL.
pub(crate) struct Busy;

/// Until it is tried again, in ms.
const RETRY: u32 = 2;

/// What each trunk device has.
#[pin_data]
pub(crate) struct Trunk {
    /// The ports that carry frames, by number. Changed under RTNL. The last place is always empty: it
    /// is the one that a bucket without a port names.
    pub(crate) ports: [Slot<Port>; PLACES],
    #[pin]
    pub(crate) table: Table,
    #[pin]
    pub(crate) prober: Prober,
    #[pin]
    pub(crate) waiting: Waiting,
    pub(crate) statistics: Statistics,
    /// What the hash of a flow is made with.
    pub(crate) flow_key: flow::Key,
    /// The XDP program that all ports run. Changed under RTNL.
    #[pin]
    pub(crate) program: Mutex<Option<Program>>,
    /// The trunk's own MAC address, to be compared with each frame's in one piece.
    mac: AtomicU64,
    /// The trunk is just giving its ports another MTU. Written under RTNL.
    sets_mtu: AtomicBool,
    /// It is just deriving its features from those of its ports. Written under RTNL.
    derives: AtomicBool,
}

impl Trunk {
    /// The trunk's own MAC address, as [`MacAddr::to_u64`].
    #[inline(always)]
    pub(crate) fn mac(&self) -> u64 {
        self.mac.load(Ordering::Relaxed)
    }

    /// What peers are told.
    pub(crate) fn view(&self) -> View {
        self.table.view(MacAddr::from_u64(self.mac()))
    }

    /// The port of that number.
    #[inline(always)]
    pub(crate) fn port<'a>(&'a self, id: PortId, rcu: &'a Rcu) -> Option<&'a Port> {
        self.ports.get(id.index())?.get(rcu)
    }

    /// The port that a bucket's slot names.
    #[inline(always)]
    pub(crate) fn port_in<'a>(&'a self, slot: pure::port::Slot, rcu: &'a Rcu) -> Option<&'a Port> {
        self.ports.get(usize::from(slot as u8 & LAST))?.get(rcu)
    }

    /// The ports there are.
    pub(crate) fn ports<'a>(&'a self, rcu: &'a Rcu) -> impl Iterator<Item = &'a Port> {
        self.ports.iter().filter_map(move |slot| slot.get(rcu))
    }

    /// What lower devices are told of the choice of ports.
    pub(crate) fn lag_hash(&self) -> LagHash {
        let guard = rcu::read_lock();
        match self
            .table
            .layout((&guard).into())
            .map(|layout| layout.selector)
        {
            Some(Selector::SmacDmac) => LagHash::L2,
            Some(Selector::Flow) => LagHash::L34,
            Some(Selector::Dmac | Selector::Smac) | None => LagHash::Unknown,
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

    /// Does what follows from changes of the table, but can wait until RTNL is free: those who
    /// watch the ports are told of their states, neighbours of the way that frames take now, and
    /// without claims nothing is tested for them.
    fn settle(dev: &Device<Self>) -> Result<(), Busy> {
        let table = &dev.data().get_ref().table;
        if !table.look(|decided| decided.unsettled) {
            return Ok(());
        }
        // Events are not to wait for it, nor is the next failback.
        let guard = rtnl::try_lock().ok_or(Busy)?;
        let rtnl: &Rtnl = &guard;
        let announce = table.look(|decided| {
            decided.unsettled = false;
            mem::take(&mut decided.announce)
        });
        if !dev.is_registered(rtnl) {
            return Ok(());
        }
        if Prober::settle(dev, dev.is_up(rtnl), rtnl).is_err() {
            pr_warn!("{}: no memory to test its links\n", dev.name(rtnl));
        }
        dev.for_each_port(rtnl, |lower, port| {
            let act =
                table.look(|decided| decided.ports.get(port.id).is_some_and(PortView::is_act));
            dev.lower_state_changed(lower, lower.is_operational(), act, rtnl);
        });
        if announce && dev.is_up(rtnl) {
            dev.notify_peers(rtnl);
            dev.rejoin_groups(rtnl);
        }
        Ok(())
    }

    /// Is the trunk just giving its ports another MTU?
    pub(crate) fn sets_mtu(&self, _rtnl: &Rtnl) -> bool {
        self.sets_mtu.load(Ordering::Relaxed)
    }

    /// Derives what the trunk can do for frames from what its ports can. That may change what a port
    /// may do, which is told of in turn: not again then.
    pub(crate) fn derive_features(dev: &Device<Self>, rtnl: &Rtnl) {
        let derives = &dev.data().get_ref().derives;
        if !derives.swap(true, Ordering::Relaxed) {
            dev.inherit_features(rtnl);
            derives.store(false, Ordering::Relaxed);
        }
    }

    /// Does `change` to each port; if one refuses, does `undo` to those before it.
    pub(crate) fn change_all_ports(
        dev: &Device<Self>,
        rtnl: &Rtnl,
        mut change: impl FnMut(&NetDevice, &Port) -> Result,
        undo: impl Fn(&NetDevice, &Port),
    ) -> Result {
        let mut result = Ok(());
        let mut changed = 0usize;
        dev.for_each_port(rtnl, |port, data| {
            if result.is_ok() {
                result = change(port, data);
                if result.is_ok() {
                    changed = changed.saturating_add(1);
                }
            }
        });
        if result.is_err() {
            dev.for_each_port(rtnl, |port, data| {
                if let Some(rest) = changed.checked_sub(1) {
                    changed = rest;
                    undo(port, data);
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

    const DESCRIPTION_SIZE: usize = messages::TRUNK_SIZE;

    fn describe(dev: &Device<Self>, message: &mut Message<'_>) -> Result {
        control::link_get(dev, message)
    }

    fn new(mac: MacAddr) -> impl PinInit<Self, Error> {
        let mac = mac.to_u64();
        let defaults = Defaults::from_parameters();
        try_pin_init!(Self {
            ports: [const { Slot::new() }; PLACES],
            table <- Table::new(defaults?.bits, defaults?.selector)?,
            prober <- Prober::new(),
            waiting <- Waiting::new(),
            statistics: Statistics::new()?,
            flow_key: flow::Key::new([random_u64(), random_u64()]),
            program <- new_mutex!(None),
            mac: AtomicU64::new(mac),
            sets_mtu: AtomicBool::new(false),
            derives: AtomicBool::new(false),
        })
    }

    #[inline]
    fn transmit(dev: &Device<Self>, skb: SkBuff, context: &RcuBh) -> Xmit {
        send::transmit(dev, skb, context)
    }

    fn open(dev: &Device<Self>, rtnl: &Rtnl) -> Result {
        Prober::settle(dev, true, rtnl)
    }

    fn stop(dev: &Device<Self>, rtnl: &Rtnl) {
        // Without testing it needs nothing that could fail.
        let _ = Prober::settle(dev, false, rtnl);
        dev.for_each_port(rtnl, |port, _| dev.unsync_addresses(port, rtnl));
    }

    fn uninit(dev: &Device<Self>, rtnl: &Rtnl) {
        auto_join::end(dev, rtnl);
        {
            let guard = rcu::read_lock();
            dev.data().table.end_claims(dev, |_| true, (&guard).into());
        }
        let _ = Prober::settle(dev, false, rtnl);
        Port::release_all(dev, rtnl);
    }

    fn link_stats(dev: &Device<Self>, stats: &mut LinkStats) {
        dev.data().statistics.link_stats(stats);
    }

    fn set_mac(dev: &Device<Self>, mac: MacAddr, rtnl: &Rtnl) -> Result {
        let old = dev.mac(rtnl);
        Self::change_all_ports(
            dev,
            rtnl,
            |_, port| port.take_mac(mac, rtnl),
            |_, port| undo("MAC address", port.take_mac(old, rtnl)),
        )?;
        dev.data().mac.store(mac.to_u64(), Ordering::Relaxed);
        Ok(())
    }

    fn change_mtu(dev: &Device<Self>, mtu: u32, rtnl: &Rtnl) -> Result {
        let old = dev.mtu();
        let set = |port: &NetDevice, mtu| port.set_mtu(mtu, rtnl);
        dev.data().sets_mtu.store(true, Ordering::Relaxed);
        let set = Self::change_all_ports(
            dev,
            rtnl,
            |port, _| set(port, mtu),
            |port, _| undo("MTU", set(port, old)),
        );
        dev.data().sets_mtu.store(false, Ordering::Relaxed);
        set
    }

    fn add_vlan(dev: &Device<Self>, vlan: Vlan, rtnl: &Rtnl) -> Result {
        Self::change_all_ports(
            dev,
            rtnl,
            |port, _| port.add_vlan(vlan, rtnl),
            |port, _| port.remove_vlan(vlan, rtnl),
        )
    }

    fn remove_vlan(dev: &Device<Self>, vlan: Vlan, rtnl: &Rtnl) {
        dev.for_each_port(rtnl, |port, _| port.remove_vlan(vlan, rtnl));
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

    fn set_up_netpoll(dev: &Device<Self>, rtnl: &Rtnl) -> Result {
        Self::change_all_ports(
            dev,
            rtnl,
            |_, port| port.netpoll.set_up(rtnl),
            |_, port| port.netpoll.end(rtnl),
        )?;
        dev.data().table.set_netpoll(dev, true);
        Ok(())
    }

    fn end_netpoll(dev: &Device<Self>, rtnl: &Rtnl) {
        dev.data().table.set_netpoll(dev, false);
        dev.for_each_port(rtnl, |_, port| port.netpoll.end(rtnl));
    }

    fn poll(dev: &Device<Self>, context: &RcuBh) {
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
        Port::join(dev, port, WORKING, extack, rtnl)
    }

    fn del_port(dev: &Device<Self>, port: &NetDevice, rtnl: &Rtnl) -> Result {
        Port::leave(dev, port, false, rtnl)
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
        let in_use = dev.data().table.look(|decided| decided.in_use());
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
        let wait = dev.data().table.fail_back(dev);
        Prober::tell_peers(dev, &read_lock_bh());
        control::tell(dev);
        let again = joined.and(Self::settle(dev)).err().map(|Busy| RETRY);
        if let Some(ms) = [wait, again].into_iter().flatten().min() {
            dev.schedule_work(ms);
        }
    }

    fn timer(dev: &Device<Self>, context: &RcuBh) -> Option<u64> {
        Prober::on_time(dev, context)
    }

    fn statistics(dev: &Device<Self>, figures: &mut [u64]) {
        let trunk = dev.data();
        // What nobody has noticed yet counts too.
        trunk.table.follow_ports(dev, (&rcu::read_lock()).into());
        let totals = trunk.table.look(|decided| decided.totals);
        trunk.statistics.named(totals, figures);
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
