// SPDX-License-Identifier: GPL-2.0

//! Probes as frames: sent and received, when they are due, and by which settings.
//!
//! What a probe means is decided by [`pure::state`](crate::pure::state), in the context of the
//! timer or of the frame: no RTNL, no allocation, nothing waited for.

use crate::{
    pure::{
        state::{
            Input,
            Settings, //
        },
        uapi::ProbeMode,
        wire::{
            self,
            Identity,
            Probe,
            Refused, //
        }, //
    },
    switch::{
        step,
        Effects,
        In, //
    },
    trunk::{
        Port,
        Trunk, //
    }, //
};
use core::sync::atomic::Ordering;
use kernel::{
    prelude::*,
    sync::{
        Arc,
        SetOnce, //
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
        read_lock_bh,
        RcuBh, //
    },
    rtnl::Rtnl,
    siphash::Key,
    skb::{
        Received,
        SkBuff, //
    },
};

/// Bytes of an Ethernet header.
const HEADER: usize = 14;

/// What a system tells its name from; another one each time the module is loaded.
static SECRET: SetOnce<Key> = SetOnce::new();

/// Chooses what peers tell this system by. To be called once, when the module is loaded.
pub(crate) fn choose_secret() {
    SECRET.populate(Key::random());
}

/// Returns what tells this system, that is the network namespace, from others.
pub(crate) fn system(net: &Net) -> u64 {
    let hash = |key: &Key| key.hash(&net.cookie().to_be_bytes());
    SECRET.as_ref().map_or(0, hash)
}

// Time and frames

/// Takes in what happens, and sends the probes that follow from it.
pub(crate) fn step_and_send(dev: &Device<Trunk>, input: In<'_>, context: &RcuBh) -> Effects {
    let effects = step(dev, input, context);
    send_effect(dev, &effects, context);
    if effects.tests {
        send_tests(dev, context);
    }
    effects
}

/// Sends the tests that are due.
pub(crate) fn send_tests(dev: &Device<Trunk>, context: &RcuBh) {
    loop {
        let effects = step(dev, Input::Test(random_u64()), context);
        send_effect(dev, &effects, context);
        if !effects.tests {
            return;
        }
    }
}

/// Takes a frame that has the EtherType of probes. Returns it if it is of another protocol.
#[cold]
pub(crate) fn on_frame(port: &Port, skb: Received, context: &RcuBh) -> Option<Received> {
    let dev = &*port.trunk;
    let mut room = [0; wire::MAX_LEN];
    let bytes = skb.copy_payload(&mut room);
    let key = dev.data().get_ref().probes.key.get(context);
    let read = Probe::read(bytes, key.map(|key| |signed: &[u8]| key.hash(signed)));
    if read.is_err_and(Refused::is_foreign) {
        return Some(skb);
    }
    skb.into_frame().consume();
    step_and_send(dev, Input::Probe(port.id, read.as_ref().ok()), context);
    None
}

/// Says goodbye to the peers of `ports`.
pub(crate) fn say_goodbye<'a>(
    dev: &Device<Trunk>,
    ports: impl Iterator<Item = &'a Port>,
    context: &RcuBh,
) {
    for port in ports.filter(|port| port.dev.is_operational()) {
        let effects = step(dev, Input::Bye(port.id, random_u64()), context);
        send_effect(dev, &effects, context);
    }
}

fn send_effect(dev: &Device<Trunk>, effects: &Effects, context: &RcuBh) {
    let trunk = dev.data().get_ref();
    if let Some((id, probe)) = &effects.send {
        if let Some(port) = trunk.port(*id, context) {
            send(trunk, port, probe, context);
        }
    }
}

fn send(trunk: &Trunk, port: &Port, probe: &Probe, context: &RcuBh) {
    let frames = &trunk.probes;
    let key = frames.key.get(context);
    let (payload, len) = probe.write(key.map(|key| |signed: &[u8]| key.hash(signed)));
    let mut frame = [0; HEADER + wire::LEN];
    let (dst, src) = (frames.address(), port.probe_mac());
    let ethertype = frames.ethertype().to_be_bytes();
    let parts = [&dst.octets()[..], src.octets(), &ethertype, &payload];
    for (room, byte) in frame.iter_mut().zip(parts.into_iter().flatten()) {
        *room = *byte;
    }
    let bytes = frame.get(..len.saturating_add(HEADER));
    if let Some(skb) = bytes.and_then(SkBuff::new_frame) {
        // A test that is refused is one that nobody answers.
        let _ = skb.transmit(&port.dev, context);
    }
}

