// SPDX-License-Identifier: GPL-2.0

//! What a trunk is: the data of the device and of its ports.
//!
//! Frames read `ports`, `table` and `live` without a lock. All else that is known of a trunk is in
//! `state`, and [`switch`](crate::switch) is what changes it.

use crate::{
    broadcasts::Broadcasts,
    missing::Missing,
    pure::{
        claims::{
            Claim,
            Holder,
            MAX_CLAIMS, //
        },
        echoes::Echoes,
        far_end::Ways,
        flow,
        history::{
            Event,
            EventKind, //
        },
        port::{
            from_slot,
            to_slot,
            PortId,
            PortSet,
            Slot,
            NO_PORT, //
        },
        selector::Selector,
        state::{
            self,
            Desk,
            Links,
            Memory,
            Settings,
            State, //
        },
        uapi::FarEndReason,
        MAX_PORTS, //
    },
    stations::Stations,
    stats::{
        Base,
        Statistics,
        FIGURES, //
    },
    table::{
        defaults,
        filled,
        Table, //
    },
    tallies::Tallies,
    waiting::Waiting, //
};
use core::sync::atomic::{
    AtomicBool,
    AtomicI8,
    AtomicU16,
    AtomicU64,
    AtomicU8,
    Ordering, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    }, //
};
use netdev::{
    addr::MacAddr,
    device::{
        Device,
        NetDevice, //
    },
    genl::Deferred,
    lock::{
        new_spinlock_bh,
        SpinLockBh, //
    },
    lower::Lower,
    random::random_u64,
    rcu::{
        read_lock,
        Current,
        Rcu,
        Slot as RcuSlot, //
    },
    rtnl::Rtnl,
    siphash::Key,
    upper::LagHash,
    xdp::Program, //
};

/// The number of events that are remembered.
const EVENTS: usize = 256;

/// As many as there are slots, so that each is a place: [`NO_PORT`] is the last.
const PLACES: usize = Slot::MAX as usize * 2 + 2;

/// The data of a trunk device.
#[pin_data]
pub(crate) struct Trunk {
    /// The ports, by number. Changed under RTNL. From [`MAX_PORTS`] on, places are empty: a bucket
    /// without a port names one.
    pub(crate) ports: [RcuSlot<Lower<Trunk>>; PLACES],
    /// Replaced under RTNL and the state's lock.
    pub(crate) table: Current<Table>,
    pub(crate) live: Live,
    /// All that is known and decided.
    #[pin]
    pub(crate) state: SpinLockBh<State<Heap>>,
    pub(crate) probes: ProbeFrames,
    /// The requests for claims that are yet to be answered, and who is to hold these claims.
    #[pin]
    pub(crate) asking: Mutex<KVec<(Holder, Deferred)>>,
    #[pin]
    pub(crate) waiting: Waiting,
    /// The stations behind the trunk that are yet to be announced.
    #[pin]
    pub(crate) stations: Mutex<Stations>,
    #[pin]
    pub(crate) missing: Missing,
    #[pin]
    pub(crate) tallies: SpinLockBh<Tallies>,
    pub(crate) broadcasts: Broadcasts,
    pub(crate) echoes: Echoes,
    pub(crate) statistics: Statistics,
    /// The key of the hash of flows.
    pub(crate) flow_key: flow::Key,
    /// The XDP program that all ports run. Changed under RTNL.
    #[pin]
    pub(crate) program: Mutex<Option<Program>>,
    /// The trunk's own MAC address as one number, since it is compared with that of each frame.
    pub(crate) mac: AtomicU64,
    /// The trunk is just giving its ports another MTU or MAC address. Written under RTNL.
    pub(crate) changes_ports: AtomicBool,
    /// The trunk is just setting a device up again that could not join. Written under RTNL.
    pub(crate) sets_up: AtomicBool,
    /// The trunk is just deriving its features from those of its ports. Written under RTNL.
    derives: AtomicBool,
}

