// SPDX-License-Identifier: GPL-2.0

//! The setting of a trunk by which devices join by themselves, its rule: read from a request, and
//! shown.

use super::request::{
    name,
    only,
    small_number, //
};
use crate::pure::{
    join::{
        Prefix,
        Rule,
        Text, //
    },
    uapi::auto_join as join, //
};
use kernel::prelude::*;
use netdev::{
    genl::{
        Attribute,
        Attributes,
        Message, //
    },
    netlink::ExtAck, //
};

/// Returns the rule in `nest`, `None` if the nest is empty.
pub(super) fn rule(nest: Attribute<'_>, extack: &mut ExtAck<'_>) -> Result<Option<Rule>> {
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
        let reason = fmt!("auto-join.priority: a number has 4 bytes");
        return Err(extack.refuse_fmt(EINVAL, Some(attr), reason));
    }
    let rule = Rule {
        name: condition(asked, join::NAME, Text::new, extack)?.unwrap_or(Text::EMPTY),
        driver: condition(asked, join::DRIVER, Text::new, extack)?.unwrap_or(Text::EMPTY),
        bus: condition(asked, join::BUS, Text::new, extack)?.unwrap_or(Text::EMPTY),
        address: condition(asked, join::ADDRESS, Prefix::new, extack)?.unwrap_or(Prefix::EMPTY),
        priority: small_number(asked, join::PRIORITY).unwrap_or(1),
    };
    match priority {
        Some(attr) if rule.is_empty() => Err(extack.refuse_fmt(
            EINVAL,
            Some(attr),
            fmt!("auto-join.priority: of which devices is not said"),
        )),
        _ => Ok(Some(rule).filter(|rule| !rule.is_empty())),
    }
}

/// Returns the condition of that type, read by `read`. Refuses an empty one.
fn condition<T>(
    asked: Attributes<'_>,
    kind: u16,
    read: impl FnOnce(&[u8]) -> Option<T>,
    extack: &mut ExtAck<'_>,
) -> Result<Option<T>> {
    let Some(attr) = asked.get(kind) else {
        return Ok(None);
    };
    let bytes = match kind {
        join::ADDRESS => attr.payload(),
        // By the policy there is a NUL.
        _ => CStr::from_bytes_until_nul(attr.payload()).map_or(&[][..], CStr::to_bytes),
    };
    let read = read(bytes).filter(|_| !bytes.is_empty());
    read.map(Some).ok_or_else(|| {
        let name = name(&join::NAMES, attr);
        extack.refuse_fmt(
            EINVAL,
            Some(attr),
            fmt!("auto-join.{name}: it is empty, or has a space in it"),
        )
    })
}

/// Adds what devices must be like to join by themselves.
pub(super) fn put(message: &mut Message<'_>, rule: &Rule) -> Result {
    for (kind, text) in [
        (join::NAME, rule.name.with_nul()),
        (join::DRIVER, rule.driver.with_nul()),
        (join::BUS, rule.bus.with_nul()),
    ] {
        // A text that is only the NUL is no condition.
        if text.len() > 1 {
            message.put(kind, text)?;
        }
    }
    if !rule.address.octets().is_empty() {
        message.put(join::ADDRESS, rule.address.octets())?;
    }
    message.put_u32(join::PRIORITY, u32::from(rule.priority))
}
