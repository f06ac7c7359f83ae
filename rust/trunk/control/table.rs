// SPDX-License-Identifier: GPL-2.0

//! The table: buckets and their homes, shown and set.

use super::{
    dump::{
        each_trunk,
        nests, //
    },
    put_ifindex,
    reply,
    request::{
        only,
        port_of,
        trunk_named, //
    }, //
};
use crate::{
    pure::{
        port::{
            from_slot,
            to_slot,
            PortId,
            PortView,
            NO_PORT, //
        },
        state::Replacement,
        uapi::{
            attr,
            bucket, //
        }, //
    },
    switch::{
        replace,
        table, //
    },
    trunk::Trunk, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};
use netdev::{
    device::Device,
    genl::{
        Attribute,
        Attributes,
        Dump,
        Message,
        Request, //
    },
    netlink::ExtAck,
    rcu::{
        read_lock,
        Rcu, //
    },
    rtnl, //
};

/// Returns the number of the bucket that `nest` is about, of a table of so many buckets.
fn bucket_number(nest: Attributes<'_>, buckets: usize, extack: &mut ExtAck<'_>) -> Result<usize> {
    let reason = c"bucket.index: which bucket is not said";
    let attr = nest.require(bucket::INDEX, reason, extack)?;
    let index = attr.to_u32().map_or(usize::MAX, |index| index as usize);
    if index >= buckets {
        let last = buckets.saturating_sub(1);
        return Err(extack.refuse_fmt(
            ERANGE,
            Some(attr),
            fmt!("bucket.index: {index} is out of range 0..{last}"),
        ));
    }
    Ok(index)
}

pub(super) fn get(request: &mut Request<'_>) -> Result {
    let dev = trunk_named(request)?;
    let reason = c"bucket: which bucket is not said";
    let attributes = request.attributes();
    let extack = request.extack();
    let nest = attributes.require(attr::BUCKET, reason, extack)?.nest();
    let trunk = dev.data();
    let buckets = trunk.table.get(&read_lock()).buckets().len();
    let number = bucket_number(nest, buckets, extack)?;
    reply(request, &dev, |message, rcu| {
        message.nest(attr::BUCKET, |message| put(message, trunk, number, rcu))
    })
}

pub(super) fn dump(dump: &mut Dump<'_>) -> Result {
    each_trunk(dump, true, |dump, within, dev, rcu| {
        let trunk = dev.data();
        let buckets = trunk.table.get(rcu).buckets().len();
        let next = |number| (number < buckets as u64).then_some((number, ()));
        nests(
            dump,
            dev,
            attr::BUCKET,
            within,
            next,
            |message, number, ()| put(message, trunk, number as usize, rcu),
        )
    })
}

pub(super) fn set(request: &mut Request<'_>) -> Result {
    const SETTABLE: [u16; 2] = [bucket::INDEX, bucket::HOME];

    let rtnl = &rtnl::lock();
    let dev = &*trunk_named(request)?;
    let attributes = request.attributes();
    let extack = request.extack();

    let automatic = attributes.get(attr::TABLE_AUTO).is_some();
    if !automatic {
        let reason = c"bucket: neither a bucket nor table-auto is given";
        attributes.require(attr::BUCKET, reason, extack)?;
    }
    let old = table(dev.data(), rtnl);
    let next = old.successor(None, None, None)?;
    if automatic {
        next.buckets().iter().for_each(|it| it.choose(NO_PORT));
    }
    let nests = attributes.iter().filter(|attr| attr.kind() == attr::BUCKET);
    for nest in nests.map(Attribute::nest) {
        only(&SETTABLE, nest, &bucket::NAMES, "bucket", extack)?;
        let number = bucket_number(nest, next.buckets().len(), extack)?;
        let home = match nest.get(bucket::HOME) {
            Some(attr) => to_slot(Some(home(dev, attr, extack)?)),
            None => NO_PORT,
        };
        if let Some(bucket) = next.buckets().get(number) {
            bucket.choose(home);
        }
    }
    let mut both = Iterator::zip(old.buckets().iter(), next.buckets());
    if both.any(|(old, new)| old.chosen() != new.chosen()) {
        replace(dev, Arc::new(next, GFP_KERNEL)?, Replacement::Homes, rtnl);
    }
    Ok(())
}

/// Returns the working port of `dev` that `attr` names.
fn home(dev: &Device<Trunk>, attr: Attribute<'_>, extack: &mut ExtAck<'_>) -> Result<PortId> {
    let id = port_of(dev, "bucket.home", attr, extack)?;
    let view = dev.data().state.lock().ports().get(id).copied();
    if view.as_ref().is_some_and(PortView::is_working) {
        return Ok(id);
    }
    let reason = fmt!("bucket.home: a spare is nobody's home; set its priority to 1 first");
    Err(extack.refuse_fmt(EINVAL, Some(attr), reason))
}

/// Adds what a bucket belongs to and has carried. `ENODEV` if there are not so many any more.
fn put(message: &mut Message<'_>, trunk: &Trunk, number: usize, rcu: &Rcu) -> Result {
    let table = trunk.table.get(rcu);
    let state = table.buckets().get(number).ok_or(ENODEV)?;
    let [frames, bytes] = table.sent(number);
    let (home, chosen) = (state.home(), state.chosen());

    message.put_u32(bucket::INDEX, number as u32)?;
    put_ifindex(message, bucket::HOME, trunk, from_slot(home), rcu)?;
    put_ifindex(message, bucket::PORT, trunk, from_slot(state.slot()), rcu)?;
    let user_set = from_slot(chosen).is_some() && chosen == home;
    message.put_flag(bucket::USER_SET, user_set)?;
    message.put_uint(bucket::TX_PACKETS, frames)?;
    message.put_uint(bucket::TX_BYTES, bytes)
}
