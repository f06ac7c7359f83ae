// SPDX-License-Identifier: GPL-2.0

//! Probes as frames: sent and received, when they are due, and by which settings.
//!
//! [`pure::state`](crate::pure::state) decides what a probe means, in the context of the timer or
//! of the frame: it takes no RTNL, allocates nothing and waits for nothing.

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
            Path,
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

/// The key of the hash that identifies this system. There is another each time the module is
/// loaded.
static SECRET: SetOnce<Key> = SetOnce::new();

/// Chooses the key of the system's identity. To be called once, when the module is loaded.
pub(crate) fn choose_secret() {
    SECRET.populate(Key::random());
}

/// Returns what identifies this system, that is, the network namespace, for peers.
pub(crate) fn system(net: &Net) -> u64 {
    let hash = |key: &Key| key.hash(&net.cookie().to_be_bytes());
    SECRET.as_ref().map_or(0, hash)
}

// Time and frames

/// Takes in what happens, and sends the probes that follow from it, and the tests that are due.
pub(crate) fn step_and_send(dev: &Device<Trunk>, input: In<'_>, context: &RcuBh) -> Effects {
    let effects = step_once(dev, input, context);
    let mut due = effects.tests;
    while due {
        due = step_once(dev, Input::Test(random_u64()), context).tests;
    }
    effects
}

/// Sends the tests that are due and resemble data. There may be one of the largest size for each port, so
/// that bottom halves are disabled for one at a time.
pub(crate) fn send_path_tests(dev: &Device<Trunk>) {
    while step_once(dev, Input::Test(random_u64()), &read_lock_bh()).paths {}
}

/// Takes in what happens, and sends the probe that follows from it.
fn step_once(dev: &Device<Trunk>, input: In<'_>, context: &RcuBh) -> Effects {
    let effects = step(dev, input, context);
    if let Some((id, peer, counted)) = effects.counted {
        dev.data().tallies.lock().hear(id, peer, counted);
    }
    if let Some((id, probe)) = &effects.send {
        let port = dev.data().port(*id, context);
        let made = port.is_some_and(|port| send(dev, port, probe, context));
        if probe.path.is_some() && !made {
            step(dev, Input::NotMade(*id), context);
        }
    }
    effects
}

/// Takes a frame that has the EtherType of probes. Returns it if it is of another protocol, or a probe
/// of others in a VLAN of theirs.
#[cold]
pub(crate) fn on_frame(port: &Port, skb: Received, context: &RcuBh) -> Option<Received> {
    let dev = &*port.trunk;
    let mut room = [0; wire::MAX_LEN];
    let bytes = skb.copy_payload(&mut room);
    let key = dev.data().probes.key.get(context);
    let read = Probe::read(bytes, key.map(|key| |signed: &[u8]| key.hash(signed)));
    if read.is_err_and(Refused::is_foreign) {
        return Some(skb);
    }
    let path = read.as_ref().ok().and_then(|read| read.probe.path);
    let resembles = match path {
        Some(Path::Vlan(vlan)) => Some(vlan),
        _ => None,
    };
    let vlan = skb.vlan();
    if vlan.is_some() && vlan != resembles {
        return Some(skb);
    }
    skb.into_frame().consume();
    // Without its tag it does not say that the link carries the VLAN.
    let read = read.as_ref().ok().filter(|_| vlan == resembles);
    step_and_send(dev, Input::Probe(port.id, read), context);
    None
}

/// Says goodbye to the peer of `port`.
pub(crate) fn say_goodbye(dev: &Device<Trunk>, port: &Port, context: &RcuBh) {
    if port.dev.is_operational() {
        step_once(dev, Input::Bye(port.id, random_u64()), context);
    }
}

/// Says goodbye to all peers.
fn say_goodbyes(dev: &Device<Trunk>) {
    let context = read_lock_bh();
    for port in dev.data().ports(&context) {
        say_goodbye(dev, port, &context);
    }
}

