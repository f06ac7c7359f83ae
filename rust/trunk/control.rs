// SPDX-License-Identifier: GPL-2.0

//! The netlink family `trunk`: what is asked, and who is told.
//!
//! Requests are described in `Documentation/netlink/specs/trunk.yaml`; the policies made from it
//! have checked types, lengths and ranges of what arrives here. A request that changes something is
//! looked through to its end before anything is changed, and holds RTNL meanwhile.

use crate::{
    auto_join,
    claims::{
        self,
        Holder,
        MAX_CLAIMS, //
    },
    decided::{
        Decided,
        Settings, //
    },
    device::Trunk,
    messages::{
        self,
        put_bucket,
        put_event,
        put_identity,
        put_port,
        put_port_figures,
        put_trunk,
        put_trunk_figures, //
    },
    port::{
        LinkedPort,
        Port, //
    },
    probe::Prober,
    pure::{
        claims::Claim,
        health::{
            self,
            Health, //
        },
        join::{
            Prefix,
            Rule,
            Text, //
        },
        port::{
            to_slot,
            PortId,
            PortSet,
            PortView,
            NO_PORT, //
        },
        selector::Selector,
        spares::Failback,
        uapi::{
            attr,
            auto_join as join,
            bucket,
            claim,
            cmd,
            port,
            Peers,
            ProbeMode,
            Role,
            RxGroup, //
        },
        MAX_BITS, //
    },
    stats, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        rcu, //
    }, //
};
use netdev::{
    addr::MacAddr,
    device::{
        Device,
        NetDevice, //
    },
    genl::{
        Attribute,
        Attributes,
        Dump,
        Message,
        Request,
        SocketId,
        SocketsClosed, //
    },
    link_ops,
    net::Net,
    netlink::ExtAck,
    rcu::Rcu,
    rtnl::{
        self,
        Rtnl, //
    },
    siphash::Key, //
};

netdev::genl_family! {
    /// The family `trunk`.
    pub(crate) static FAMILY: trunk_nl_family;
    doit {
        trunk_nl_trunk_get_doit => trunk_get;
        trunk_nl_trunk_set_doit => trunk_set;
        trunk_nl_port_get_doit => port_get;
        trunk_nl_port_set_doit => port_set;
        trunk_nl_failback_doit => failback;
        trunk_nl_table_get_doit => table_get;
        trunk_nl_table_set_doit => table_set;
        trunk_nl_stats_get_doit => stats_get;
        trunk_nl_stats_reset_doit => stats_reset;
        trunk_nl_claim_add_doit => claim_add;
        trunk_nl_claim_del_doit => claim_del;
    }
    dumpit {
        trunk_nl_trunk_get_dumpit => trunk_dump;
        trunk_nl_port_get_dumpit => port_dump;
        trunk_nl_table_get_dumpit => table_dump;
        trunk_nl_stats_get_dumpit => stats_dump;
        trunk_nl_history_get_dumpit => history_dump;
        trunk_nl_claim_get_dumpit => claim_dump;
    }
}

/// The place of the group `events` among those of the family.
const EVENTS: u32 = 0;

/// Events told in one go, before others have their turn.
const AT_ONCE: u32 = 256;

/// Tells those who listen what has happened to a trunk, and they do not know yet.
pub(crate) fn tell(dev: &Device<Trunk>) {
    let table = &dev.data().get_ref().table;
    let net = {
        let guard = rcu::read_lock();
        dev.hold_net((&guard).into())
    };
    let Some(net) = net else {
        return;
    };
    while let Some(told) = table.look(Decided::tell_holder) {
        // Who is gone, or does not read, misses it; the link is as told by claim-get.
        let _ = FAMILY.unicast(
            &net,
            told.holder.socket.port_id(),
            messages::SIZE,
            cmd::CLAIM_NTF,
            |message| {
                let guard = rcu::read_lock();
                messages::put_told(message, dev, &told, (&guard).into())
            },
        );
    }
    for _ in 0..AT_ONCE {
        let Some((seq, event)) = table.look(Decided::tell) else {
            return;
        };
        let cmd = messages::notification(event.kind);
        let told = FAMILY.multicast(&net, EVENTS, messages::SIZE, cmd, |message| {
            let guard = rcu::read_lock();
            messages::put_notification(message, dev, seq, &event, &net, (&guard).into())
        });
        // A listener who has no room left is told so by the core.
        if told.is_err_and(|err| err != ENOBUFS) {
            table.look(Decided::count_lost);
        }
    }
    dev.schedule_work(0);
}

// What a request is about

