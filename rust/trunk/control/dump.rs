// SPDX-License-Identifier: GPL-2.0

//! Answers of many messages: which trunks they are about, and lists that go on from one message to
//! the next.

use super::{
    put_identity,
    request::trunk_named_in, //
};
use crate::{
    pure::uapi::attr,
    trunk::Trunk, //
};
use kernel::prelude::*;
use netdev::{
    device::Device,
    genl::{
        Dump,
        Message, //
    },
    rcu::{
        read_lock,
        Rcu, //
    }, //
};

/// Calls `one` for the trunk that the request names, or else for each trunk in its namespace, from
/// where the dump was interrupted. `one` gets, and moves on, a number that says how far the dump is
/// within the trunk. With `state`, what is shown of a trunk that the request names is one state,
/// and the receiver is notified if it is not.
pub(super) fn each_trunk(
    dump: &mut Dump<'_>,
    state: bool,
    mut one: impl FnMut(&mut Dump<'_>, &mut u64, &Device<Trunk>, &Rcu) -> Result,
) -> Result {
    let rcu = &read_lock();
    let (attributes, net) = (dump.attributes(), dump.net());
    let only = match attributes.get(attr::IFINDEX) {
        None => None,
        Some(_) => Some(trunk_named_in(attributes, net, dump.extack(), rcu)?),
    };
    loop {
        let [from, mut within, ..] = *dump.position();
        let from = u32::try_from(from).unwrap_or(u32::MAX);
        let dev = match only {
            Some(dev) => Some(dev).filter(|dev| dev.ifindex() >= from),
            None => Device::<Trunk>::next_rcu(net, from, rcu),
        };
        let Some(dev) = dev else {
            return Ok(());
        };
        let ifindex = dev.ifindex();
        if ifindex != from {
            within = 0;
        }
        let note_state = |dump: &mut Dump<'_>| {
            if state && only.is_some() {
                dump.consistent(dev.data().state.lock().generation());
            }
        };
        note_state(dump);
        let result = one(dump, &mut within, dev, rcu);
        // The next message, or the end of the dump, reports what has changed meanwhile.
        note_state(dump);
        *dump.position() = match result {
            Ok(()) => [u64::from(ifindex).wrapping_add(1), 0, 0, 0],
            Err(_) => [ifindex.into(), within, 0, 0],
        };
        result?;
    }
}

/// Adds a message about `dev`, of which `fill` writes what follows the trunk's identity.
pub(super) fn message(
    dump: &mut Dump<'_>,
    dev: &Device<Trunk>,
    fill: impl FnOnce(&mut Message<'_>) -> Result,
) -> Result {
    dump.message(|message| {
        put_identity(message, dev)?;
        fill(message)
    })
}

/// Adds messages about `dev`, each with as many nests `kind` as there is room for, from number `at`
/// on. `next` returns the first item from a number on, and its number; `put` writes it.
pub(super) fn nests<T>(
    dump: &mut Dump<'_>,
    dev: &Device<Trunk>,
    kind: u16,
    at: &mut u64,
    next: impl Fn(u64) -> Option<(u64, T)>,
    put: impl Fn(&mut Message<'_>, u64, T) -> Result,
) -> Result {
    while next(*at).is_some() {
        let mut reached = *at;
        message(dump, dev, |message| {
            while let Some((number, item)) = next(reached) {
                if !message.try_nest(kind, |message| put(message, number, item))? {
                    break;
                }
                reached = number.wrapping_add(1);
            }
            match reached == *at {
                true => Err(EMSGSIZE),
                false => Ok(()),
            }
        })?;
        *at = reached;
    }
    Ok(())
}
