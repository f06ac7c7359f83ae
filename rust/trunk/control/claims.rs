// SPDX-License-Identifier: GPL-2.0

//! Claims: made, ended and shown, and notifications of their holders. A claim ends with the socket
//! that made it.

use super::{
    dump::{
        each_trunk,
        nests, //
    },
    put_identity,
    put_ifindex,
    request::{
        only,
        port_of,
        trunk_named, //
    },
    SIZE, //
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
    sync::aref::ARef, //
};
use netdev::{
    device::Device,
    genl::{
        Attribute,
        Attributes,
        Deferred,
        Dump,
        Message,
        Request,
        SocketId,
        SocketsClosed, //
    },
    net::Net,
    netlink::ExtAck,
    rcu::{
        read_lock,
        Rcu, //
    },
    rtnl, //
};

/// Returns the nest about a claim, which has nothing but attributes that are `settable`, and in it
/// the claim's mark.
fn claim_nest<'r>(
    request: &mut Request<'r>,
    settable: &[u16],
) -> Result<(Attributes<'r>, Attribute<'r>)> {
    let attributes = request.attributes();
    let extack = request.extack();
    let reason = c"claim: what is claimed is not said";
    let nest = attributes.require(attr::CLAIM, reason, extack)?.nest();
    let reason = c"claim.mark: the mark of its frames is not said";
    let mark = nest.require(claim::MARK, reason, extack)?;
    only(settable, nest, &claim::NAMES, "claim", extack)?;
    Ok((nest, mark))
}

pub(super) fn add(request: &mut Request<'_>) -> Result {
    let (nest, mark_attr) = claim_nest(request, &[claim::MARK, claim::PORT, claim::NAME])?;
    let mark = mark_attr.to_u32().unwrap_or(0);
    let mut name = [0u8; 32];
    let said = nest.get(claim::NAME).and_then(Attribute::to_cstr);
    // By the policy it is short enough for a NUL to be left.
    for (room, byte) in name.iter_mut().zip(said.map_or(&[][..], CStr::to_bytes)) {
        *room = *byte;
    }

    let rtnl = &rtnl::lock();
    let dev = &*trunk_named(request)?;
    let extack = request.extack();
    let reason = c"claim.port: which port is wanted is not said";
    let port = nest.require(claim::PORT, reason, extack)?;
    let id = port_of(dev, "claim.port", port, extack)?;
    check(dev, mark, mark_attr, extack)?;
    let holder = Holder {
        mark,
        socket: socket(request.socket()?),
        ifindex: port.to_u32().unwrap_or(0),
        name,
    };
    // The links that it may get are tested first, and the answer follows once that is done.
    let mut asking = dev.data().asking.lock();
    asking.reserve(1, GFP_KERNEL)?;
    let deferred = request.defer()?;
    step_later(dev, Input::Claim(id, holder));
    // There is room.
    let _ = asking.push_within_capacity((holder, deferred));
    drop(asking);
    Count::Claims.add(request.net(), 1);
    probe::run(dev, rtnl);
    Ok(())
}

/// Answers the requests for claims of `dev` that can be answered by now.
pub(super) fn answer(dev: &Device<Trunk>, net: &Net) {
    let trunk = dev.data();
    loop {
        let Some(claim) = trunk.state.lock().take_answer() else {
            return;
        };
        let refused = claim.stage == Stage::Refused;
        if refused {
            Count::Claims.sub(net, 1);
        }
        let Some(request) = take_request(trunk, |holder| *holder == claim.holder) else {
            continue;
        };
        if refused {
            request.finish(|attributes, extack| {
                let nest = attributes.get(attr::CLAIM);
                let port = nest.and_then(|nest| nest.nest().get(claim::PORT));
                let reason = fmt!("claim.port: it cannot be had, and no spare is free");
                Err(extack.refuse_fmt(EBUSY, port, reason))
            });
            continue;
        }
        let replied = request.reply(SIZE, |message| {
            let rcu = &read_lock();
            put_identity(message, dev)?;
            message.nest(attr::CLAIM, |message| put(message, dev, &claim, rcu))
        });
        if replied.is_err() {
            let Holder { mark, socket, .. } = claim.holder;
            end(dev, Ending::Mark(mark, socket), net);
        }
        request.finish(|_, _| replied);
    }
}