/// Sends a probe: a test that resembles data, as a frame of that kind. Returns whether there was memory
/// for the frame.
fn send(dev: &Device<Trunk>, port: &Port, probe: &Probe, context: &RcuBh) -> bool {
    let frames = &dev.data().probes;
    let key = frames.key.get(context);
    let counted = probe
        .path
        .and_then(|_| dev.data().tallies.lock().here(port.id));
    let probe = Probe { counted, ..*probe };
    let (payload, len) = probe.write(key.map(|key| |signed: &[u8]| key.hash(signed)));
    let mut frame = [0; HEADER + wire::LEN];
    let (dst, mut src) = (frames.address(), port.probe_mac());
    let (mut least, mut vlan) = (0, None);
    match probe.path {
        Some(Path::Source) => src = MacAddr::from_u64(dev.data().mac()),
        Some(Path::Mtu) => least = HEADER.saturating_add(dev.mtu() as usize),
        Some(Path::Vlan(id)) => vlan = Some(id),
        None => (),
    }
    let ethertype = frames.ethertype().to_be_bytes();
    let parts = [&dst.octets()[..], src.octets(), &ethertype, &payload];
    for (room, byte) in frame.iter_mut().zip(parts.into_iter().flatten()) {
        *room = *byte;
    }
    let bytes = frame.get(..len.saturating_add(HEADER));
    let Some(mut skb) = bytes.and_then(|bytes| SkBuff::new_frame(bytes, least)) else {
        return false;
    };
    if let Some(vlan) = vlan {
        skb.set_vlan(vlan);
    }
    // A test that the queue refuses counts as one that nobody answers.
    let _ = skb.transmit(&port.dev, context);
    true
}

// While links are tested

/// Starts or stops testing, as it is needed: while the trunk is up, or has claims.
pub(crate) fn run(dev: &Device<Trunk>, rtnl: &Rtnl) {
    let state = dev.data().state.lock();
    let (runs, needed) = (state.is_testing(), state.needs_tests());
    drop(state);
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
    dev.stop_timer(rtnl);
    say_goodbyes(dev);
    step(dev, Input::Stop, &read_lock_bh());
}

// Settings

/// Has probes go by `new` settings, and if `key` is given, be signed with it. The state is to go by
/// the settings next, and then [`end_change`] follows.
///
/// # Errors
///
/// The error of a port that is to listen to another address. Nothing is changed then.
pub(crate) fn begin_change(
    dev: &Device<Trunk>,
    new: &Settings,
    key: Option<Option<Arc<Key>>>,
    rtnl: &Rtnl,
) -> Result {
    let frames = &dev.data().probes;
    let (old, address) = (frames.address(), MacAddr::new(new.probe_address));
    if old != address {
        Trunk::change_all_ports(
            dev,
            rtnl,
            |port, _| listen(port, address, rtnl),
            |port, _| ignore(port, address, rtnl),
        )?;
    }
    if new.probes.mode == ProbeMode::Off {
        say_goodbyes(dev);
    }
    if old != address {
        frames.address.store(address.to_u64(), Ordering::Relaxed);
        dev.for_each_port(rtnl, |port, _| ignore(port, old, rtnl));
    }
    frames
        .ethertype
        .store(new.probe_ethertype, Ordering::Relaxed);
    dev.for_each_port(rtnl, |_, port| port.set_probe_type(new.probe_ethertype));
    if let Some(key) = key {
        drop(frames.key.replace(key));
    }
    Ok(())
}

/// Has tests go by the settings at once, and not wait for what was due before.
pub(crate) fn end_change(dev: &Device<Trunk>, rtnl: &Rtnl) {
    if dev.data().state.lock().is_testing() {
        dev.start_timer(rtnl);
    }
}

/// Has `port` receive probes that are sent to `address`.
pub(crate) fn listen(port: &NetDevice, address: MacAddr, rtnl: &Rtnl) -> Result {
    match address.is_multicast() {
        true => port.add_multicast(address, rtnl),
        false => Ok(()),
    }
}

/// Has `port` no longer receive probes that are sent to `address`.
pub(crate) fn ignore(port: &NetDevice, address: MacAddr, rtnl: &Rtnl) {
    if address.is_multicast() {
        // It fails only if nobody listens.
        let _ = port.remove_multicast(address, rtnl);
    }
}
