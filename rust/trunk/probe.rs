// SPDX-License-Identifier: GPL-2.0

//! Every link tested, all the time: the timer, the frames, and what comes of them.
//!
//! What a probe means is decided by [`pure::health`](crate::pure::health). Its verdicts go to the
//! ports, and whoever delivers one that changes something switches the table over, in the context
//! of the timer or of the frame: no RTNL, no allocation, nothing waited for.

use crate::{
    decided::{
        Decided,
        Settings,
        LOCAL_EXPERIMENTAL,
        NEAREST_BRIDGE, //
    },
    device::Trunk,
    port::Port,
    pure::{
        health::{
            Health,
            Link, //
        },
        port::{
            PortId,
            PortSet, //
        },
        uapi::ProbeMode,
        wire::{
            self,
            Identity,
            Probe, //
        }, //
    }, //
};
use core::sync::atomic::{
    AtomicU16,
    AtomicU32,
    AtomicU64,
    Ordering, //
};
use kernel::{
    new_mutex,
    new_spinlock_irq,
    prelude::*,
    sync::{
        Arc,
        Mutex,
        SetOnce,
        SpinLockIrq, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};
use netdev::{
    addr::MacAddr,
    device::{
        Device,
        NetDevice, //
    },
    net::Net,
    random::random_u64,
    rcu::{
        self,
        RcuBh,
        Slot, //
    },
    rtnl::Rtnl,
    siphash::Key,
    skb::SkBuff,
    time,
    timer::{
        IdleTimer,
        Timer, //
    }, //
};

const NSEC_PER_USEC: u64 = 1_000;

/// Until it is looked again whether replies have arrived, in ns.
const PAUSE: u64 = 200_000;

/// The longest that a claim waits for replies, in ns: it keeps others from netlink meanwhile, if they
/// add or remove families.
const LONGEST: u64 = 1_000_000_000;

/// Octets of an Ethernet header.
const HEADER: usize = 14;

/// Tests the links of a trunk.
#[pin_data]
pub(crate) struct Prober {
    #[pin]
    health: SpinLockIrq<Health<KBox<Link>>>,
    /// What probes are signed with, if anything.
    key: Slot<Key>,
    ethertype: AtomicU16,
    /// As [`MacAddr::to_u64`] has it.
    address: AtomicU64,
    /// Ports that did not answer when a claim wanted to know, and since when.
    doubts: AtomicU64,
    doubted: AtomicU64,
    /// Claims that are about to be made. Changed under RTNL.
    inquiries: AtomicU32,
    /// Runs while something is in use. Changed under RTNL.
    #[pin]
    timer: Mutex<Option<Timer<Trunk>>>,
}

/// What a system tells its name from; another one each time the module is loaded.
static SECRET: SetOnce<Key> = SetOnce::new();

/// To be called once, when the module is loaded.
pub(crate) fn choose_secret() {
    SECRET.populate(Key::random());
}

/// What tells this system, that is the network namespace, from others.
pub(crate) fn system(net: &Net) -> u64 {
    let hash = |key: &Key| key.hash(&net.cookie().to_be_bytes());
    SECRET.as_ref().map_or(0, hash)
}

impl Prober {
    /// Tests nothing yet.
    pub(crate) fn new() -> impl PinInit<Self> {
        let nobody = Identity {
            system: 0,
            trunk: 0,
        };
        pin_init!(Self {
            health <- new_spinlock_irq!(Health::new(nobody)),
            key: Slot::new(),
            ethertype: AtomicU16::new(LOCAL_EXPERIMENTAL),
            address: AtomicU64::new(NEAREST_BRIDGE.to_u64()),
            doubts: AtomicU64::new(0),
            doubted: AtomicU64::new(0),
            inquiries: AtomicU32::new(0),
            timer <- new_mutex!(None),
        })
    }

    /// What has been found out, as seen by `look`, which is not to take long.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&mut Health<KBox<Link>>) -> R) -> R {
        look(&mut self.health.lock())
    }

    /// The EtherType of probes.
    pub(crate) fn ethertype(&self) -> u16 {
        self.ethertype.load(Ordering::Relaxed)
    }

    fn address(&self) -> MacAddr {
        MacAddr::from_u64(self.address.load(Ordering::Relaxed))
    }

    // Ports

    /// Takes in a port, and judges it.
    pub(crate) fn add(&self, port: &Port, link: KBox<Link>) {
        self.look(|health| {
            health.add(port.id, link);
            judge(health, port);
        });
    }

    /// Says goodbye to the peer of a port.
    pub(crate) fn leave(&self, port: &Port) {
        self.say_goodbye([port].into_iter(), &rcu::read_lock_bh());
    }

    /// Takes out the port of that number, which the trunk does not have any more.
    pub(crate) fn remove(&self, id: PortId) {
        drop(self.look(|health| health.remove(id)));
    }

    /// Has `port` receive probes.
    pub(crate) fn listen(&self, port: &NetDevice, rtnl: &Rtnl) -> Result {
        listen(port, self.address(), rtnl)
    }

    /// Ends what [`Self::listen`] began.
    pub(crate) fn ignore(&self, port: &NetDevice, rtnl: &Rtnl) {
        ignore(port, self.address(), rtnl);
    }

    // Settings

    /// Prepares to go by these settings and, if it is to be another one, by this key. Either
    /// [`Change::make`] or [`Change::drop_it`] follows, with RTNL held all the time.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or what a port answers that shall listen to another address.
    pub(crate) fn prepare(
        dev: &Device<Trunk>,
        settings: Settings,
        key: Option<Option<Key>>,
        rtnl: &Rtnl,
    ) -> Result<Change> {
        let this = &dev.data().get_ref().prober;
        let key = match key {
            Some(Some(key)) => Some(Some(Arc::new(key, GFP_KERNEL)?)),
            Some(None) => Some(None),
            None => None,
        };
        let timer = match this.timer.lock().is_some() {
            true => Some(IdleTimer::new(dev, rtnl)?),
            false => None,
        };
        let address = settings.probe_address;
        if this.address() != address {
            Trunk::change_all_ports(
                dev,
                rtnl,
                |port, _| listen(port, address, rtnl),
                |port, _| ignore(port, address, rtnl),
            )?;
        }
        Ok(Change {
            settings,
            key,
            timer,
        })
    }

    /// Starts or stops testing: it goes on while the device is `up`, or a link is claimed or about to
    /// be.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn settle(dev: &Device<Trunk>, up: bool, rtnl: &Rtnl) -> Result {
        let trunk = dev.data().get_ref();
        let inquired = trunk.prober.inquiries.load(Ordering::Relaxed) != 0;
        let needed = up || inquired || trunk.table.look(Decided::has_claims);
        let runs = trunk.prober.timer.lock().is_some();
        match (runs, needed) {
            (false, true) => trunk.prober.start(dev, rtnl),
            (true, false) => {
                Self::stop(dev, rtnl);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Starts testing. The first round comes at once.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    fn start(&self, dev: &Device<Trunk>, rtnl: &Rtnl) -> Result {
        let timer = IdleTimer::new(dev, rtnl)?;
        let own = Identity {
            system: dev.net(rtnl).map_or(0, system),
            trunk: dev.ifindex(),
        };
        self.look(|health| {
            health.identify(own);
            health.start(time::monotonic_ns());
        });
        *self.timer.lock() = Some(timer.start(rtnl));
        Ok(())
    }

    /// Stops testing, and says goodbye to all peers.
    fn stop(dev: &Device<Trunk>, _rtnl: &Rtnl) {
        let trunk = dev.data().get_ref();
        let this = &trunk.prober;
        let timer = this.timer.lock().take();
        drop(timer);
        let context = rcu::read_lock_bh();
        this.say_goodbye(trunk.ports(&context), &context);
        this.look(|health| {
            health.stop();
            trunk.ports(&context).for_each(|port| judge(health, port));
        });
        trunk.table.follow_ports(dev, &context);
    }

    // Time and frames

    /// What is due now; returns when there is more to do. To be called as well when links fail or
    /// return.
    pub(crate) fn on_time(dev: &Device<Trunk>, context: &RcuBh) -> Option<u64> {
        let trunk = dev.data().get_ref();
        let this = &trunk.prober;
        let now = time::monotonic_ns();
        let carrier = trunk.ports(context).filter(|p| p.is_operational());
        let carrier: PortSet = carrier.map(|port| port.id).collect();
        let without = |port: &&Port| !carrier.contains(port.id);
        let (due, news, resolved, settings) = this.look(|health| {
            let due = health.is_running().then(|| health.tick(now, carrier));
            trunk.ports(context).for_each(|port| judge(health, port));
            let lost = trunk.ports(context).filter(without);
            lost.for_each(Port::loss_is_known);
            let due = due?;
            let doubts = PortSet::from_bits(this.doubts.load(Ordering::Relaxed));
            let since = this.doubted.load(Ordering::Relaxed);
            // While nobody answers on any port, to be silent is no ground for doubt; nor is it of one
            // that never answered, once the trunk is up and uses it.
            let is_probed = |id: PortId| health.link(id).is_some_and(Link::is_probed);
            let grounds = !doubts.is_empty() && PortId::all().any(is_probed);
            let resolved = |id: &PortId| {
                let used = dev.is_started() && !is_probed(*id);
                !grounds || used || health.answered_since(*id, since)
            };
            let resolved = doubts.iter().filter(resolved).collect::<PortSet>();
            Some((due, health.news(), resolved, *health.settings()))
        })?;
        trunk.table.follow_health(dev, &news, context);
        trunk.table.tell_reasons(dev, settings.lasting(), context);
        if !resolved.is_empty() {
            this.doubts.fetch_and(!resolved.bits(), Ordering::Relaxed);
            let believe = |decided: &mut Decided| decided.doubts = decided.doubts & !resolved;
            trunk.table.change(dev, None, believe, context);
        }
        this.send_tests(trunk, due.test | trunk.table.take_news(), context);
        // Carrier is looked at even if nothing is to be tested.
        let interval = u64::from(settings.interval).saturating_mul(NSEC_PER_USEC);
        let latest = now.saturating_add(interval);
        Some(due.next.min(latest))
    }

    /// Takes a frame that has the EtherType of probes.
    #[cold]
    pub(crate) fn on_frame(port: &Port, skb: SkBuff, context: &RcuBh) {
        let dev = &*port.trunk;
        let trunk = dev.data().get_ref();
        let this = &trunk.prober;
        let mut room = [0; wire::MAX_LEN];
        let octets = skb.copy_payload(&mut room);
        let key = this.key.get(context);
        let read = Probe::read(octets, key.map(|key| |signed: &[u8]| key.hash(signed)));
        skb.consume();

        let (reply, news) = this.look(|health| {
            // In here, lest an older view goes out after a newer one.
            let (now, view) = (time::monotonic_ns(), trunk.view());
            let reply = match &read {
                Ok(read) => {
                    health.unknown(port.id, read.unknown);
                    health.receive(port.id, &read.probe, now, &view)
                }
                Err(_) => {
                    health.refused(port.id);
                    None
                }
            };
            judge(health, port);
            (reply, health.news())
        });
        if let Some(reply) = reply {
            this.send(port, &reply, context);
        }
        if port.has_changed() || !news.is_empty() {
            trunk.table.follow_health(dev, &news, context);
            Self::tell_peers(dev, context);
        }
    }

    /// Tells peers at once, by a test more, what they should know of their ports before the next
    /// round.
    pub(crate) fn tell_peers(dev: &Device<Trunk>, context: &RcuBh) {
        let trunk = dev.data().get_ref();
        let news = trunk.table.take_news();
        if !news.is_empty() {
            trunk.prober.send_tests(trunk, news, context);
        }
    }

    /// From here to [`Self::end_inquiry`] links are tested, whether the trunk is up or not. Returns
    /// whether that has just begun.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn begin_inquiry(dev: &Device<Trunk>, rtnl: &Rtnl) -> Result<bool> {
        let trunk = dev.data().get_ref();
        let this = &trunk.prober;
        // Where others are just inquiring it is no less so.
        let others = this.inquiries.load(Ordering::Relaxed) != 0;
        let just_begun = others && !dev.is_up(rtnl) && !trunk.table.look(Decided::has_claims);
        let fresh = just_begun || this.timer.lock().is_none();
        Self::settle(dev, true, rtnl)?;
        this.inquiries.fetch_add(1, Ordering::Relaxed);
        Ok(fresh)
    }

    /// Ends what [`Self::begin_inquiry`] began; a claim that has been made goes on being tested for.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn end_inquiry(dev: &Device<Trunk>, rtnl: &Rtnl) -> Result {
        let this = &dev.data().get_ref().prober;
        this.inquiries.fetch_sub(1, Ordering::Relaxed);
        Self::settle(dev, dev.is_up(rtnl), rtnl)
    }

    /// Tests the port of number `wanted` and all spares, and waits until each has answered, no longer
    /// than the reply-timeout, or a second. Returns those that did not, but should have, and when it
    /// began. If testing is `fresh`, nobody knows yet who can answer: if one does, all should.
    pub(crate) fn inquire(dev: &Device<Trunk>, wanted: PortId, fresh: bool) -> (PortSet, u64) {
        let trunk = dev.data().get_ref();
        let this = &trunk.prober;
        let start = time::monotonic_ns();
        let spares = |decided: &mut Decided| decided.ports.select(|port| !port.is_working());
        let mut asked = trunk.table.look(spares);
        asked.insert(wanted);
        this.send_tests(trunk, asked, &rcu::read_lock_bh());

        let timeout = u64::from(this.look(|health| health.settings().reply_timeout));
        let timeout = timeout.saturating_mul(NSEC_PER_USEC).min(LONGEST);
        let limit = start.saturating_add(timeout);
        loop {
            let (answered, probed, off) = this.look(|health| {
                let answered = asked.iter().filter(|id| health.answered_since(*id, start));
                let probed = |id: &PortId| health.link(*id).is_some_and(Link::is_probed);
                let off = health.settings().mode == ProbeMode::Off;
                (
                    answered.collect::<PortSet>(),
                    asked.iter().filter(probed).collect::<PortSet>(),
                    off,
                )
            });
            let now = time::monotonic_ns();
            let awaited = if fresh && !off { asked } else { probed };
            if (awaited & !answered).is_empty() || now >= limit {
                // Of those that are known to have failed there is no doubt.
                let act = |decided: &mut Decided| decided.ports.select(|port| port.is_act());
                let expected = match fresh && !answered.is_empty() {
                    true => asked,
                    false => probed & trunk.table.look(act),
                };
                return (expected & !answered, start);
            }
            let pause = limit.saturating_sub(now).min(PAUSE);
            fsleep(Delta::from_nanos(i64::try_from(pause).unwrap_or(i64::MAX)));
        }
    }

    /// Has the table believe in `silent` ports again once they answer a test made after `since`.
    pub(crate) fn doubt(&self, silent: PortSet, since: u64) {
        if !silent.is_empty() {
            self.doubted.fetch_max(since, Ordering::Relaxed);
            self.doubts.fetch_or(silent.bits(), Ordering::Relaxed);
        }
    }

    /// Sends a test on each of `ports`, now.
    pub(crate) fn send_tests(&self, trunk: &Trunk, ports: PortSet, context: &RcuBh) {
        let able = |port: &&Port| ports.contains(port.id) && port.is_operational();
        for port in trunk.ports(context).filter(able) {
            let nonce = random_u64();
            let test = self.look(|health| {
                let (now, view) = (time::monotonic_ns(), trunk.view());
                health.test(port.id, nonce, now, &view)
            });
            if let Some(test) = test {
                self.send(port, &test, context);
            }
        }
    }

    fn say_goodbye<'a>(&self, ports: impl Iterator<Item = &'a Port>, context: &RcuBh) {
        for port in ports.filter(|port| port.dev.is_operational()) {
            let trunk = port.trunk.data().get_ref();
            let nonce = random_u64();
            let bye = self.look(|health| health.bye(port.id, nonce, &trunk.view()));
            if let Some(bye) = bye {
                self.send(port, &bye, context);
            }
        }
    }

    fn send(&self, port: &Port, probe: &Probe, context: &RcuBh) {
        let key = self.key.get(context);
        let (payload, len) = probe.write(key.map(|key| |signed: &[u8]| key.hash(signed)));
        let mut frame = [0; HEADER + wire::LEN];
        let (dst, src) = (self.address(), port.probe_mac());
        let ethertype = self.ethertype().to_be_bytes();
        let parts = [&dst.octets()[..], src.octets(), &ethertype, &payload];
        for (room, octet) in frame.iter_mut().zip(parts.into_iter().flatten()) {
            *room = *octet;
        }
        let octets = frame.get(..len.saturating_add(HEADER));
        if let Some(skb) = octets.and_then(SkBuff::new_frame) {
            // A test that is refused is one that nobody answers.
            let _ = skb.transmit(&port.dev, context);
        }
    }
}