impl Trunk {
    /// Makes the data of a trunk without ports, of that MAC address.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn empty(mac: MacAddr) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            ports: [const { RcuSlot::new() }; PLACES],
            table: Current::new(Arc::new(Table::first()?, GFP_KERNEL)?),
            live: Live::new(),
            state <- new_spinlock_bh!(
                State::new(
                    Settings {
                        selector: defaults()?.1,
                        ..Settings::default()
                    },
                    *mac.octets(),
                    filled(EVENTS, || Event::new(EventKind::Config, 0, 0))?,
                    filled(MAX_CLAIMS, || Claim::NONE)?,
                    empty_desk()?,
                ),
                "trunk",
            ),
            probes: ProbeFrames::new(),
            asking <- new_mutex!(KVec::new()),
            waiting <- Waiting::new(),
            stations <- new_mutex!(Stations::new()),
            missing <- Missing::new(),
            tallies <- new_spinlock_bh!(Tallies::new(), "trunk_tallies"),
            broadcasts: Broadcasts::new(),
            echoes: Echoes::new(),
            statistics: Statistics::new()?,
            flow_key: flow::Key::new([random_u64(), random_u64()]),
            program <- new_mutex!(None),
            mac: AtomicU64::new(mac.to_u64()),
            changes_ports: AtomicBool::new(false),
            sets_up: AtomicBool::new(false),
            derives: AtomicBool::new(false),
        })
    }

    /// Returns the trunk's own MAC address, as [`MacAddr::to_u64`].
    #[inline(always)]
    pub(crate) fn mac(&self) -> u64 {
        self.mac.load(Ordering::Relaxed)
    }

    /// Returns the port of that number.
    #[inline(always)]
    pub(crate) fn port<'a>(&'a self, id: PortId, rcu: &'a Rcu) -> Option<&'a Lower<Self>> {
        self.ports.get(id.index())?.get(rcu)
    }

    /// Returns the port that a bucket's slot names.
    #[inline(always)]
    pub(crate) fn port_in<'a>(&'a self, slot: Slot, rcu: &'a Rcu) -> Option<&'a Lower<Self>> {
        self.ports.get(usize::from(slot as u8))?.get(rcu)
    }

    /// Returns all ports.
    pub(crate) fn ports<'a>(&'a self, rcu: &'a Rcu) -> impl Iterator<Item = &'a Lower<Self>> {
        let places = self.ports.iter().take(MAX_PORTS);
        places.filter_map(move |slot| slot.get(rcu))
    }

    /// Returns the port whose device is `dev`.
    pub(crate) fn hold_port(&self, dev: &NetDevice, rcu: &Rcu) -> Option<LinkedPort> {
        let id = self.ports(rcu).find(|port| port.dev.is(dev))?.id;
        self.ports.get(id.index())?.hold(rcu)
    }

    /// Returns the links as they are. A port is operational once its device takes frames, and then
    /// for as long as it is up and has a carrier.
    pub(crate) fn links(&self, rcu: &Rcu) -> Links {
        let before = self.live.links();
        let mut links = Links::default();
        for port in self.ports(rcu) {
            if port.dev.is_started() {
                links.started.insert(port.id);
            }
            let was = before.operational.contains(port.id);
            if port.dev.has_link(rcu) && (was || port.dev.is_activated()) {
                links.operational.insert(port.id);
            }
        }
        links
    }

    /// Returns how ports are chosen, in the words that lower devices know.
    pub(crate) fn lag_hash(&self) -> LagHash {
        match self.table.get(&read_lock()).selector {
            Selector::SmacDmac => LagHash::L2,
            Selector::Flow => LagHash::L34,
            Selector::Dmac | Selector::Smac => LagHash::Unknown,
        }
    }

    /// Returns whether the trunk is just giving its ports another MTU or MAC address.
    pub(crate) fn changes_ports(&self, _rtnl: &Rtnl) -> bool {
        self.changes_ports.load(Ordering::Relaxed)
    }

    /// Derives the features of the trunk from those of its ports. That may change the features of a
    /// port, of which the trunk is notified in turn: it does nothing then.
    pub(crate) fn derive_features(dev: &Device<Self>, rtnl: &Rtnl) {
        let derives = &dev.data().derives;
        if !derives.swap(true, Ordering::Relaxed) {
            dev.inherit_features(rtnl);
            derives.store(false, Ordering::Relaxed);
        }
    }

    /// Calls `change` for each port; if one refuses, calls `undo` for those before it.
    ///
    /// # Errors
    ///
    /// The error of the port that refuses.
    pub(crate) fn change_all_ports(
        dev: &Device<Self>,
        rtnl: &Rtnl,
        mut change: impl FnMut(&NetDevice, &Port) -> Result,
        undo: impl Fn(&NetDevice, &Port),
    ) -> Result {
        let mut result = Ok(());
        let mut changed = 0usize;
        let changes_ports = &dev.data().changes_ports;
        changes_ports.store(true, Ordering::Relaxed);
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
        changes_ports.store(false, Ordering::Relaxed);
        result
    }
}

