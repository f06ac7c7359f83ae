// SPDX-License-Identifier: GPL-2.0

//! The settings of a trunk that are about probes: read from a request, and shown.

use super::request::{
    number,
    small_number, //
};
use crate::{
    pure::{
        health,
        state::Settings,
        uapi::{
            attr,
            Peers,
            ProbeMode, //
        },
        wire, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};
use netdev::{
    addr::MacAddr,
    genl::{
        Attributes,
        Message, //
    },
    net::Net,
    netlink::ExtAck,
    siphash::Key, //
};

/// The shortest interval, in µs, that may be set in a namespace whose administrator is not that of
/// the machine: rounds count in nobody's share of the processors. The bridge's tests of links (CFM)
/// have 3.3 ms for each port at least; here a round is for up to 64 ports.
const SHORTEST: u32 = 10_000;

/// Writes the settings that a request has into `new`. Returns the key, if the request has one:
/// `None` in it removes the key.
pub(super) fn read(
    attributes: Attributes<'_>,
    new: &mut Settings,
    net: &Net,
    extack: &mut ExtAck<'_>,
) -> Result<Option<Option<Arc<Key>>>> {
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
    if let Some(attr) = attributes.get(attr::INTERVAL) {
        if new.probes.interval < SHORTEST && !net.is_of_machine() {
            return Err(extack.refuse_fmt(
                EPERM,
                Some(attr),
                fmt!("interval: less than {SHORTEST} us only in namespaces of the machine's root"),
            ));
        }
    }
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
        let bytes = attr.payload().first_chunk::<6>();
        let address = MacAddr::new(bytes.copied().unwrap_or_default());
        if address.to_u64() == 0 || address.is_broadcast() {
            let reason = fmt!("probe-address: neither a station nor a group of some is that");
            return Err(extack.refuse_fmt(EINVAL, Some(attr), reason));
        }
        new.probe_address = *address.octets();
    }
    if let Some(attr) = attributes.get(attr::PROBE_ETHERTYPE) {
        let ethertype = small_number(attributes, attr::PROBE_ETHERTYPE).unwrap_or(0);
        if let Some(owner) = wire::owner(ethertype) {
            return Err(extack.refuse_fmt(
                EINVAL,
                Some(attr),
                fmt!("probe-ethertype: {ethertype:#06x} is the type of {owner}"),
            ));
        }
        new.probe_ethertype = ethertype;
    }
    let Some(attr) = attributes.get(attr::KEY) else {
        return Ok(None);
    };
    let key = match attr.payload() {
        [] => None,
        bytes => {
            let bytes = bytes.first_chunk::<16>().ok_or_else(|| {
                let reason = fmt!("key: it has 16 bytes, or for no key none");
                extack.refuse_fmt(EINVAL, Some(attr), reason)
            })?;
            Some(Arc::new(Key::from_octets(*bytes), GFP_KERNEL)?)
        }
    };
    new.keyed = key.is_some();
    new.keys = new.keys.wrapping_add(1);
    Ok(Some(key))
}

/// Adds the settings of probes. Of the key, adds only that there is one.
pub(super) fn put(message: &mut Message<'_>, settings: &Settings) -> Result {
    let probes = settings.probes;
    message.put_u32(attr::PROBE, probes.mode as u32)?;
    message.put_u32(attr::INTERVAL, probes.interval)?;
    message.put_u32(attr::REPLY_TIMEOUT, probes.reply_timeout)?;
    message.put_u32(attr::MISSES, u32::from(probes.misses))?;
    message.put_u32(attr::HITS, u32::from(probes.hits))?;
    message.put_u32(attr::HOLD_DOWN, probes.hold_down)?;
    message.put_u32(attr::PEERS, probes.peers as u32)?;
    let ethertype = u32::from(settings.probe_ethertype);
    message.put_u32(attr::PROBE_ETHERTYPE, ethertype)?;
    message.put(attr::PROBE_ADDRESS, &settings.probe_address)?;
    message.put_flag(attr::KEYED, settings.keyed)
}
