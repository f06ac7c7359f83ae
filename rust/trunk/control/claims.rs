// SPDX-License-Identifier: GPL-2.0

//! Claims: made, ended and shown, and what their holders are notified of. A claim ends with the
//! socket that made it.

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
        required,
        required_in,
        trunk_to_set, //
    }, //
};
use crate::{
    netns::Count,
    probe,
    pure::{
        claims::{
            Claim,
            Holder,
            Socket,
            Stage,
            MAX_CLAIMS, //
        },
        health::Tested as _,
        port::PortId,
        state::{
            CannotClaim,
            Ending,
            Input,
            Told, //
        },
        uapi::{
            attr,
            claim, //
        }, //
    },
    switch::step_later,
    trunk::Trunk, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        rcu, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};
use netdev::{
    device::Device,
    genl::{
        Attribute,
        Attributes,
        Dump,
        Message,
        Request,
        SocketId,
        SocketsClosed, //
    },
    net::Net,
    netlink::ExtAck,
    rcu::Rcu,
    rtnl::{
        self,
        Rtnl, //
    }, //
};

/// Returns the nest about a claim, and in it the claim's mark.
fn claim_nest<'r>(
    attributes: Attributes<'r>,
    extack: &mut ExtAck<'_>,
) -> Result<(Attribute<'r>, Attribute<'r>)> {
    let reason = c"claim: what is claimed is not said";
    let nest = required(attributes, attr::CLAIM, reason, extack)?;
    let reason = c"claim.mark: the mark of its frames is not said";
    Ok((nest, required_in(nest, claim::MARK, reason, extack)?))
}

/// Returns the port of `dev` that a claim asks for, and the attribute that names it.
fn wanted<'r>(
    dev: &Device<Trunk>,
    nest: Attribute<'r>,
    extack: &mut ExtAck<'_>,
) -> Result<(PortId, Attribute<'r>)> {
    let reason = c"claim.port: which port is wanted is not said";
    let attr = required_in(nest, claim::PORT, reason, extack)?;
    Ok((port_of(dev, "claim.port", attr, extack)?, attr))
}

pub(super) fn add(request: &mut Request<'_>) -> Result {
    const SETTABLE: [u16; 3] = [claim::MARK, claim::PORT, claim::NAME];

    let attributes = request.attributes();
    let (nest, mark_attr) = claim_nest(attributes, request.extack())?;
    let extack = request.extack();
    only(&SETTABLE, nest.nest(), &claim::NAMES, "claim", extack)?;
    let mark = mark_attr.to_u32().unwrap_or(0);
    let mut name = [0u8; 32];
    let said = nest.nest().get(claim::NAME).and_then(Attribute::to_cstr);
    // The policy has seen to it that a NUL is left.
    for (room, octet) in name.iter_mut().zip(said.map_or(&[][..], CStr::to_bytes)) {
        *room = *octet;
    }

    // The links are tested first. Whoever needs RTNL meanwhile is not kept waiting.
    let (asked, port): (ARef<Device<Trunk>>, Attribute<'_>) = {
        let guard = rtnl::lock();
        let rtnl: &Rtnl = &guard;
        let dev = trunk_to_set(request, rtnl)?;
        let (id, port) = wanted(dev, nest, request.extack())?;
        check(dev, mark, mark_attr, request.extack())?;
        let holder = Holder {
            mark,
            socket: socket(request.socket()?),
            ifindex: port.to_u32().unwrap_or(0),
            name,
        };
        step_later(dev, Input::Claim(id, holder), (&rcu::read_lock()).into());
        Count::Claims.add(request.net(), 1);
        probe::run(dev, rtnl);
        (dev.into(), port)
    };
    let claim = loop {
        let mut state = asked.data().get_ref().state.lock();
        if let Some(claim) = state.take_answer(mark) {
            break claim;
        }
        // The device has gone meanwhile.
        state.claim(mark).ok_or(ENODEV)?;
        drop(state);
        fsleep(Delta::from_micros(200));
    };
    if claim.stage == Stage::Refused {
        Count::Claims.sub(request.net(), 1);
        let reason = fmt!("claim.port: it cannot be had, and no spare is free");
        return Err(request.extack().refuse_fmt(EBUSY, Some(port), reason));
    }
    reply(request, &asked, |message, rcu| {
        message.nest(attr::CLAIM, |message| put(message, &asked, &claim, rcu))
    })
    .inspect_err(|_| end(&asked, Ending::Mark(mark), request.net()))
}

/// Returns a socket as the state knows it.
fn socket(id: SocketId) -> Socket {
    Socket {
        port_id: id.port_id(),
        cookie: id.number(),
    }
}

/// Refuses a claim that cannot be made.
fn check(dev: &Device<Trunk>, mark: u32, attr: Attribute<'_>, extack: &mut ExtAck<'_>) -> Result {
    let can = dev.data().state.lock().can_claim(mark);
    match can {
        Ok(()) => Ok(()),
        Err(CannotClaim::Claimed) => Err(extack.refuse_fmt(
            EEXIST,
            Some(attr),
            fmt!("claim.mark: {mark} is claimed already"),
        )),
        Err(CannotClaim::Full) => Err(extack.refuse_fmt(
            ENOSPC,
            None,
            fmt!("claim: a trunk has at most {MAX_CLAIMS} claims"),
        )),
    }
}