/// The device that `attr` names by its interface index, found by `find`.
fn device<'a>(
    what: &str,
    attr: Attribute<'_>,
    extack: &mut ExtAck<'_>,
    find: impl FnOnce(u32) -> Option<&'a NetDevice>,
) -> Result<&'a NetDevice> {
    let ifindex = attr.to_u32().unwrap_or(0);
    find(ifindex).ok_or_else(|| {
        extack.refuse_fmt(
            ENODEV,
            Some(attr),
            fmt!("{what}: there is no device of index {ifindex}"),
        )
    })
}

/// The trunk that a request names.
fn trunk<'a>(
    attributes: Attributes<'_>,
    extack: &mut ExtAck<'_>,
    find: impl FnOnce(u32) -> Option<&'a NetDevice>,
) -> Result<&'a Device<Trunk>> {
    let Some(attr) = attributes.get(attr::IFINDEX) else {
        return Err(extack.missing(attr::IFINDEX, None, c"ifindex: which trunk is not said"));
    };
    let dev = device("ifindex", attr, extack, find)?;
    Device::from_netdev(dev).ok_or_else(|| {
        extack.refuse_fmt(
            EINVAL,
            Some(attr),
            fmt!("ifindex: {} is not a trunk", &*dev.current_name()),
        )
    })
}

/// The nest about a port, and in it the port's interface index.
fn port_nest<'r>(
    attributes: Attributes<'r>,
    extack: &mut ExtAck<'_>,
) -> Result<(Attribute<'r>, Attribute<'r>)> {
    let Some(nest) = attributes.get(attr::PORT) else {
        return Err(extack.missing(attr::PORT, None, c"port: which port is not said"));
    };
    let Some(ifindex) = nest.nest().get(port::IFINDEX) else {
        let reason = c"port.ifindex: which port is not said";
        return Err(extack.missing(port::IFINDEX, Some(nest), reason));
    };
    Ok((nest, ifindex))
}

fn not_a_port(dev: &NetDevice, attr: Attribute<'_>, extack: &mut ExtAck<'_>) -> Error {
    extack.refuse_fmt(
        EINVAL,
        Some(attr),
        fmt!(
            "port.ifindex: {} is not a port of a trunk",
            &*dev.current_name()
        ),
    )
}

/// The port that a request which changes something names, its trunk, and what else is said of it.
fn port_of<'a, 'r>(
    request: &mut Request<'r>,
    rtnl: &'a Rtnl,
) -> Result<(&'a Device<Trunk>, LinkedPort, Attributes<'r>)> {
    let (attributes, net) = (request.attributes(), request.net());
    let extack = request.extack();
    let (nest, attr) = port_nest(attributes, extack)?;
    let find = |ifindex| NetDevice::by_index(net, ifindex, rtnl);
    let dev = device("port.ifindex", attr, extack, find)?;
    let Some((trunk, port)) = Device::<Trunk>::of_port(dev, rtnl) else {
        return Err(not_a_port(dev, attr, extack));
    };
    Ok((trunk, port, nest.nest()))
}

/// Refuses whatever of `attributes` is not among `known`.
fn only(
    known: &[u16],
    attributes: Attributes<'_>,
    names: &[&str],
    nest: &str,
    extack: &mut ExtAck<'_>,
) -> Result {
    match attributes.iter().find(|attr| !known.contains(&attr.kind())) {
        None => Ok(()),
        Some(attr) => {
            let name = names.get(usize::from(attr.kind())).unwrap_or(&"");
            Err(extack.refuse_fmt(
                EINVAL,
                Some(attr),
                fmt!("{nest}.{name}: this is not to be set"),
            ))
        }
    }
}

/// The value of an attribute of 32 bits.
fn number(attributes: Attributes<'_>, kind: u16) -> Option<u32> {
    attributes.get(kind)?.to_u32()
}

/// The same, of 16 bits; the policy has seen to it that it fits.
fn small_number(attributes: Attributes<'_>, kind: u16) -> Option<u16> {
    number(attributes, kind).map(|number| u16::try_from(number).unwrap_or(u16::MAX))
}

// Dumps

/// Calls `one` for the trunk that the request names, or else for each in its namespace, from where
/// the dump was interrupted. How far it is within a trunk is the number `one` is given. With
/// `state`, what is shown of one trunk belongs together, and the receiver is told if it does not.
fn each_trunk(
    dump: &mut Dump<'_>,
    state: bool,
    mut one: impl FnMut(&mut Dump<'_>, &mut u64, &Device<Trunk>, &Rcu) -> Result,
) -> Result {
    let guard = rcu::read_lock();
    let rcu: &Rcu = (&guard).into();
    let (attributes, net) = (dump.attributes(), dump.net());
    let only = match attributes.get(attr::IFINDEX) {
        None => None,
        Some(_) => {
            let find = |ifindex| NetDevice::by_index_rcu(net, ifindex, rcu);
            Some(trunk(attributes, dump.extack(), find)?)
        }
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
                dump.consistent(dev.data().table.look(|decided| decided.generation()));
            }
        };
        note_state(dump);
        let result = one(dump, &mut within, dev, rcu);
        // What has changed meanwhile, the next message tells, or the end of the dump.
        note_state(dump);
        *dump.position() = match result {
            Ok(()) => [u64::from(ifindex).wrapping_add(1), 0, 0, 0],
            Err(_) => [ifindex.into(), within, 0, 0],
        };
        result?;
    }
}