/// What a [`State`] is kept in.
pub(crate) struct Heap;

impl Memory for Heap {
    type Port = KBox<state::Port>;
    type Events = KVVec<Event>;
    type Claims = KVVec<Claim>;
    type Desk = KBox<Desk>;
}

/// A function of its own, so that the desk is on the stack of no caller.
#[inline(never)]
fn empty_desk() -> Result<KBox<Desk>> {
    Ok(KBox::new(Desk::default(), GFP_KERNEL)?)
}

/// What frames go by besides the table. Written under the state's lock.
pub(crate) struct Live {
    /// The ports that group-addressed frames are accepted from.
    accepted: AtomicU64,
    /// The slot of the port by which group-addressed frames leave, if the table does not say it.
    groups: AtomicI8,
    /// The ports that are `act`.
    act: AtomicU64,
    /// The ports that serve buckets or claims.
    in_use: AtomicU64,
    /// What is known of the copies of broadcasts, see [`Watch`].
    watch: AtomicU8,
    /// A switch may send frames of machines behind the trunk back to it.
    echoes: AtomicBool,
    /// The links as the state knows them.
    operational: AtomicU64,
    started: AtomicU64,
    /// The mark of each claim and the port that serves it, in one word; 0 for no claim.
    claims: [AtomicU64; MAX_CLAIMS],
}

/// Whether the copies of broadcasts matter, since they show what the far end is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    /// No: the user or tests say what it is.
    Off,
    /// It is taken for a switch.
    Unknown,
    /// It is taken for an aggregate, as it sends one copy.
    OneCopy,
}

impl Watch {
    fn of(ways: &Ways) -> Self {
        match ways.reason {
            FarEndReason::NoAnswer => Self::Unknown,
            FarEndReason::OneCopy => Self::OneCopy,
            _ => Self::Off,
        }
    }
}

impl Live {
    const fn new() -> Self {
        Self {
            accepted: AtomicU64::new(0),
            groups: AtomicI8::new(NO_PORT),
            act: AtomicU64::new(0),
            in_use: AtomicU64::new(0),
            watch: AtomicU8::new(Watch::Off as u8),
            echoes: AtomicBool::new(false),
            operational: AtomicU64::new(0),
            started: AtomicU64::new(0),
            claims: [const { AtomicU64::new(0) }; MAX_CLAIMS],
        }
    }

    /// Returns the ports that group-addressed frames are accepted from.
    #[inline(always)]
    pub(crate) fn accepted(&self) -> PortSet {
        PortSet::from_bits(self.accepted.load(Ordering::Relaxed))
    }

    /// Returns the slot of the port by which group-addressed frames leave, if the table does not
    /// say it.
    pub(crate) fn groups(&self) -> Slot {
        self.groups.load(Ordering::Relaxed)
    }

    /// Returns the ports that are `act`.
    pub(crate) fn act(&self) -> PortSet {
        PortSet::from_bits(self.act.load(Ordering::Relaxed))
    }

    /// Returns the ports that serve buckets or claims.
    pub(crate) fn in_use(&self) -> PortSet {
        PortSet::from_bits(self.in_use.load(Ordering::Relaxed))
    }

    /// Returns what is known of the copies of broadcasts.
    #[inline(always)]
    pub(crate) fn watch(&self) -> Watch {
        match self.watch.load(Ordering::Relaxed) {
            it if it == Watch::OneCopy as u8 => Watch::OneCopy,
            it if it == Watch::Unknown as u8 => Watch::Unknown,
            _ => Watch::Off,
        }
    }

    /// Returns whether a switch may send frames of machines behind the trunk back to it.
    pub(crate) fn echoes(&self) -> bool {
        self.echoes.load(Ordering::Relaxed)
    }

    /// Returns the links as the state knows them.
    pub(crate) fn links(&self) -> Links {
        Links {
            operational: PortSet::from_bits(self.operational.load(Ordering::Relaxed)),
            started: PortSet::from_bits(self.started.load(Ordering::Relaxed)),
        }
    }

