// SPDX-License-Identifier: GPL-2.0

//! Trunks: their settings, shown and changed. Requests of the family and link messages of the kind
//! `trunk` have the same attributes, and come together here.

use super::{
    auto_join,
    dump::{
        self,
        each_trunk, //
    },
    probes,
    reply,
    request::{
        name,
        number,
        only,
        trunk_named, //
    },
    FAMILY, //
};
use crate::{
    auto_join::rule_changed,
    probe,
    pure::{
        selector::Selector,
        spares::Failback,
        state::{
            Input,
            Replacement, //
        },
        uapi::{
            attr,
            cmd,
            FarEnd, //
            Role,
        },
        MAX_BITS, //
    },
    switch::{
        replace,
        step_later,
        table, //
    },
    trunk::Trunk, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};
use netdev::{
    addr::MacAddr,
    device::{
        AddrSource,
        Device, //
    },
    genl::{
        Attribute,
        Attributes,
        Dump,
        Message,
        Request, //
    },
    link_ops,
    netlink::ExtAck,
    rcu::{
        read_lock,
        Rcu, //
    },
    rtnl::{
        self,
        Rtnl, //
    }, //
};

/// Bytes that are enough for [`put`], the attribute around it included.
pub(crate) const TRUNK_SIZE: usize = 640;

/// The attributes that set something, where the trunk is named in another way.
const SETTINGS: [u16; 18] = [
    attr::BITS,
    attr::SELECTOR,
    attr::ROLE,
    attr::FAILBACK,
    attr::FAILBACK_DELAY,
    attr::FAR_END,
    attr::PROBE,
    attr::INTERVAL,
    attr::REPLY_TIMEOUT,
    attr::MISSES,
    attr::HITS,
    attr::HOLD_DOWN,
    attr::PEERS,
    attr::PROBE_ETHERTYPE,
    attr::PROBE_ADDRESS,
    attr::KEY,
    attr::AUTO_JOIN,
    attr::MIN_LINKS,
];

pub(super) fn get(request: &mut Request<'_>) -> Result {
    let dev = trunk_named(request)?;
    reply(request, &dev, |message, rcu| put(message, &dev, rcu))
}

pub(super) fn dump(dump: &mut Dump<'_>) -> Result {
    each_trunk(dump, true, |dump, _, dev, rcu| {
        dump::message(dump, dev, |message| put(message, dev, rcu))
    })
}

pub(super) fn set(request: &mut Request<'_>) -> Result {
    let rtnl = &rtnl::lock();
    let dev = trunk_named(request)?;
    change(&dev, request.attributes(), request.extack(), rtnl)
}

/// Changes the settings that a link message has in `IFLA_INFO_DATA`: attributes and policy are
/// those of `trunk-set`.
pub(crate) fn link_set(
    dev: &Device<Trunk>,
    attributes: Attributes<'_>,
    extack: &mut ExtAck<'_>,
    rtnl: &Rtnl,
) -> Result {
    // rtnetlink lets attributes without a policy pass, and numbers that are too long.
    only(&SETTINGS, attributes, &attr::NAMES, "data", extack)?;
    let other = [attr::PROBE_ADDRESS, attr::KEY, attr::AUTO_JOIN];
    let is_odd = |attr: &Attribute<'_>| !other.contains(&attr.kind()) && attr.to_u32().is_none();
    if let Some(attr) = attributes.iter().find(is_odd) {
        let name = name(&attr::NAMES, attr);
        return Err(extack.refuse_fmt(EINVAL, Some(attr), fmt!("{name}: a number has 4 bytes")));
    }
    change(dev, attributes, extack, rtnl)
}

/// Writes the settings into a link message, in the form that `trunk-get` has.
pub(crate) fn link_get(dev: &Device<Trunk>, message: &mut Message<'_>) -> Result {
    put(message, dev, &read_lock())
}

/// Returns the policy of [`link_set`].
pub(crate) fn link_settings() -> Option<link_ops::Settings> {
    link_ops::Settings::of_operation(&FAMILY, cmd::TRUNK_SET)
}

