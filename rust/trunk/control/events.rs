// SPDX-License-Identifier: GPL-2.0

//! Events: notifications of them to listeners and to holders of claims, and the history.

use super::{
    claims,
    dump::{
        each_trunk,
        nests, //
    },
    ports,
    put_identity,
    settings,
    FAMILY,
    SIZE, //
};
use crate::{
    pure::{
        history::{
            Event,
            EventKind, //
        },
        uapi::{
            attr,
            cmd,
            event, //
        }, //
    },
    trunk::Trunk, //
};
use kernel::prelude::*;
use netdev::{
    device::{
        Device,
        NetDevice, //
    },
    genl::{
        Dump,
        Message, //
    },
    net::Net,
    rcu::{
        read_lock,
        Rcu, //
    }, //
};

/// The place of the group `events` among those of the family.
const EVENTS: u32 = 0;

/// Events notified in one go, before others have their turn.
const AT_ONCE: u32 = 256;

/// Notifies listeners, and holders of claims, of what has happened to a trunk since the last call.
pub(crate) fn notify(dev: &Device<Trunk>) {
    let state = &dev.data().state;
    let net = dev.hold_net(&read_lock());
    let Some(net) = net else {
        return;
    };
    claims::answer(dev, &net);
    loop {
        let Some(told) = state.lock().tell_holder() else {
            break;
        };
        let socket = told.claim.holder.socket.port_id;
        // A holder that is gone or does not read misses it; `claim-get` shows the link.
        let _ = FAMILY.unicast(&net, socket, SIZE, cmd::CLAIM_NTF, |message| {
            put_identity(message, dev)?;
            claims::put_moved(message, dev, &told, &read_lock())
        });
    }
    for _ in 0..AT_ONCE {
        let Some((seq, event)) = state.lock().tell() else {
            return;
        };
        let told = FAMILY.multicast(&net, EVENTS, SIZE, notification(event.kind), |message| {
            put_notification(message, dev, seq, &event, &net, &read_lock())
        });
        // The core notifies a listener that has no room left.
        if told.is_err_and(|err| err != ENOBUFS) {
            state.lock().count_lost();
        }
    }
    dev.schedule_work(0);
}

pub(super) fn dump(dump: &mut Dump<'_>) -> Result {
    let net = dump.net();
    each_trunk(dump, false, |dump, within, dev, rcu| {
        let state = &dev.data().state;
        let next = |seq| state.lock().event(seq).map(|(n, event)| (n, *event));
        nests(
            dump,
            dev,
            attr::EVENT,
            within,
            next,
            |message, seq, event| put(message, seq, &event, net, rcu),
        )
    })
}

/// Adds all that the notification of an event says.
fn put_notification(
    message: &mut Message<'_>,
    dev: &Device<Trunk>,
    seq: u64,
    happened: &Event,
    net: &Net,
    rcu: &Rcu,
) -> Result {
    put_identity(message, dev)?;
    if let EventKind::Config = happened.kind {
        settings::put(message, dev, rcu)?;
        let mut ports = dev.data().ports(rcu);
        if let Some(port) = ports.find(|port| port.dev.ifindex() == happened.port) {
            ports::put(message, port, rcu)?;
        }
    }
    message.nest(attr::EVENT, |message| put(message, seq, happened, net, rcu))
}

/// Adds event number `seq`.
fn put(message: &mut Message<'_>, seq: u64, happened: &Event, net: &Net, rcu: &Rcu) -> Result {
    message.put_uint(event::SEQ, seq)?;
    message.put_uint(event::TIME, happened.time)?;
    message.put_u32(event::KIND, happened.kind as u32)?;
    for (ifindex, index, name) in [
        (happened.port, event::PORT, event::PORT_NAME),
        (happened.other, event::OTHER, event::OTHER_NAME),
    ] {
        if ifindex != 0 {
            message.put_u32(index, ifindex)?;
            if let Some(dev) = NetDevice::by_index_rcu(net, ifindex, rcu) {
                message.put_str(name, &dev.current_name())?;
            }
        }
    }
    if let Some((old, new)) = happened.states {
        message.put_u32(event::OLD_STATE, old as u32)?;
        message.put_u32(event::NEW_STATE, new as u32)?;
    }
    if happened.mark != 0 {
        message.put_u32(event::MARK, happened.mark)?;
    }
    message.put_uint(event::DETECTION_NS, happened.detection)?;
    let switch = u64::from(happened.switch);
    match happened.kind {
        EventKind::PortState => message.put_u32(event::REASON, happened.reason as u32),
        EventKind::ClaimMoved => {
            message.put_u32(event::REASON, happened.reason as u32)?;
            message.put_uint(event::SWITCH_NS, switch)
        }
        EventKind::Failover | EventKind::Failback => {
            message.put_u32(event::REASON, happened.reason as u32)?;
            message.put_uint(event::SWITCH_NS, switch)?;
            message.put_u32(event::BUCKETS, happened.buckets)
        }
        EventKind::Join | EventKind::Leave | EventKind::Table | EventKind::Config => {
            message.put_u32(event::BUCKETS, happened.buckets)
        }
        EventKind::JoinRefused => message.put_u32(event::ERROR, u32::from(happened.error)),
        _ => Ok(()),
    }
}

/// Returns the command of the notification of an event of that kind.
fn notification(kind: EventKind) -> u8 {
    match kind {
        EventKind::PortState
        | EventKind::Join
        | EventKind::Leave
        | EventKind::JoinRefused
        | EventKind::Late
        | EventKind::InTime => cmd::PORT_NTF,
        EventKind::Failover => cmd::FAILOVER_NTF,
        EventKind::Failback => cmd::FAILBACK_NTF,
        EventKind::Table => cmd::TABLE_NTF,
        EventKind::Config => cmd::CONFIG_NTF,
        EventKind::PeerFound
        | EventKind::PeerBye
        | EventKind::PeerLost
        | EventKind::PeerDiffers => cmd::PEER_NTF,
        EventKind::Claim | EventKind::Release | EventKind::ClaimMoved => cmd::CLAIM_NTF,
    }
}