    /// Sets the links as the state knows them. Under the state's lock.
    pub(crate) fn set_links(&self, links: Links) {
        self.operational
            .store(links.operational.bits(), Ordering::Relaxed);
        self.started.store(links.started.bits(), Ordering::Relaxed);
    }

    /// Writes a decision, and the links of the claims. Under the state's lock.
    pub(crate) fn set(&self, decision: &state::Decision, claims: &[Claim]) {
        let ways = &decision.ways;
        self.accepted.store(ways.accepts.bits(), Ordering::Relaxed);
        self.groups.store(to_slot(ways.sends), Ordering::Relaxed);
        self.act.store(decision.act.bits(), Ordering::Relaxed);
        self.in_use.store(decision.in_use.bits(), Ordering::Relaxed);
        self.watch.store(Watch::of(ways) as u8, Ordering::Relaxed);
        self.echoes.store(decision.echoes, Ordering::Relaxed);
        let mut words = claims.iter().map(|claim| {
            let link = to_slot(claim.link) as u8;
            u64::from(claim.holder.mark) << u8::BITS | u64::from(link)
        });
        for room in &self.claims {
            let word = words.next().unwrap_or(0);
            if room.load(Ordering::Relaxed) != word {
                room.store(word, Ordering::Relaxed);
            }
        }
    }

    /// Returns the port of the claim to which frames of that mark belong.
    pub(crate) fn claimed(&self, mark: u32) -> Option<PortId> {
        let words = self.claims.iter().map(|word| word.load(Ordering::Relaxed));
        let mut claims = words.take_while(|word| *word != 0);
        let word = claims.find(|word| word >> u8::BITS == u64::from(mark))?;
        from_slot(word as u8 as Slot)
    }
}

/// What the frames of probes have in common. Changed under RTNL.
pub(crate) struct ProbeFrames {
    /// The key that they are signed with, if there is one.
    pub(crate) key: RcuSlot<Key>,
    pub(crate) ethertype: AtomicU16,
    /// The address that they are sent to, as [`MacAddr::to_u64`].
    pub(crate) address: AtomicU64,
}

impl ProbeFrames {
    const fn new() -> Self {
        Self {
            key: RcuSlot::new(),
            ethertype: AtomicU16::new(state::LOCAL_EXPERIMENTAL),
            address: AtomicU64::new(MacAddr::new(state::NEAREST_BRIDGE).to_u64()),
        }
    }

    /// Returns their EtherType.
    pub(crate) fn ethertype(&self) -> u16 {
        self.ethertype.load(Ordering::Relaxed)
    }

    /// Returns the address that they are sent to.
    pub(crate) fn address(&self) -> MacAddr {
        MacAddr::from_u64(self.address.load(Ordering::Relaxed))
    }
}

/// A port of a trunk: what is needed for its frames, and to change it. What is known of its link is
/// in the trunk's state.
pub(crate) struct Port {
    pub(crate) id: PortId,
    pub(crate) dev: ARef<NetDevice>,
    pub(crate) trunk: ARef<Device<Trunk>>,
    /// What the device had before it joined, and gets back when it leaves.
    pub(crate) own_mac: MacAddr,
    pub(crate) own_mtu: u32,
    /// The trunk's address, if the port receives for it as well as for its own. Written under RTNL and
    /// the state's lock.
    second_mac: AtomicU64,
    /// See [`Port::own_bits`]. Written under the state's lock.
    own_bits: AtomicU64,
    /// The address that its probes come from.
    probe_mac: MacAddr,
    /// The EtherType of probes, in network order. Here, because each received frame is compared
    /// with it.
    probe_type: AtomicU16,
    /// What [`Takes`] says. Written under the state's lock.
    takes: AtomicU8,
    /// Its counters when they were last reset.
    base: [AtomicU64; FIGURES],
}

/// What unicast is accepted from a port.
#[derive(Clone, Copy)]
pub(crate) enum Takes {
    /// None: a switch floods it.
    None,
    /// That to the host: a switch may yet have to learn of another port.
    ForHost,
    /// All.
    All,
}

/// A port, as the link to it owns it.
pub(crate) type LinkedPort = Arc<Lower<Trunk>>;