/// Changes settings of a trunk; all of those given, or if one is refused, none.
fn change(
    dev: &Device<Trunk>,
    attributes: Attributes<'_>,
    extack: &mut ExtAck<'_>,
    rtnl: &Rtnl,
) -> Result {
    let role = attributes.get(attr::ROLE);
    let parts = [attr::SELECTOR, attr::FAR_END].map(|kind| attributes.get(kind));
    if let (Some(role), [Some(_), _] | [_, Some(_)]) = (role, parts) {
        return Err(extack.refuse_fmt(
            EINVAL,
            Some(role),
            fmt!("role: sets selector and far-end, so is not combined with these"),
        ));
    }
    let asked = |kind| number(attributes, kind);
    let role = asked(attr::ROLE).and_then(Role::from_u32);
    let selector = match role {
        Some(Role::Server) => Some(Selector::Dmac),
        Some(Role::Switch) => Some(Selector::Smac),
        None => asked(attr::SELECTOR).and_then(Selector::from_u32),
    };
    let far_end = match role {
        Some(_) => Some(FarEnd::Auto),
        None => asked(attr::FAR_END).and_then(FarEnd::from_u32),
    };
    let bits = asked(attr::BITS).map(|bits| bits.min(MAX_BITS));

    let trunk = dev.data();
    let old = *trunk.state.lock().settings();
    let mut new = old;
    new.failback = asked(attr::FAILBACK)
        .and_then(Failback::from_u32)
        .unwrap_or(old.failback);
    new.failback_delay = asked(attr::FAILBACK_DELAY).unwrap_or(old.failback_delay);
    new.far_end = far_end.unwrap_or(old.far_end);
    new.min_links = asked(attr::MIN_LINKS).map_or(old.min_links, |least| {
        u8::try_from(least).unwrap_or(u8::MAX)
    });
    if let Some(nest) = attributes.get(attr::AUTO_JOIN) {
        new.join = auto_join::rule(nest, extack)?;
    }
    let net = dev.net(rtnl).ok_or(ENODEV)?;
    let key = probes::read(attributes, &mut new, net, extack)?;
    let table = table(trunk, rtnl);
    let bits = bits.filter(|bits| *bits != table.bits());
    let selector = selector.filter(|selector| *selector != table.selector);
    new.selector = selector.unwrap_or(table.selector);
    let next = match (bits, selector) {
        (None, None) => None,
        _ => Some(Arc::new(
            table.successor(bits, selector, None)?,
            GFP_KERNEL,
        )?),
    };
    if new != old {
        probe::begin_change(dev, &new, key, rtnl)?;
    }

    // Nothing can fail from here on.
    match next {
        Some(next) => replace(dev, next, Replacement::Settings(&new), rtnl),
        None => drop(step_later(dev, Input::Settings(&new))),
    }
    if new != old {
        probe::end_change(dev, rtnl);
    }
    rule_changed(dev, &old.join, rtnl);
    Ok(())
}

/// Returns the trunk's MAC address if it would not have that one anyway: if the user has set it, or if
/// it is that of a port which has left.
fn own_address(dev: &Device<Trunk>, rcu: &Rcu) -> Option<MacAddr> {
    let trunk = dev.data();
    let mac = MacAddr::from_u64(trunk.mac());
    let is_first_ports = || {
        let first = trunk.ports(rcu).next();
        first.is_some_and(|port| port.own_mac == mac)
    };
    let own = match dev.mac_source() {
        AddrSource::Set => true,
        AddrSource::Stolen => !is_first_ports(),
        AddrSource::Random | AddrSource::Permanent => false,
    };
    own.then_some(mac)
}

/// Adds a trunk's settings and state.
pub(super) fn put(message: &mut Message<'_>, dev: &Device<Trunk>, rcu: &Rcu) -> Result {
    let trunk = dev.data();
    let table = trunk.table.get(rcu);
    let state = trunk.state.lock();
    let (settings, redundancy) = (*state.settings(), state.ports().redundancy());
    let ways = state.decision().ways;
    drop(state);
    let role = match (table.selector, settings.far_end) {
        (Selector::Dmac, FarEnd::Auto) => Some(Role::Server),
        (Selector::Smac, FarEnd::Auto) => Some(Role::Switch),
        _ => None,
    };

    message.put_u32(attr::BITS, table.bits())?;
    message.put_u32(attr::SELECTOR, table.selector as u32)?;
    message.put_u32(attr::ROLE, role.map(|role| role as u32))?;
    message.put_u32(attr::FAILBACK, settings.failback as u32)?;
    message.put_u32(attr::FAILBACK_DELAY, settings.failback_delay)?;
    message.put_u32(attr::FAR_END, settings.far_end as u32)?;
    probes::put(message, &settings)?;
    message.put_uint(attr::SYSTEM, dev.net_rcu(rcu).map_or(0, probe::system))?;
    message.put_u32(attr::REDUNDANCY, redundancy as u32)?;
    message.put_u32(attr::FAR_END_IS, ways.far_end as u32)?;
    message.put_u32(attr::FAR_END_REASON, ways.reason as u32)?;
    message.put_u32(attr::MIN_LINKS, u32::from(settings.min_links))?;
    if let Some(mac) = own_address(dev, rcu) {
        message.put(attr::ADDRESS, mac.octets())?;
    }
    settings.join.map_or(Ok(()), |rule| {
        message.nest(attr::AUTO_JOIN, |message| auto_join::put(message, &rule))
    })
}