// While links are tested

/// Starts or stops testing, as it is needed: while the trunk is up, or has claims.
pub(crate) fn run(dev: &Device<Trunk>, rtnl: &Rtnl) {
    let (runs, needed) = {
        let state = dev.data().get_ref().state.lock();
        (state.is_testing(), state.needs_tests())
    };
    match (runs, needed) {
        (false, true) => start(dev, rtnl),
        (true, false) => stop(dev, rtnl),
        _ => (),
    }
}

/// Starts testing. The first round comes at once.
fn start(dev: &Device<Trunk>, rtnl: &Rtnl) {
    let own = Identity {
        system: dev.net(rtnl).map_or(0, system),
        trunk: dev.ifindex(),
    };
    step(dev, Input::Start(own), &read_lock_bh());
    dev.start_timer(rtnl);
}

/// Stops testing, and says goodbye to all peers.
fn stop(dev: &Device<Trunk>, rtnl: &Rtnl) {
    let trunk = dev.data().get_ref();
    dev.stop_timer(rtnl);
    let context = read_lock_bh();
    say_goodbye(dev, trunk.ports(&context), &context);
    step(dev, Input::Stop, &context);
}

// Settings

/// Other settings, with all they take.
pub(crate) struct Change {
    settings: Settings,
    key: Option<Option<Arc<Key>>>,
}

impl Change {
    /// Prepares to go by these settings and, if it is to be another one, by this key. With RTNL
    /// held all the time, [`Self::make`] follows.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or what a port answers that shall listen to another address.
    pub(crate) fn prepare(
        dev: &Device<Trunk>,
        settings: Settings,
        key: Option<Option<Key>>,
        rtnl: &Rtnl,
    ) -> Result<Self> {
        let trunk = dev.data().get_ref();
        let key = match key {
            Some(Some(key)) => Some(Some(Arc::new(key, GFP_KERNEL)?)),
            Some(None) => Some(None),
            None => None,
        };
        let address = MacAddr::new(settings.probe_address);
        if trunk.probes.address() != address {
            Trunk::change_all_ports(
                dev,
                rtnl,
                |port, _| listen_to(port, address, rtnl),
                |port, _| ignore_to(port, address, rtnl),
            )?;
        }
        Ok(Self { settings, key })
    }

    /// Goes by these settings; `settle` has the state go by them.
    pub(crate) fn make(self, dev: &Device<Trunk>, settle: impl FnOnce(), rtnl: &Rtnl) {
        let trunk = dev.data().get_ref();
        let frames = &trunk.probes;
        let new = &self.settings;
        if new.probes.mode == ProbeMode::Off {
            let context = read_lock_bh();
            say_goodbye(dev, trunk.ports(&context), &context);
        }
        let (old, address) = (frames.address(), MacAddr::new(new.probe_address));
        if old != address {
            frames.address.store(address.to_u64(), Ordering::Relaxed);
            dev.for_each_port(rtnl, |port, _| ignore_to(port, old, rtnl));
        }
        frames
            .ethertype
            .store(new.probe_ethertype, Ordering::Relaxed);
        dev.for_each_port(rtnl, |_, port| port.set_probe_type(new.probe_ethertype));
        if let Some(key) = self.key {
            drop(frames.key.replace(key));
        }
        settle();
        if trunk.state.lock().is_testing() {
            // It goes by the new settings at once, and does not wait for what was due before.
            dev.start_timer(rtnl);
        }
    }
}

/// Has `port` receive the probes of `trunk`.
pub(crate) fn listen(trunk: &Trunk, port: &NetDevice, rtnl: &Rtnl) -> Result {
    listen_to(port, trunk.probes.address(), rtnl)
}

/// Has `port` receive the probes of `trunk` no longer.
pub(crate) fn ignore(trunk: &Trunk, port: &NetDevice, rtnl: &Rtnl) {
    ignore_to(port, trunk.probes.address(), rtnl);
}

fn listen_to(port: &NetDevice, address: MacAddr, rtnl: &Rtnl) -> Result {
    match address.is_multicast() {
        true => port.add_multicast(address, rtnl),
        false => Ok(()),
    }
}

fn ignore_to(port: &NetDevice, address: MacAddr, rtnl: &Rtnl) {
    if address.is_multicast() {
        // It fails only if nobody listens.
        let _ = port.remove_multicast(address, rtnl);
    }
}