impl Port {
    /// Makes a port of `trunk`, which has the EtherType of its probes.
    pub(crate) fn new(
        id: PortId,
        dev: &NetDevice,
        trunk: &Device<Trunk>,
        own: (MacAddr, u32),
        second_mac: Option<MacAddr>,
        probe_mac: MacAddr,
    ) -> Self {
        let (own_mac, own_mtu) = own;
        Self {
            id,
            dev: dev.into(),
            trunk: trunk.into(),
            own_mac,
            own_mtu,
            second_mac: AtomicU64::new(second_mac.map_or(0, MacAddr::to_u64)),
            own_bits: AtomicU64::new(0),
            probe_mac,
            probe_type: AtomicU16::new(trunk.data().probes.ethertype().to_be()),
            takes: AtomicU8::new(Takes::None as u8),
            base: [const { AtomicU64::new(0) }; FIGURES],
        }
    }

    /// Returns the EtherType of probes, in network order.
    #[inline(always)]
    pub(crate) fn probe_type(&self) -> u16 {
        self.probe_type.load(Ordering::Relaxed)
    }

    /// Makes this the EtherType of probes.
    pub(crate) fn set_probe_type(&self, ethertype: u16) {
        self.probe_type.store(ethertype.to_be(), Ordering::Relaxed);
    }

    /// Returns whether unicast is accepted from it, to the host or else to another station.
    #[inline(always)]
    pub(crate) fn takes(&self, for_host: bool) -> bool {
        let least = match for_host {
            true => Takes::ForHost,
            false => Takes::All,
        };
        self.takes.load(Ordering::Relaxed) >= least as u8
    }

    /// Sets what unicast is accepted from it. Under the state's lock.
    pub(crate) fn set_takes(&self, takes: Takes) {
        self.takes.store(takes as u8, Ordering::Relaxed);
        self.renew_own_bits();
    }

    /// Returns the address that its probes come from: its own, never that of the trunk, which a
    /// switch would take to have moved.
    pub(crate) fn probe_mac(&self) -> MacAddr {
        /// Locally administered, not assigned by a manufacturer.
        const LOCAL: u8 = 2;

        let mac = self.probe_mac;
        if mac.to_u64() != self.trunk.data().mac() {
            return mac;
        }
        let [first, rest @ ..] = *mac.octets();
        let [b, c, d, e, f] = rest;
        MacAddr::new([first ^ LOCAL, b, c, d, e, f])
    }

    /// Returns the trunk's address, if the port receives for it as well as for its own.
    #[inline(always)]
    pub(crate) fn second_mac(&self) -> Option<MacAddr> {
        let mac = self.second_mac.load(Ordering::Relaxed);
        (mac != 0).then_some(MacAddr::from_u64(mac))
    }

    /// Sets the address that it receives for as well as for its own.
    pub(crate) fn set_second_mac(&self, mac: Option<MacAddr>, _rtnl: &Rtnl) {
        let mac = mac.map_or(0, MacAddr::to_u64);
        let state = self.trunk.data().state.lock();
        self.second_mac.store(mac, Ordering::Relaxed);
        self.renew_own_bits();
        drop(state);
    }

    /// Returns the bits of a frame's source by which the trunk's own frames are recognised, among those
    /// to other stations: all, or none if each needs a closer look.
    #[inline(always)]
    pub(crate) fn own_bits(&self) -> u64 {
        self.own_bits.load(Ordering::Relaxed)
    }

    /// Derives [`Port::own_bits`]. Under the state's lock. A port with a second address takes frames
    /// to the trunk for another's. Frames of machines behind the trunk are known by no bits.
    fn renew_own_bits(&self) {
        let bits = match self.second_mac() {
            None if self.takes(false) && !self.trunk.data().live.echoes() => MacAddr::BITS,
            _ => 0,
        };
        self.own_bits.store(bits, Ordering::Relaxed);
    }

    /// Returns its counters when they were last reset.
    pub(crate) fn base(&self) -> Base {
        self.base.each_ref().map(|it| it.load(Ordering::Relaxed))
    }

    /// Resets its counters, which are `base` now.
    pub(crate) fn set_base(&self, base: Base, _rtnl: &Rtnl) {
        for (room, figure) in self.base.iter().zip(base) {
            room.store(figure, Ordering::Relaxed);
        }
    }
}