/// Returns the first request for a claim whose holder passes `test`. It waits no longer.
fn take_request(trunk: &Trunk, test: impl Fn(&Holder) -> bool) -> Option<Deferred> {
    let mut asking = trunk.asking.lock();
    let at = asking.iter().position(|(holder, _)| test(holder))?;
    asking.remove(at).ok().map(|(_, request)| request)
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
pub(crate) fn end(dev: &Device<Trunk>, which: Ending, net: &Net) {
    let ended = step_later(dev, Input::EndClaims(which)).ended;
    Count::Claims.sub(net, ended);
    // Nothing else answers the requests for claims that have ended.
    let trunk = dev.data();
    // Another socket may have claimed the mark meanwhile.
    let is_gone = |holder: &Holder| {
        let state = trunk.state.lock();
        let claim = state.claim(holder.mark);
        claim.is_none_or(|claim| claim.holder != *holder)
    };
    if ended > 0 {
        while let Some(request) = take_request(trunk, is_gone) {
            request.finish(|_, _| Err(ENODEV));
        }
    }
}

pub(super) fn del(request: &mut Request<'_>) -> Result {
    let rtnl = &rtnl::lock();
    let dev = &*trunk_named(request)?;
    let socket = socket(request.socket()?);
    let (_, attr) = claim_nest(request, &[claim::MARK])?;
    let extack = request.extack();
    let mark = attr.to_u32().unwrap_or(0);
    let state = dev.data().state.lock();
    let holder = state.claim(mark).map(|claim| claim.holder.socket);
    drop(state);
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
            end(dev, Ending::Mark(mark, socket), request.net());
            probe::run(dev, rtnl);
            Ok(())
        }
    }
}

pub(super) fn dump(dump: &mut Dump<'_>) -> Result {
    each_trunk(dump, true, |dump, within, dev, rcu| {
        let state = &dev.data().state;
        let next = |number: u64| {
            let at = usize::try_from(number).unwrap_or(usize::MAX);
            let claim = state.lock().claims().get(at).copied()?;
            Some((number, claim))
        };
        nests(dump, dev, attr::CLAIM, within, next, |message, _, claim| {
            put(message, dev, &claim, rcu)
        })
    })
}

/// Adds a claim: what it is about, and who holds it.
fn put(message: &mut Message<'_>, dev: &Device<Trunk>, claim: &Claim, rcu: &Rcu) -> Result {
    let holder = &claim.holder;
    message.put_u32(claim::MARK, holder.mark)?;
    message.put_u32(claim::PORT, holder.ifindex)?;
    put_link(message, dev, claim.link, rcu)?;
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
    let trunk = dev.data();
    put_ifindex(message, claim::LINK, trunk, link, rcu)?;
    let state = trunk.state.lock();
    let peer = link.and_then(|id| state.port(id)?.link.peer);
    message.put_u32(claim::PEER_PORT, peer.map(|peer| u32::from(peer.port)))
}

/// Adds what the holder of a claim is notified of.
pub(super) fn put_moved(
    message: &mut Message<'_>,
    dev: &Device<Trunk>,
    told: &Told,
    rcu: &Rcu,
) -> Result {
    message.nest(attr::CLAIM, |message| {
        message.put_u32(claim::MARK, told.claim.holder.mark)?;
        message.put_u32(claim::PORT, told.claim.holder.ifindex)?;
        put_link(message, dev, told.claim.link, rcu)?;
        put_ifindex(message, claim::OLD_LINK, dev.data(), told.old, rcu)?;
        message.put_u32(claim::REASON, told.claim.reason as u32)
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
        let which = Ending::Socket(socket(id));
        let next = |from| {
            Some(ARef::from(Device::<Trunk>::next_rcu(
                net,
                from,
                &read_lock(),
            )?))
        };
        let mut from = 0;
        while let Some(dev) = next(from) {
            end(&dev, which, net);
            from = dev.ifindex().saturating_add(1);
        }
    }
}
