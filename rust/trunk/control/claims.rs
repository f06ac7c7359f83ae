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
    claims::{
        Holder,
        Told,
        MAX_CLAIMS, //
    },
    decided::Decided,
    device::Trunk,
    netns::Count,
    probe::Prober,
    pure::{
        claims::Claim,
        health::Health,
        port::{
            PortId,
            PortSet, //
        },
        uapi::{
            attr,
            claim, //
        }, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        rcu, //
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

    // Is the port alive, and are the spares? Whoever needs RTNL meanwhile is not kept waiting.
    let (asked, id, fresh): (ARef<Device<Trunk>>, PortId, bool) = {
        let guard = rtnl::lock();
        let rtnl: &Rtnl = &guard;
        let dev = trunk_to_set(request, rtnl)?;
        let (id, _) = wanted(dev, nest, request.extack())?;
        expect_claim(dev, mark, mark_attr, request.extack(), rtnl)?;
        let fresh = Prober::begin_inquiry(dev, rtnl)?;
        (dev.into(), id, fresh)
    };
    let answer = Prober::inquire(&asked, id, fresh);

    let guard = rtnl::lock();
    let rtnl: &Rtnl = &guard;
    let made = make_claim(request, &asked, answer, (nest, mark, mark_attr), name, rtnl);
    let settled = Prober::end_inquiry(&asked, rtnl);
    if let (Ok(()), Err(_)) = (&made, &settled) {
        end_claim(&asked, mark, request.net());
    }
    made.and(settled)?;
    drop(guard);
    reply(request, &asked, |message, rcu| {
        put_claim_of(message, &asked, mark, rcu)
    })
    .inspect_err(|_| end_claim(&asked, mark, request.net()))
}

/// Makes room for a claim.
fn expect_claim(
    dev: &Device<Trunk>,
    mark: u32,
    attr: Attribute<'_>,
    extack: &mut ExtAck<'_>,
    rtnl: &Rtnl,
) -> Result {
    match dev.data().table.expect_claim(mark, rtnl) {
        Err(err) if err == EEXIST => Err(extack.refuse_fmt(
            err,
            Some(attr),
            fmt!("claim.mark: {mark} is claimed already"),
        )),
        Err(err) if err == ENOSPC => Err(extack.refuse_fmt(
            err,
            None,
            fmt!("claim: a trunk has at most {MAX_CLAIMS} claims"),
        )),
        result => result,
    }
}

/// Makes a claim on the trunk that was `asked`, after these ports were silent since that moment.
fn make_claim(
    request: &mut Request<'_>,
    asked: &Device<Trunk>,
    (silent, since): (PortSet, u64),
    (nest, mark, mark_attr): (Attribute<'_>, u32, Attribute<'_>),
    name: [u8; 32],
    rtnl: &Rtnl,
) -> Result {
    let dev = trunk_to_set(request, rtnl)?;
    if !dev.is(asked) {
        return Err(ENODEV);
    }
    let trunk = dev.data().get_ref();
    let (id, port_attr) = wanted(dev, nest, request.extack())?;
    let ifindex = port_attr.to_u32().unwrap_or(0);
    // Another may have been faster.
    expect_claim(dev, mark, mark_attr, request.extack(), rtnl)?;
    let holder = Holder::new(mark, request.port_id(), ifindex, name);
    let add = |decided: &mut Decided| {
        decided.doubts = decided.doubts | silent;
        decided.add_claim(Claim::new(id), holder)
    };
    let added = {
        let guard = rcu::read_lock();
        trunk.table.change(dev, None, add, (&guard).into())
    };
    trunk.prober.doubt(silent, since);
    added?;
    Count::Claims.add(request.net(), 1);
    if trunk.table.look(|decided| decided.link_of(mark)).is_none() {
        end_claim(dev, mark, request.net());
        let reason = fmt!("claim.port: it cannot be had, and no spare is free");
        return Err(request.extack().refuse_fmt(EBUSY, Some(port_attr), reason));
    }
    Ok(())
}

fn end_claim(dev: &Device<Trunk>, mark: u32, net: &Net) {
    let ours = |holder: &Holder| holder.mark == mark;
    end_claims(dev, ours, net, (&rcu::read_lock()).into());
}

