// SPDX-License-Identifier: GPL-2.0

//! Bridges, as the device sees them that is their port: which stations are behind the other ports.
//!
//! The functions of a bridge are those that `bridge fdb show` and `bridge vlan show` call. They are
//! called by pointer, so that this module does not depend on that of the bridge.
//!
//! C headers: [`include/uapi/linux/if_bridge.h`](srctree/include/uapi/linux/if_bridge.h),
//! [`include/uapi/linux/neighbour.h`](srctree/include/uapi/linux/neighbour.h)

use crate::{
    addr::MacAddr,
    device::NetDevice,
    netlink::Attributes,
    rtnl::Rtnl,
    skb::SkBuff, //
};
use core::{
    iter,
    ptr, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};
use netdev_bindings as bindings;

/// How many bytes of messages a bridge is asked for at a time.
const ROOM: u32 = 15 << 10;

impl NetDevice {
    /// Returns whether this is a bridge.
    pub fn is_bridge(&self, rtnl: &Rtnl) -> bool {
        self.has_priv_flag(bindings::netdev_priv_flags_IFF_EBRIDGE, rtnl)
    }

    /// Calls `f` for each station that this bridge knows to be at another of its ports than `port`: for
    /// one that it has learned of, as long as it does not forget it, and one that the user has
    /// named. The VLAN is that of the tag with which its frames leave by `port`, `None` without one.
    ///
    /// There is none while the bridge does not forward by `port`.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` if this is no bridge, `EINVAL` if `port` is not one of it, `EMSGSIZE` if there are too many VLANs, `ENOMEM`, and what
    /// `f` returns.
    pub fn for_each_station_behind(
        &self,
        port: &NetDevice,
        rtnl: &Rtnl,
        mut f: impl FnMut(MacAddr, Option<u16>) -> Result,
    ) -> Result {
        if !self.is_bridge(rtnl) {
            return Err(EOPNOTSUPP);
        }
        let answer = self.ask_for_port(port, rtnl)?;
        let Some(attrs) = messages(answer.linear()).find_map(|it| attributes(it, IFINFO)) else {
            return Ok(());
        };
        if !forwards(attrs) {
            return Ok(());
        }
        for other in self.lowers(rtnl)?.iter().filter(|other| !other.is(port)) {
            self.for_each_entry(other, rtnl, |mac, vlan| match tag(attrs, vlan) {
                Some(tag) => f(mac, tag),
                None => Ok(()),
            })?;
        }
        Ok(())
    }

    /// Returns messages that describe `port`, a port of this bridge, with its VLANs.
    fn ask_for_port(&self, port: &NetDevice, rtnl: &Rtnl) -> Result<SkBuff> {
        let is_port = port.has_priv_flag(bindings::netdev_priv_flags_IFF_BRIDGE_PORT, rtnl);
        if !is_port || !port.master(rtnl).is_some_and(|master| master.is(self)) {
            return Err(EINVAL);
        }
        let ask = self.ops().ndo_bridge_getlink.ok_or(EOPNOTSUPP)?;
        let skb = SkBuff::with_room(ROOM).ok_or(ENOMEM)?;
        let what = bindings::RTEXT_FILTER_BRVLAN_COMPRESSED;
        // SAFETY: The function belongs to the device, whose port the other one is; RTNL is held, and
        // the frame has room for messages.
        to_result(unsafe { ask(skb.as_ptr(), 0, 0, port.as_ptr(), what, 0) })?;
        Ok(skb)
    }