/// Ends claims of `dev`, which is in `net`.
fn end(dev: &Device<Trunk>, which: Ending, net: &Net) {
    let input = Input::EndClaims(which);
    let effects = step_later(dev, input, (&rcu::read_lock()).into());
    Count::Claims.sub(net, effects.ended);
}

pub(super) fn del(request: &mut Request<'_>) -> Result {
    const SETTABLE: [u16; 1] = [claim::MARK];

    let guard = rtnl::lock();
    let rtnl: &Rtnl = &guard;
    let dev = trunk_to_set(request, rtnl)?;
    let (attributes, socket) = (request.attributes(), socket(request.socket()?));
    let extack = request.extack();
    let (nest, attr) = claim_nest(attributes, extack)?;
    only(&SETTABLE, nest.nest(), &claim::NAMES, "claim", extack)?;
    let mark = attr.to_u32().unwrap_or(0);
    let holder = {
        let state = dev.data().get_ref().state.lock();
        state.claim(mark).map(|claim| claim.holder.socket)
    };
    match holder {
        None => Err(extack.refuse_fmt(
            ENOENT,
            Some(attr),
            fmt!("claim.mark: {mark} is not claimed"),
        )),
        Some(other) if other != socket => {
            let reason = fmt!("claim.mark: the claim belongs to another socket");
            Err(extack.refuse_fmt(EPERM, Some(attr), reason))
        }
        Some(_) => {
            end(dev, Ending::Mark(mark), request.net());
            probe::run(dev, rtnl);
            Ok(())
        }
    }
}

pub(super) fn dump(dump: &mut Dump<'_>) -> Result {
    each_trunk(dump, true, |dump, within, dev, rcu| {
        let state = &dev.data().get_ref().state;
        let next = |number: u64| {
            let at = usize::try_from(number).unwrap_or(usize::MAX);
            let claim = state.lock().claims().get(at).copied()?;
            Some((number, claim))
        };
        nests(
            dump,
            dev,
            attr::CLAIM,
            within,
            next,
            |message, _, claim| put(message, dev, &claim, rcu),
        )
    })
}

/// Adds a claim: what it is about, and who holds it.
fn put(message: &mut Message<'_>, dev: &Device<Trunk>, claim: &Claim, rcu: &Rcu) -> Result {
    let holder = &claim.holder;
    message.put_u32(claim::MARK, holder.mark)?;
    message.put_u32(claim::PORT, holder.ifindex)?;
    put_link(message, dev, claim.link(), rcu)?;
    message.put_u32(claim::HOLDER, holder.socket.port_id)?;
    match CStr::from_bytes_until_nul(&holder.name) {
        Ok(name) if !name.is_empty() => message.put_str(claim::NAME, name),
        _ => Ok(()),
    }
}

/// Adds the link of a claim, and the port at its other end.
fn put_link(
    message: &mut Message<'_>,
    dev: &Device<Trunk>,
    link: Option<PortId>,
    rcu: &Rcu,
) -> Result {
    let trunk = dev.data().get_ref();
    put_ifindex(message, claim::LINK, trunk, link, rcu)?;
    let state = trunk.state.lock();
    let peer = link.and_then(|id| Some(state.port(id)?.link().peer()?.port));
    drop(state);
    match peer {
        Some(port) => message.put_u32(claim::PEER_PORT, port.into()),
        None => Ok(()),
    }
}

/// Adds what the holder of a claim is notified of.
pub(super) fn put_told(
    message: &mut Message<'_>,
    dev: &Device<Trunk>,
    told: &Told,
    rcu: &Rcu,
) -> Result {
    let trunk = dev.data().get_ref();
    message.nest(attr::CLAIM, |message| {
        message.put_u32(claim::MARK, told.claim.holder.mark)?;
        message.put_u32(claim::PORT, told.claim.holder.ifindex)?;
        put_link(message, dev, told.new, rcu)?;
        put_ifindex(message, claim::OLD_LINK, trunk, told.old, rcu)?;
        message.put_u32(claim::REASON, told.claim.reason() as u32)
    })
}

/// Claims end with the sockets that hold them.
pub(crate) struct Holders;

impl SocketsClosed for Holders {
    fn closed(net: &Net, id: SocketId) {
        // Sockets come and go by the hundred, and claims are rare.
        if Count::Claims.get(net) == 0 {
            return;
        }
        let guard = rcu::read_lock();
        let rcu: &Rcu = (&guard).into();
        let socket = socket(id);
        let mut from = 0;
        while let Some(dev) = Device::<Trunk>::next_rcu(net, from, rcu) {
            end(dev, Ending::Socket(socket), net);
            from = dev.ifindex().saturating_add(1);
        }
    }
}