/// Adds messages about `dev`, each with as many nests `kind` as there is room for, from number `at`
/// on. `next` has what is number so much or more, and its number; `put` writes it.
fn nests<T>(
    dump: &mut Dump<'_>,
    dev: &Device<Trunk>,
    kind: u16,
    at: &mut u64,
    next: impl Fn(u64) -> Option<(u64, T)>,
    put: impl Fn(&mut Message<'_>, u64, T) -> Result,
) -> Result {
    while next(*at).is_some() {
        let mut reached = *at;
        dump.message(|message| {
            put_identity(message, dev)?;
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

// Trunks

/// The trunk that a question is about.
fn trunk_asked(request: &mut Request<'_>) -> Result<ARef<Device<Trunk>>> {
    let (attributes, net) = (request.attributes(), request.net());
    let guard = rcu::read_lock();
    let find = |ifindex| NetDevice::by_index_rcu(net, ifindex, (&guard).into());
    Ok(trunk(attributes, request.extack(), find)?.into())
}

/// The trunk that a request is to change.
fn trunk_to_set<'a>(request: &mut Request<'_>, rtnl: &'a Rtnl) -> Result<&'a Device<Trunk>> {
    let (attributes, net) = (request.attributes(), request.net());
    let find = |ifindex| NetDevice::by_index(net, ifindex, rtnl);
    trunk(attributes, request.extack(), find)
}

fn trunk_get(request: &mut Request<'_>) -> Result {
    let dev = trunk_asked(request)?;
    request.reply(messages::SIZE, |message| {
        let guard = rcu::read_lock();
        put_identity(message, &dev)?;
        put_trunk(message, &dev, (&guard).into())
    })
}

fn trunk_dump(dump: &mut Dump<'_>) -> Result {
    each_trunk(dump, true, |dump, _, dev, rcu| {
        dump.message(|message| {
            put_identity(message, dev)?;
            put_trunk(message, dev, rcu)
        })
    })
}

fn trunk_set(request: &mut Request<'_>) -> Result {
    let guard = rtnl::lock();
    let rtnl: &Rtnl = &guard;
    let dev = trunk_to_set(request, rtnl)?;
    change_settings(dev, request.attributes(), request.extack(), rtnl)
}

/// What may be said of settings where the trunk is named by other means.
const SETTINGS: [u16; 17] = [
    attr::BITS,
    attr::SELECTOR,
    attr::ROLE,
    attr::FAILBACK,
    attr::FAILBACK_DELAY,
    attr::RX_GROUP,
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
];

/// Does what a link message says of settings: the attributes and policy of `trunk-set`, as
/// `IFLA_INFO_DATA`.
pub(crate) fn link_set(
    dev: &Device<Trunk>,
    attributes: Attributes<'_>,
    extack: &mut ExtAck<'_>,
    rtnl: &Rtnl,
) -> Result {
    // rtnetlink lets pass what it has no policy for, and numbers that are too long.
    only(&SETTINGS, attributes, &attr::NAMES, "data", extack)?;
    let other = [attr::PROBE_ADDRESS, attr::KEY, attr::AUTO_JOIN];
    let is_odd = |attr: &Attribute<'_>| !other.contains(&attr.kind()) && attr.to_u32().is_none();
    if let Some(attr) = attributes.iter().find(is_odd) {
        let name = attr::NAMES.get(usize::from(attr.kind())).unwrap_or(&"");
        return Err(extack.refuse_fmt(EINVAL, Some(attr), fmt!("{name}: a number has 4 octets")));
    }
    change_settings(dev, attributes, extack, rtnl)
}

/// What a link message says of settings, in the form that `trunk-get` has.
pub(crate) fn link_get(dev: &Device<Trunk>, message: &mut Message<'_>) -> Result {
    let guard = rcu::read_lock();
    match put_trunk(message, dev, (&guard).into()) {
        // It is about to be gone.
        Err(err) if err == ENODEV => Ok(()),
        result => result,
    }
}

/// The policy of [`link_set`].
pub(crate) fn link_settings() -> Option<link_ops::Settings> {
    link_ops::Settings::of_operation(&FAMILY, cmd::TRUNK_SET)
}

/// Changes settings of a trunk; all of those given, or if one is refused, none.
fn change_settings(
    dev: &Device<Trunk>,
    attributes: Attributes<'_>,
    extack: &mut ExtAck<'_>,
    rtnl: &Rtnl,
) -> Result {
    let role = attributes.get(attr::ROLE);
    let parts = [attr::SELECTOR, attr::RX_GROUP].map(|kind| attributes.get(kind));
    if let (Some(role), [Some(_), _] | [_, Some(_)]) = (role, parts) {
        return Err(extack.refuse_fmt(
            EINVAL,
            Some(role),
            fmt!("role: sets selector and rx-group, so is not combined with these"),
        ));
    }
    let asked = |kind| number(attributes, kind);
    let role = asked(attr::ROLE).and_then(Role::from_u32);
    let selector = match role {
        Some(Role::Server) => Some(Selector::Dmac),
        Some(Role::Switch) => Some(Selector::Smac),
        None => asked(attr::SELECTOR).and_then(Selector::from_u32),
    };
    let rx_group = match role {
        Some(_) => Some(RxGroup::Auto),
        None => asked(attr::RX_GROUP).and_then(RxGroup::from_u32),
    };
    let bits = asked(attr::BITS).map(|bits| bits.min(MAX_BITS));

    let table = &dev.data().get_ref().table;
    let old = table.look(|decided| decided.settings);
    let mut new = old;
    new.failback = asked(attr::FAILBACK)
        .and_then(Failback::from_u32)
        .unwrap_or(old.failback);
    new.failback_delay = asked(attr::FAILBACK_DELAY).unwrap_or(old.failback_delay);
    new.rx_group = rx_group.unwrap_or(old.rx_group);
    if let Some(nest) = attributes.get(attr::AUTO_JOIN) {
        new.join = join_rule(nest, extack)?;
    }
    let key = probe_settings(attributes, &mut new, extack)?;
    let change = match new == old {
        true => None,
        false => Some(Prober::prepare(dev, new, key, rtnl)?),
    };
    let done = table.configure(dev, bits, selector, new, rtnl);
    match (change, &done) {
        (Some(change), Ok(())) => change.make(dev, rtnl),
        (Some(change), Err(_)) => change.drop_it(dev, rtnl),
        (None, _) => {}
    }
    if done.is_ok() {
        auto_join::rule_changed(dev, &old.join, rtnl);
    }
    done
}

/// The rule in `nest`, `None` if that is empty.
fn join_rule(nest: Attribute<'_>, extack: &mut ExtAck<'_>) -> Result<Option<Rule>> {
    const SETTABLE: [u16; 5] = [
        join::NAME,
        join::DRIVER,
        join::BUS,
        join::ADDRESS,
        join::PRIORITY,
    ];

    let asked = nest.nest();
    only(&SETTABLE, asked, &join::NAMES, "auto-join", extack)?;
    let priority = asked.get(join::PRIORITY);
    if let Some(attr) = priority.filter(|attr| attr.to_u32().is_none()) {
        let reason = fmt!("auto-join.priority: a number has 4 octets");
        return Err(extack.refuse_fmt(EINVAL, Some(attr), reason));
    }
    let rule = Rule {
        name: condition(asked, join::NAME, Text::new, extack)?.unwrap_or(Text::EMPTY),
        driver: condition(asked, join::DRIVER, Text::new, extack)?.unwrap_or(Text::EMPTY),
        bus: condition(asked, join::BUS, Text::new, extack)?.unwrap_or(Text::EMPTY),
        address: condition(asked, join::ADDRESS, Prefix::new, extack)?.unwrap_or(Prefix::EMPTY),
        priority: small_number(asked, join::PRIORITY).unwrap_or(1),
    };
    match asked.get(join::PRIORITY) {
        Some(attr) if rule.is_empty() => Err(extack.refuse_fmt(
            EINVAL,
            Some(attr),
            fmt!("auto-join.priority: of which devices is not said"),
        )),
        _ => Ok(Some(rule).filter(|rule| !rule.is_empty())),
    }
}

/// The condition of that type, read by `read`. One that is there is not to be empty.
fn condition<T>(
    asked: Attributes<'_>,
    kind: u16,
    read: impl FnOnce(&[u8]) -> Option<T>,
    extack: &mut ExtAck<'_>,
) -> Result<Option<T>> {
    let Some(attr) = asked.get(kind) else {
        return Ok(None);
    };
    let octets = match kind {
        join::ADDRESS => attr.payload(),
        // The policy has seen to it that there is a NUL.
        _ => CStr::from_bytes_until_nul(attr.payload()).map_or(&[][..], CStr::to_bytes),
    };
    let read = read(octets).filter(|_| !octets.is_empty());
    read.map(Some).ok_or_else(|| {
        let name = join::NAMES.get(usize::from(kind)).unwrap_or(&"");
        extack.refuse_fmt(
            EINVAL,
            Some(attr),
            fmt!("auto-join.{name}: it is empty, or has a space in it"),
        )
    })
}

/// Takes over what a request says of probes, and returns the key, if it is about that.
fn probe_settings(
    attributes: Attributes<'_>,
    new: &mut Settings,
    extack: &mut ExtAck<'_>,
) -> Result<Option<Option<Key>>> {
    let asked = |kind| number(attributes, kind);
    let count = |kind| asked(kind).map(|number| u8::try_from(number).unwrap_or(u8::MAX));
    let old = new.probes;
    new.probes = health::Settings {
        mode: asked(attr::PROBE)
            .and_then(ProbeMode::from_u32)
            .unwrap_or(old.mode),
        interval: asked(attr::INTERVAL).unwrap_or(old.interval),
        reply_timeout: asked(attr::REPLY_TIMEOUT).unwrap_or(old.reply_timeout),
        misses: count(attr::MISSES).unwrap_or(old.misses),
        hits: count(attr::HITS).unwrap_or(old.hits),
        hold_down: asked(attr::HOLD_DOWN).unwrap_or(old.hold_down),
        peers: asked(attr::PEERS)
            .and_then(Peers::from_u32)
            .unwrap_or(old.peers),
    };
    let (interval, timeout) = (new.probes.interval, new.probes.reply_timeout);
    if timeout > interval {
        let given = [attr::REPLY_TIMEOUT, attr::INTERVAL];
        let attr = given.into_iter().find_map(|kind| attributes.get(kind));
        return Err(extack.refuse_fmt(
            EINVAL,
            attr,
            fmt!("reply-timeout: {timeout} us is longer than the interval, {interval} us"),
        ));
    }
    if let Some(attr) = attributes.get(attr::PROBE_ADDRESS) {
        let octets = attr.payload().first_chunk::<6>();
        let address = MacAddr::new(octets.copied().unwrap_or_default());
        if address.to_u64() == 0 || address.is_broadcast() {
            let reason = fmt!("probe-address: neither a station nor a group of some is that");
            return Err(extack.refuse_fmt(EINVAL, Some(attr), reason));
        }
        new.probe_address = address;
    }
    if let Some(ethertype) = small_number(attributes, attr::PROBE_ETHERTYPE) {
        new.probe_ethertype = ethertype;
    }
    let Some(attr) = attributes.get(attr::KEY) else {
        return Ok(None);
    };
    let key = match (
        attr.payload().is_empty(),
        attr.payload().first_chunk::<16>(),
    ) {
        (true, _) => None,
        (_, Some(octets)) => Some(Key::from_octets(*octets)),
        _ => {
            let reason = fmt!("key: it has 16 octets, or for no key none");
            return Err(extack.refuse_fmt(EINVAL, Some(attr), reason));
        }
    };
    new.keyed = key.is_some();
    new.keys = new.keys.wrapping_add(1);
    Ok(Some(key))
}

// Ports

fn port_get(request: &mut Request<'_>) -> Result {
    let (attributes, net) = (request.attributes(), request.net());
    let extack = request.extack();
    let (_, attr) = port_nest(attributes, extack)?;
    let (trunk, id): (ARef<Device<Trunk>>, PortId) = {
        let guard = rcu::read_lock();
        let rcu: &Rcu = (&guard).into();
        let find = |ifindex| NetDevice::by_index_rcu(net, ifindex, rcu);
        let dev = device("port.ifindex", attr, extack, find)?;
        let found = dev
            .master_rcu(rcu)
            .and_then(Device::<Trunk>::from_netdev)
            .and_then(|trunk| {
                let mut ports = trunk.data().get_ref().ports(rcu);
                Some((trunk.into(), ports.find(|port| port.dev.is(dev))?.id))
            });
        found.ok_or_else(|| not_a_port(dev, attr, extack))?
    };
    request.reply(messages::SIZE, |message| {
        let guard = rcu::read_lock();
        let rcu: &Rcu = (&guard).into();
        let port = trunk.data().get_ref().port(id, rcu).ok_or(ENODEV)?;
        // Another may have got the number meanwhile.
        if Some(port.dev.ifindex()) != attr.to_u32() {
            return Err(ENODEV);
        }
        put_identity(message, &trunk)?;
        put_port(message, port, rcu)
    })
}

/// Calls `one` for each port from number `within` on. `ENODEV` says that the port is gone.
fn each_port(
    within: &mut u64,
    trunk: &Trunk,
    rcu: &Rcu,
    mut one: impl FnMut(&Port) -> Result,
) -> Result {
    for port in trunk.ports(rcu) {
        let id = port.id.index() as u64;
        if id >= *within {
            match one(port) {
                Err(err) if err != ENODEV => return Err(err),
                _ => {}
            }
            *within = id.wrapping_add(1);
        }
    }
    Ok(())
}

fn port_dump(dump: &mut Dump<'_>) -> Result {
    each_trunk(dump, true, |dump, within, dev, rcu| {
        each_port(within, dev.data().get_ref(), rcu, |port| {
            dump.message(|message| {
                put_identity(message, dev)?;
                put_port(message, port, rcu)
            })
        })
    })
}

fn port_set(request: &mut Request<'_>) -> Result {
    const SETTABLE: [u16; 4] = [port::IFINDEX, port::PRIORITY, port::WEIGHT, port::ENABLED];

    let guard = rtnl::lock();
    let rtnl: &Rtnl = &guard;
    let (dev, port, asked) = port_of(request, rtnl)?;
    only(&SETTABLE, asked, &port::NAMES, "port", request.extack())?;
    let priority = small_number(asked, port::PRIORITY);
    let weight = small_number(asked, port::WEIGHT);
    let enabled = number(asked, port::ENABLED).map(|number| number != 0);

    dev.data()
        .table
        .configure_port(dev, &port, priority, weight, enabled, rtnl);
    Ok(())
}

fn failback(request: &mut Request<'_>) -> Result {
    let guard = rtnl::lock();
    let rtnl: &Rtnl = &guard;
    let attributes = request.attributes();
    let (dev, ports) = if attributes.get(attr::PORT).is_some() {
        let (dev, port, asked) = port_of(request, rtnl)?;
        only(
            &[port::IFINDEX],
            asked,
            &port::NAMES,
            "port",
            request.extack(),
        )?;
        if let Some(attr) = attributes.get(attr::IFINDEX) {
            if !trunk_to_set(request, rtnl)?.is(dev) {
                return Err(request.extack().refuse_fmt(
                    EINVAL,
                    Some(attr),
                    fmt!("ifindex: the port is one of {}", dev.name(rtnl)),
                ));
            }
        }
        (dev, [port.id].into_iter().collect())
    } else {
        (
            trunk_to_set(request, rtnl)?,
            PortId::all().collect::<PortSet>(),
        )
    };
    let guard = rcu::read_lock();
    let release = |decided: &mut Decided| decided.release(ports);
    dev.data().table.change(dev, None, release, (&guard).into());
    Ok(())
}

// Tables

/// The number of the bucket that `nest` is about, of a table of so many buckets.
fn bucket_number(nest: Attribute<'_>, buckets: usize, extack: &mut ExtAck<'_>) -> Result<usize> {
    let Some(attr) = nest.nest().get(bucket::INDEX) else {
        let reason = c"bucket.index: which bucket is not said";
        return Err(extack.missing(bucket::INDEX, Some(nest), reason));
    };
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

fn table_get(request: &mut Request<'_>) -> Result {
    let dev = trunk_asked(request)?;
    let Some(nest) = request.attributes().get(attr::BUCKET) else {
        let reason = c"bucket: which bucket is not said";
        return Err(request.extack().missing(attr::BUCKET, None, reason));
    };
    let trunk = dev.data().get_ref();
    let buckets = trunk.table.look(|decided| decided.homes.len());
    let number = bucket_number(nest, buckets, request.extack())?;
    request.reply(messages::SIZE, |message| {
        let guard = rcu::read_lock();
        put_identity(message, &dev)?;
        message.nest(attr::BUCKET, |message| {
            put_bucket(message, trunk, number, (&guard).into())
        })
    })
}

fn table_dump(dump: &mut Dump<'_>) -> Result {
    each_trunk(dump, true, |dump, within, dev, rcu| {
        let trunk = dev.data().get_ref();
        let buckets = trunk
            .table
            .layout(rcu)
            .map_or(0, |layout| layout.buckets() as u64);
        let next = |number| (number < buckets).then_some((number, ()));
        nests(
            dump,
            dev,
            attr::BUCKET,
            within,
            next,
            |message, number, ()| put_bucket(message, trunk, number as usize, rcu),
        )
    })
}

fn table_set(request: &mut Request<'_>) -> Result {
    const SETTABLE: [u16; 2] = [bucket::INDEX, bucket::HOME];

    let guard = rtnl::lock();
    let rtnl: &Rtnl = &guard;
    let dev = trunk_to_set(request, rtnl)?;
    let attributes = request.attributes();
    let extack = request.extack();
    let table = &dev.data().get_ref().table;

    let automatic = attributes.get(attr::TABLE_AUTO).is_some();
    if !automatic && attributes.get(attr::BUCKET).is_none() {
        let reason = c"bucket: neither a bucket nor table-auto is given";
        return Err(extack.missing(attr::BUCKET, None, reason));
    }
    let mut next = table.next(None, None, false, rtnl)?;
    if automatic {
        next.set.fill(NO_PORT);
    }
    let nests = attributes.iter().filter(|attr| attr.kind() == attr::BUCKET);
    for nest in nests {
        only(&SETTABLE, nest.nest(), &bucket::NAMES, "bucket", extack)?;
        let number = bucket_number(nest, next.set.len(), extack)?;
        let home = match nest.nest().get(bucket::HOME) {
            Some(attr) => to_slot(Some(home(dev, attr, extack)?)),
            None => NO_PORT,
        };
        if let Some(slot) = next.set.get_mut(number) {
            *slot = home;
        }
    }
    table.set_homes(dev, next, rtnl);
    Ok(())
}

/// The working port of `dev` that `attr` names.
fn home(dev: &Device<Trunk>, attr: Attribute<'_>, extack: &mut ExtAck<'_>) -> Result<PortId> {
    let trunk = dev.data().get_ref();
    let ifindex = attr.to_u32().unwrap_or(0);
    let id = {
        let guard = rcu::read_lock();
        let mut ports = trunk.ports((&guard).into());
        ports
            .find(|port| port.dev.ifindex() == ifindex)
            .map(|port| port.id)
    };
    let Some(id) = id else {
        return Err(extack.refuse_fmt(
            ENODEV,
            Some(attr),
            fmt!("bucket.home: no port of the trunk has index {ifindex}"),
        ));
    };
    let view = trunk.table.look(|decided| decided.ports.get(id).copied());
    if view.as_ref().is_some_and(PortView::is_working) {
        return Ok(id);
    }
    let reason = fmt!("bucket.home: a spare is nobody's home; set its priority to 1 first");
    Err(extack.refuse_fmt(EINVAL, Some(attr), reason))
}

// Counters and events

fn stats_get(request: &mut Request<'_>) -> Result {
    let dev = trunk_asked(request)?;
    request.reply(messages::SIZE, |message| {
        let guard = rcu::read_lock();
        put_identity(message, &dev)?;
        put_trunk_figures(message, &dev, (&guard).into())
    })
}

fn stats_dump(dump: &mut Dump<'_>) -> Result {
    each_trunk(dump, false, |dump, within, dev, rcu| {
        if *within == 0 {
            dump.message(|message| {
                put_identity(message, dev)?;
                put_trunk_figures(message, dev, rcu)
            })?;
            *within = 1;
        }
        let mut id = within.wrapping_sub(1);
        let result = each_port(&mut id, dev.data().get_ref(), rcu, |port| {
            dump.message(|message| {
                put_identity(message, dev)?;
                put_port_figures(message, port, rcu)
            })
        });
        *within = id.wrapping_add(1);
        result
    })
}

fn stats_reset(request: &mut Request<'_>) -> Result {
    let guard = rtnl::lock();
    let rtnl: &Rtnl = &guard;
    let dev = trunk_to_set(request, rtnl)?;
    let trunk = dev.data().get_ref();
    let next = trunk.table.next(None, None, true, rtnl)?;
    {
        let guard = rcu::read_lock();
        for port in trunk.ports((&guard).into()) {
            let link = port.dev.counters((&guard).into());
            let counts = |health: &mut Health<_>| Some(*health.link(port.id)?.counts());
            let counts = trunk.prober.look(counts).unwrap_or_default();
            trunk.table.look(|decided| {
                if let Some(record) = decided.record_mut(port.id) {
                    let figures = stats::of_port(&link, record.ups, record.downs, &counts);
                    record.base = figures.map(|(_, value)| value);
                }
            });
        }
    }
    let link = dev.counters((&rcu::read_lock()).into());
    let reset = |decided: &mut Decided| {
        let figures = trunk.statistics.of_trunk(&link, decided.totals);
        decided.base = figures.map(|(_, value)| value);
    };
    trunk.table.replace(dev, next, None, reset, rtnl);
    Ok(())
}

fn history_dump(dump: &mut Dump<'_>) -> Result {
    let net = dump.net();
    each_trunk(dump, false, |dump, within, dev, rcu| {
        let table = &dev.data().get_ref().table;
        let next =
            |seq| table.look(|decided| decided.events.get(seq).map(|(n, event)| (n, *event)));
        nests(
            dump,
            dev,
            attr::EVENT,
            within,
            next,
            |message, seq, event| put_event(message, seq, &event, net, rcu),
        )
    })
}

// Claims

/// The nest about a claim, and in it the claim's mark.
fn claim_nest<'r>(
    attributes: Attributes<'r>,
    extack: &mut ExtAck<'_>,
) -> Result<(Attribute<'r>, Attribute<'r>)> {
    let Some(nest) = attributes.get(attr::CLAIM) else {
        return Err(extack.missing(attr::CLAIM, None, c"claim: what is claimed is not said"));
    };
    let Some(mark) = nest.nest().get(claim::MARK) else {
        let reason = c"claim.mark: the mark of its frames is not said";
        return Err(extack.missing(claim::MARK, Some(nest), reason));
    };
    Ok((nest, mark))
}

/// The port of `dev` that a claim asks for.
fn wanted<'r>(
    dev: &Device<Trunk>,
    nest: Attribute<'r>,
    extack: &mut ExtAck<'_>,
) -> Result<(PortId, u32, Attribute<'r>)> {
    let Some(attr) = nest.nest().get(claim::PORT) else {
        let reason = c"claim.port: which port is wanted is not said";
        return Err(extack.missing(claim::PORT, Some(nest), reason));
    };
    let ifindex = attr.to_u32().unwrap_or(0);
    let guard = rcu::read_lock();
    let mut ports = dev.data().get_ref().ports((&guard).into());
    match ports.find(|port| port.dev.ifindex() == ifindex) {
        Some(port) => Ok((port.id, ifindex, attr)),
        None => Err(extack.refuse_fmt(
            ENODEV,
            Some(attr),
            fmt!("claim.port: no port of the trunk has index {ifindex}"),
        )),
    }
}

fn claim_add(request: &mut Request<'_>) -> Result {
    const SETTABLE: [u16; 3] = [claim::MARK, claim::PORT, claim::NAME];

    let attributes = request.attributes();
    let (nest, mark_attr) = claim_nest(attributes, request.extack())?;
    only(
        &SETTABLE,
        nest.nest(),
        &claim::NAMES,
        "claim",
        request.extack(),
    )?;
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
        let (id, ..) = wanted(dev, nest, request.extack())?;
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
        end_claim(&asked, mark);
    }
    made.and(settled)?;
    drop(guard);
    request
        .reply(messages::SIZE, |message| {
            let guard = rcu::read_lock();
            put_identity(message, &asked)?;
            messages::put_claim_of(message, &asked, mark, (&guard).into())
        })
        .inspect_err(|_| end_claim(&asked, mark))
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
    let (id, ifindex, port_attr) = wanted(dev, nest, request.extack())?;
    // Another may have been faster.
    expect_claim(dev, mark, mark_attr, request.extack(), rtnl)?;
    let holder = Holder::new(mark, request.socket()?, ifindex, name);
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
    if trunk.table.look(|decided| decided.link_of(mark)).is_none() {
        end_claim(dev, mark);
        let reason = fmt!("claim.port: it cannot be had, and no spare is free");
        return Err(request.extack().refuse_fmt(EBUSY, Some(port_attr), reason));
    }
    Ok(())
}

fn end_claim(dev: &Device<Trunk>, mark: u32) {
    let guard = rcu::read_lock();
    let ours = |holder: &Holder| holder.mark == mark;
    dev.data().table.end_claims(dev, ours, (&guard).into());
}

fn claim_del(request: &mut Request<'_>) -> Result {
    let guard = rtnl::lock();
    let rtnl: &Rtnl = &guard;
    let dev = trunk_to_set(request, rtnl)?;
    let (attributes, socket) = (request.attributes(), request.socket()?);
    let (nest, attr) = claim_nest(attributes, request.extack())?;
    only(
        &[claim::MARK],
        nest.nest(),
        &claim::NAMES,
        "claim",
        request.extack(),
    )?;
    let mark = attr.to_u32().unwrap_or(0);
    let table = &dev.data().get_ref().table;
    let holder = table.look(|decided| {
        let mut claims = decided.claims();
        claims.find_map(|(_, h)| (h.mark == mark).then_some(h.socket))
    });
    let extack = request.extack();
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
            table.end_claims(dev, ours, (&rcu::read_lock()).into());
            Prober::settle(dev, dev.is_up(rtnl), rtnl)
        }
    }
}

fn claim_dump(dump: &mut Dump<'_>) -> Result {
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
            |message, _, (claim, holder)| messages::put_claim(message, dev, &claim, &holder, rcu),
        )
    })
}

/// Claims end with the sockets that hold them.
pub(crate) struct Holders;

impl SocketsClosed for Holders {
    fn closed(net: &Net, socket: SocketId) {
        // Sockets come and go by the hundred, and claims are rare.
        if !claims::exist() {
            return;
        }
        let guard = rcu::read_lock();
        let rcu: &Rcu = (&guard).into();
        let mut from = 0;
        while let Some(dev) = Device::<Trunk>::next_rcu(net, from, rcu) {
            let theirs = |holder: &Holder| holder.socket == socket;
            dev.data().table.end_claims(dev, theirs, rcu);
            from = dev.ifindex().saturating_add(1);
        }
    }
}