    /// Calls `f` for each station that this bridge knows to be at `port`, with its VLAN, 0 for none.
    fn for_each_entry(
        &self,
        port: &NetDevice,
        _rtnl: &Rtnl,
        mut f: impl FnMut(MacAddr, u16) -> Result,
    ) -> Result {
        let dump = self.ops().ndo_fdb_dump.ok_or(EOPNOTSUPP)?;
        let request = bindings::nlmsghdr::default();
        let mut first: c_long = 0;
        loop {
            let skb = SkBuff::with_room(ROOM).ok_or(ENOMEM)?;
            let mut state = bindings::netlink_callback {
                skb: skb.as_ptr(),
                nlh: &request,
                ..pin_init::zeroed()
            };
            // As `struct ndo_fdb_dump_context` has it.
            state.__bindgen_anon_1.args = [0, first, 0, 0, 0, 0];
            let mut next: c_int = 0;
            // SAFETY: The function belongs to the device, and RTNL is held. The frame has room for
            // messages; it also stands for the request, of which the sender is looked at, 0 here.
            let err = unsafe {
                dump(
                    skb.as_ptr(),
                    &mut state,
                    self.as_ptr(),
                    port.as_ptr(),
                    &mut next,
                )
            };
            for message in messages(skb.linear()) {
                if let Some((mac, vlan)) = entry(message) {
                    f(mac, vlan)?;
                }
            }
            match to_result(err) {
                // More than there was room for.
                Err(EMSGSIZE) if next as c_long > first => first = next as c_long,
                result => return result,
            }
        }
    }
}

/// The bytes of a message's header.
const HEADER: usize = size_of::<bindings::nlmsghdr>();

/// The bytes before the attributes in a message about a device.
const IFINFO: usize = HEADER + size_of::<bindings::ifinfomsg>();

/// The bytes before the attributes in a message about a station.
const ND: usize = HEADER + size_of::<bindings::ndmsg>();

/// Returns each message in `bytes`, with its header.
fn messages(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    iter::from_fn(move || {
        let len = u32::from_ne_bytes(*rest.first_chunk()?) as usize;
        if len < HEADER {
            return None;
        }
        let message = rest.get(..len)?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        Some(message)
    })
}

/// Returns the attributes of a message, before which there are so many bytes.
fn attributes(message: &[u8], before: usize) -> Option<Attributes<'_>> {
    message.get(before..).map(Attributes::new)
}

/// Returns whether the port that is described so forwards.
fn forwards(port: Attributes<'_>) -> bool {
    let info = port.get(bindings::IFLA_PROTINFO as u16);
    let state = info.and_then(|info| info.nest().get(bindings::IFLA_BRPORT_STATE as u16));
    state.is_some_and(|state| *state.payload() == [bindings::BR_STATE_FORWARDING as u8])
}

/// Returns the tag with which frames of that VLAN leave by the port that is described so; `None` if
/// they do not.
fn tag(port: Attributes<'_>, vlan: u16) -> Option<Option<u16>> {
    const UNTAGGED: u16 = bindings::BRIDGE_VLAN_INFO_UNTAGGED as u16;
    const FIRST: u16 = bindings::BRIDGE_VLAN_INFO_RANGE_BEGIN as u16;

    if vlan == 0 {
        return Some(None);
    }
    let vlans = port.get(bindings::IFLA_AF_SPEC as u16)?.nest();
    let mut first = None;
    for info in vlans.iter() {
        let &[a, b, c, d] = info.payload() else {
            continue;
        };
        let (flags, last) = (u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d]));
        if flags & FIRST != 0 {
            first = Some(last);
            continue;
        }
        if (first.take().unwrap_or(last)..=last).contains(&vlan) {
            return Some((flags & UNTAGGED == 0).then_some(vlan));
        }
    }
    None
}

/// Returns the address and the VLAN of the station in a message. `None` for an address of this host,
/// or one that is about to be forgotten.
fn entry(message: &[u8]) -> Option<(MacAddr, u16)> {
    const NOT_THERE: u32 = bindings::NUD_PERMANENT | bindings::NUD_STALE;

    let (head, _) = message.get(HEADER..)?.split_first_chunk()?;
    // SAFETY: So many bytes; any are valid.
    let head: bindings::ndmsg = unsafe {
        ptr::read_unaligned(ptr::from_ref::<[u8; size_of::<bindings::ndmsg>()]>(head).cast())
    };
    if u32::from(head.ndm_state) & NOT_THERE != 0 {
        return None;
    }
    let attrs = attributes(message, ND)?;
    let mac = attrs.get(bindings::NDA_LLADDR as u16)?;
    let mac = MacAddr::new(mac.payload().try_into().ok()?);
    let vlan = attrs.get(bindings::NDA_VLAN as u16);
    let vlan = vlan.and_then(|vlan| Some(u16::from_ne_bytes(vlan.payload().try_into().ok()?)));
    mac.is_valid_station().then_some((mac, vlan.unwrap_or(0)))
}