/// Ends the claims to links of `dev`, which is in `net`, for whose holder `test` holds.
fn end_claims(dev: &Device<Trunk>, test: impl Fn(&Holder) -> bool, net: &Net, rcu: &Rcu) {
    Count::Claims.sub(net, dev.data().table.end_claims(dev, test, rcu));
}

pub(super) fn del(request: &mut Request<'_>) -> Result {
    const SETTABLE: [u16; 1] = [claim::MARK];

    let guard = rtnl::lock();
    let rtnl: &Rtnl = &guard;
    let dev = trunk_to_set(request, rtnl)?;
    let (attributes, socket) = (request.attributes(), request.port_id());
    let extack = request.extack();
    let (nest, attr) = claim_nest(attributes, extack)?;
    only(&SETTABLE, nest.nest(), &claim::NAMES, "claim", extack)?;
    let mark = attr.to_u32().unwrap_or(0);
    let table = &dev.data().get_ref().table;
    let holder = table.look(|decided| {
        let mut claims = decided.claims();
        claims.find_map(|(_, h)| (h.mark == mark).then_some(h.socket))
    });
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
            let ours = |h: &Holder| h.mark == mark && h.socket == socket;
            end_claims(dev, ours, request.net(), (&rcu::read_lock()).into());
            Prober::settle(dev, dev.is_up(rtnl), rtnl)
        }
    }
}

pub(super) fn dump(dump: &mut Dump<'_>) -> Result {
    each_trunk(dump, true, |dump, within, dev, rcu| {
        let table = &dev.data().get_ref().table;
        let next = |number: u64| {
            let at = usize::try_from(number).unwrap_or(usize::MAX);
            let claim = |decided: &mut Decided| {
                let (claim, holder) = decided.claims().nth(at)?;
                Some((*claim, *holder))
            };
            table.look(claim).map(|claim| (number, claim))
        };
        nests(
            dump,
            dev,
            attr::CLAIM,
            within,
            next,
            |message, _, (claim, holder)| put(message, dev, &claim, &holder, rcu),
        )
    })
}

/// Adds a claim: what it is about, and who holds it.
fn put(
    message: &mut Message<'_>,
    dev: &Device<Trunk>,
    claim: &Claim,
    holder: &Holder,
    rcu: &Rcu,
) -> Result {
    message.put_u32(claim::MARK, holder.mark)?;
    message.put_u32(claim::PORT, holder.port)?;
    put_link(message, dev, claim.link(), rcu)?;
    message.put_u32(claim::HOLDER, holder.socket)?;
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
    let peer = |health: &mut Health<_>| Some(health.link(link?)?.peer()?.port);
    match trunk.prober.look(peer) {
        Some(port) => message.put_u32(claim::PEER_PORT, port.into()),
        None => Ok(()),
    }
}

/// Adds the claim of that mark. `ENOENT` if it has ended.
fn put_claim_of(message: &mut Message<'_>, dev: &Device<Trunk>, mark: u32, rcu: &Rcu) -> Result {
    let claim = dev.data().table.look(|decided| {
        let (claim, holder) = decided.claims().find(|(_, h)| h.mark == mark)?;
        Some((*claim, *holder))
    });
    let (claim, holder) = claim.ok_or(ENOENT)?;
    message.nest(attr::CLAIM, |message| {
        put(message, dev, &claim, &holder, rcu)
    })
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
        message.put_u32(claim::MARK, told.holder.mark)?;
        message.put_u32(claim::PORT, told.holder.port)?;
        put_link(message, dev, told.new, rcu)?;
        put_ifindex(message, claim::OLD_LINK, trunk, told.old, rcu)?;
        message.put_u32(claim::REASON, told.holder.reason as u32)
    })
}

/// Claims end with the sockets that hold them.
pub(crate) struct Holders;

impl SocketsClosed for Holders {
    fn closed(net: &Net, port_id: u32) {
        // Sockets come and go by the hundred, and claims are rare.
        if Count::Claims.get(net) == 0 {
            return;
        }
        let guard = rcu::read_lock();
        let rcu: &Rcu = (&guard).into();
        let mut from = 0;
        while let Some(dev) = Device::<Trunk>::next_rcu(net, from, rcu) {
            let theirs = |holder: &Holder| holder.socket == port_id;
            end_claims(dev, theirs, net, rcu);
            from = dev.ifindex().saturating_add(1);
        }
    }
}