/// Other settings, with all they take.
pub(crate) struct Change {
    settings: Settings,
    key: Option<Option<Arc<Key>>>,
    timer: Option<IdleTimer<Trunk>>,
}

impl Change {
    /// Goes by these settings.
    pub(crate) fn make(self, dev: &Device<Trunk>, rtnl: &Rtnl) {
        let trunk = dev.data().get_ref();
        let this = &trunk.prober;
        let Settings {
            probes,
            probe_address,
            probe_ethertype,
            ..
        } = self.settings;
        if probes.mode == ProbeMode::Off {
            let context = rcu::read_lock_bh();
            this.say_goodbye(trunk.ports(&context), &context);
        }
        let old = this.address();
        if old != probe_address {
            this.address
                .store(probe_address.to_u64(), Ordering::Relaxed);
            dev.for_each_port(rtnl, |port, _| ignore(port, old, rtnl));
        }
        this.ethertype.store(probe_ethertype, Ordering::Relaxed);
        dev.for_each_port(rtnl, |_, port| port.set_probe_type(probe_ethertype));
        if let Some(key) = self.key {
            drop(this.key.replace(key));
        }
        this.look(|health| health.configure(probes));
        if let Some(timer) = self.timer {
            // It goes by the new settings at once; the old one waits for what was due before.
            let old = this.timer.lock().replace(timer.start(rtnl));
            drop(old);
        }
    }

    /// Does not.
    pub(crate) fn drop_it(self, dev: &Device<Trunk>, rtnl: &Rtnl) {
        let address = self.settings.probe_address;
        if dev.data().prober.address() != address {
            dev.for_each_port(rtnl, |port, _| ignore(port, address, rtnl));
        }
    }
}

/// Has `port` know what `health` has to say of it.
fn judge(health: &Health<KBox<Link>>, port: &Port) {
    // Who loses its carrier forgets its peer, but not its rank: the peer goes by that too.
    let known = health
        .link(port.id)
        .is_some_and(|link| link.peer().is_some());
    let rank = known.then(|| health.rank(port.id));
    port.judge(&health.verdict(port.id), rank);
}

fn listen(port: &NetDevice, address: MacAddr, rtnl: &Rtnl) -> Result {
    match address.is_multicast() {
        true => port.add_multicast(address, rtnl),
        false => Ok(()),
    }
}

fn ignore(port: &NetDevice, address: MacAddr, rtnl: &Rtnl) {
    if address.is_multicast() {
        // It fails only if nobody listens.
        let _ = port.remove_multicast(address, rtnl);
    }
}
