// SPDX-License-Identifier: GPL-2.0

//! Network devices: rtnetlink makes and deletes them, and makes them ports of trunks, as `ip link`
//! does.

use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::{parse_u8, DefaultNla, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::link::{
    InfoKind, LinkAttribute, LinkExtentMask, LinkFlags, LinkHeader, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{
    NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use serde::Serialize;

use crate::attr::{Attributes, Typed};
use crate::error::{Error, Result};
use crate::generic::{contents, Family};
use crate::message::{messages, Answer, Request};
use crate::names::Set;
use crate::socket::Socket;
use crate::values::Mac;

/// Kind of a trunk's device.
pub const KIND: &str = "trunk";

/// The longest name of a device, and the longest alternative name, in bytes.
const NAME_MAX: usize = 15;
const ALT_NAME_MAX: usize = 127;

/// Bytes of struct ifinfomsg.
const HEADER: usize = 16;

/// Kind of a bridge's ports, the attribute with the state of a port, and the two states in which it
/// learns addresses. From linux/if_link.h and linux/if_bridge.h.
const BRIDGE: &str = "bridge";
const IFLA_BRPORT_STATE: u16 = 1;
const BR_STATE_LEARNING: u8 = 2;
const BR_STATE_FORWARDING: u8 = 3;

/// A network device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Interface index.
    pub ifindex: u32,
    /// Its name.
    pub ifname: String,
    /// Its alternative names.
    pub altnames: Vec<String>,
    /// Its kind, as `trunk` or `veth`; a physical device has none.
    pub kind: Option<String>,
    /// Kind of the device that it is a port of, as `trunk` or `bond`.
    pub port_kind: Option<String>,
    /// Interface index of the device that it is a port of.
    pub master: Option<u32>,
    /// The user has brought it up.
    pub up: bool,
    /// It has carrier.
    pub carrier: bool,
    /// Bytes of the longest packet.
    pub mtu: u32,
    /// Its link-layer address.
    pub address: Vec<u8>,
    /// It is a port of a bridge, in a state in which the bridge learns addresses from it.
    pub learning: bool,
}

impl Link {
    /// Returns whether that is its name, or an alternative one.
    pub fn has_name(&self, name: &str) -> bool {
        self.ifname == name || self.altnames.iter().any(|other| other == name)
    }

    /// Returns whether it is a trunk.
    pub fn is_trunk(&self) -> bool {
        self.kind.as_deref() == Some(KIND)
    }

    // LinkMessage fails at a name that is not UTF-8, and at unexpected data of any kind of device;
    // at some data it panics.
    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        let header = LinkHeader::parse(body)?;
        let mut link = Self {
            ifindex: header.index,
            up: header.flags.contains(LinkFlags::Up),
            ..Self::default()
        };
        for attribute in Attributes::new(body.get(HEADER..).unwrap_or_default()) {
            let attribute = attribute?;
            match attribute.kind() {
                libc::IFLA_IFNAME => link.ifname = attribute.string(),
                libc::IFLA_ADDRESS => link.address = attribute.value().to_vec(),
                libc::IFLA_MTU => link.mtu = attribute.u32()?,
                libc::IFLA_MASTER => link.master = Some(attribute.u32()?),
                libc::IFLA_CARRIER => link.carrier = attribute.get(parse_u8)? != 0,
                libc::IFLA_PROP_LIST => {
                    for inner in attribute.nest() {
                        let inner = inner?;
                        if inner.kind() == libc::IFLA_ALT_IFNAME {
                            link.altnames.push(inner.string());
                        }
                    }
                }
                libc::IFLA_LINKINFO => {
                    let mut state = None;
                    for inner in attribute.nest() {
                        let inner = inner?;
                        match inner.kind() {
                            libc::IFLA_INFO_SLAVE_DATA => state = port_state(inner.nest()),
                            libc::IFLA_INFO_KIND => link.kind = Some(inner.string()),
                            libc::IFLA_INFO_SLAVE_KIND => link.port_kind = Some(inner.string()),
                            _ => {}
                        }
                    }
                    // The data of other kinds of ports has other types of attributes.
                    link.learning = link.port_kind.as_deref() == Some(BRIDGE)
                        && matches!(state, Some(BR_STATE_LEARNING | BR_STATE_FORWARDING));
                }
                _ => {}
            }
        }
        Ok(link)
    }
}

/// Returns the state of a bridge's port, from the data of its kind.
fn port_state(data: Attributes<'_>) -> Option<u8> {
    data.map_while(Result::ok)
        .filter(|attribute| attribute.kind() == IFLA_BRPORT_STATE)
        .find_map(|attribute| attribute.get(parse_u8).ok())
}

/// What is to be changed of any device; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LinkSettings {
    /// Its MAC address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Mac>,
    /// Bytes of the longest packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
}

impl LinkSettings {
    /// Returns whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A connection to the devices of a network namespace. Each call waits for the kernel's answer.
#[derive(Debug)]
pub struct Links {
    socket: Socket,
    namespace: Option<String>,
}

impl Links {
    /// Connects to a namespace by its name or path, or to the caller's own.
    pub fn open(namespace: Option<&str>) -> Result<Self> {
        Ok(Self {
            socket: Socket::open(libc::NETLINK_ROUTE, namespace)?,
            namespace: namespace.map(str::to_string),
        })
    }

    /// Returns all devices.
    pub fn list(&mut self) -> Result<Vec<Link>> {
        let message = message(0, vec![without_statistics()]);
        let request = Request::dump(RouteNetlinkMessage::GetLink(message));
        self.socket.ask(request, Link::read)
    }

    /// Returns all trunks.
    pub fn trunks(&mut self) -> Result<Vec<Link>> {
        let mut links = self.list()?;
        links.retain(Link::is_trunk);
        Ok(links)
    }

    /// Returns the device of a name, which may be an alternative one.
    pub fn by_name(&mut self, name: &str) -> Result<Link> {
        check_any_name(name)?;
        let attribute = match name.len() > NAME_MAX {
            // The kernel looks for both in either.
            false => LinkAttribute::IfName(name.to_string()),
            true => {
                let octets = [name.as_bytes(), &[0]].concat();
                LinkAttribute::Other(DefaultNla::new(libc::IFLA_ALT_IFNAME, octets))
            }
        };
        self.one(name, 0, vec![attribute])
    }

    /// Returns the trunk of a name.
    pub fn trunk_by_name(&mut self, name: &str) -> Result<Link> {
        let link = self.by_name(name)?;
        match link.is_trunk() {
            true => Ok(link),
            false => Err(Error::NotATrunk(name.to_string())),
        }
    }

    /// Returns the device of an interface index.
    pub fn by_index(&mut self, ifindex: u32) -> Result<Link> {
        self.one(&ifindex.to_string(), ifindex, vec![])
    }

    /// Makes a trunk.
    pub fn create(&mut self, name: &str) -> Result<Link> {
        check_name(name)?;
        let kind = LinkInfo::Kind(InfoKind::Other(KIND.to_string()));
        let attributes = vec![
            LinkAttribute::IfName(name.to_string()),
            LinkAttribute::LinkInfo(vec![kind]),
        ];
        let message = RouteNetlinkMessage::NewLink(message(0, attributes));
        let request = Request::once(message, NLM_F_CREATE | NLM_F_EXCL);
        self.socket.order(request)?;
        self.by_name(name)
    }

    /// Deletes a device.
    pub fn delete(&mut self, ifindex: u32) -> Result<()> {
        let message = RouteNetlinkMessage::DelLink(message(ifindex, vec![]));
        self.socket.order(Request::once(message, 0))
    }

    /// Makes a device a port of a trunk; without a trunk, releases it.
    pub fn set_master(&mut self, ifindex: u32, master: Option<u32>) -> Result<()> {
        let master = LinkAttribute::Controller(master.unwrap_or(0));
        self.change(message(ifindex, vec![master]))
    }

    /// Changes settings of a device.
    pub fn set(&mut self, ifindex: u32, settings: &LinkSettings) -> Result<()> {
        let LinkSettings { address, mtu } = settings;
        let address = address.map(|mac| LinkAttribute::Address(mac.0.to_vec()));
        let mtu = mtu.map(LinkAttribute::Mtu);
        self.change(message(ifindex, address.into_iter().chain(mtu).collect()))
    }

    /// Brings a device up or down.
    pub fn set_up(&mut self, ifindex: u32, up: bool) -> Result<()> {
        let mut message = message(ifindex, vec![]);
        message.header.flags.set(LinkFlags::Up, up);
        message.header.change_mask = LinkFlags::Up;
        self.change(message)
    }

    /// Pins an address to a port of a bridge: frames for it go there, on all VLANs of the port,
    /// also after the address was seen on another port. The entry is removed if the port loses its
    /// carrier, as learned entries are, and ages unless this is called again. The port must be
    /// [`learning`](Link::learning).
    pub fn pin(&mut self, port: u32, address: Mac) -> Result<()> {
        let entry = |flags| {
            let mut message = entry(port, address);
            message.header.state = NeighbourState::Reachable;
            message.header.flags |= flags;
            let message = RouteNetlinkMessage::NewNeighbour(message);
            Request::once(message, NLM_F_CREATE | NLM_F_REPLACE)
        };
        self.socket.order(entry(NeighbourFlags::Sticky))?;
        // As a frame from there does, this resets the age of the entry.
        self.socket.order(entry(NeighbourFlags::Use))
    }

    /// Removes an address from a port: the bridge then knows it only when it sees it again. Returns
    /// `false` if the bridge did not have it there.
    pub fn unpin(&mut self, port: u32, address: Mac) -> Result<bool> {
        let message = RouteNetlinkMessage::DelNeighbour(entry(port, address));
        match self.socket.order(Request::once(message, 0)) {
            Ok(()) => Ok(true),
            // No such entry, no such device, or not a port of a bridge any more.
            Err(Error::Refused(refusal))
                if [libc::ENOENT, libc::ENODEV, libc::EINVAL, libc::EOPNOTSUPP]
                    .contains(&refusal.errno) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Subscribes to notifications of devices that go. This connection is for nothing else then.
    pub(crate) fn watch(&mut self) -> Result<()> {
        self.socket.inner().add_membership(libc::RTNLGRP_LINK)?;
        Ok(())
    }

    /// Returns whether a device has gone, by the notifications so far.
    pub(crate) fn has_gone(&mut self, ifindex: u32) -> Result<bool> {
        let mut lost = false;
        loop {
            match self.socket.datagram(RecvFlags::DONTWAIT) {
                Ok(datagram) if tells_end(datagram, ifindex)? => return Ok(true),
                Ok(_) => {}
                Err(Errno::NOBUFS) => lost = true,
                Err(Errno::AGAIN) => break,
                Err(errno) => return Err(errno.into()),
            }
        }
        if !lost {
            return Ok(false);
        }
        // With a connection of its own: notifications stay in this one.
        match Self::open(self.namespace.as_deref())?.by_index(ifindex) {
            Err(Error::NoSuchDevice(_)) => Ok(true),
            found => found.map(|_| false),
        }
    }

    /// Returns what `read` makes of each answer to a request.
    pub(crate) fn ask<T>(
        &mut self,
        request: Request,
        read: fn(&[u8]) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.socket.ask(request, read)
    }

    fn change(&mut self, message: LinkMessage) -> Result<()> {
        let message = RouteNetlinkMessage::NewLink(message);
        self.socket.order(Request::once(message, 0))
    }

    fn one(
        &mut self,
        name: &str,
        ifindex: u32,
        mut attributes: Vec<LinkAttribute>,
    ) -> Result<Link> {
        attributes.push(without_statistics());
        let message = RouteNetlinkMessage::GetLink(message(ifindex, attributes));
        match self.socket.ask(Request::once(message, 0), Link::read) {
            Err(Error::Refused(refusal)) if refusal.errno == libc::ENODEV => {
                Err(Error::NoSuchDevice(name.to_string()))
            }
            Err(error) => Err(error),
            Ok(links) => links
                .into_iter()
                .next()
                .ok_or_else(|| Error::NoSuchDevice(name.to_string())),
        }
    }
}

/// Notifies of changes of devices, without the change. It has a descriptor to poll for reading.
#[derive(Debug)]
pub struct LinkChanges(Links);

impl LinkChanges {
    /// Subscribes in a namespace, by its name or path, or in the caller's own.
    pub fn open(namespace: Option<&str>) -> Result<Self> {
        let mut links = Links::open(namespace)?;
        links.watch()?;
        Ok(Self(links))
    }

    /// Reads the notifications so far. Returns whether there was one.
    pub fn take(&mut self) -> Result<bool> {
        let mut any = false;
        loop {
            match self.0.socket.datagram(RecvFlags::DONTWAIT) {
                // A loss means that there was one.
                Ok(_) | Err(Errno::NOBUFS) => any = true,
                Err(Errno::AGAIN) => return Ok(any),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl AsFd for LinkChanges {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A descriptor to poll for reading.
impl AsFd for Links {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Returns whether a datagram notifies that a device has gone. A device that leaves a bridge has
/// such a message with another family.
pub(crate) fn tells_end(datagram: &[u8], ifindex: u32) -> Result<bool> {
    for message in messages(datagram) {
        if let Answer::Data(libc::RTM_DELLINK, body) = message?.answer {
            let header = LinkHeader::parse(body)?;
            if header.index == ifindex && header.interface_family == AddressFamily::Unspec {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Speeds of links, as drivers report them.
#[derive(Debug)]
pub struct Speeds {
    socket: Socket,
    family: Family,
}

impl Speeds {
    /// Connects to a namespace by its name or path, or to the caller's own.
    pub fn open(namespace: Option<&str>) -> Result<Self> {
        let mut socket = Socket::open(libc::NETLINK_GENERIC, namespace)?;
        let family = Family::find(&mut socket, "ethtool", 1, Set::NONE)?;
        Ok(Self { socket, family })
    }

    /// Returns Mbit/s of a device; none if it has no speed or does not know it.
    pub fn get(&mut self, ifindex: u32) -> Result<Option<u32>> {
        // From linux/ethtool_netlink.h.
        const LINKMODES_GET: u8 = 4;
        const LINKMODES_HEADER: u16 = 1;
        const HEADER_DEV_INDEX: u16 = 1;
        const LINKMODES_SPEED: u16 = 5;
        let request = self.family.once(LINKMODES_GET, |w| {
            w.nest(LINKMODES_HEADER, |w| w.u32(HEADER_DEV_INDEX, ifindex));
        });
        let answers = self.socket.ask(request, |body| {
            for attribute in contents(body)? {
                let attribute = attribute?;
                if attribute.kind() == LINKMODES_SPEED {
                    return attribute.u32().map(Some);
                }
            }
            Ok(None)
        });
        match answers {
            Err(Error::Refused(refusal)) if refusal.errno == libc::EOPNOTSUPP => Ok(None),
            answers => Ok(answers?
                .into_iter()
                .flatten()
                .find(|speed| *speed != 0 && *speed != u32::MAX)),
        }
    }
}

/// Returns a message about a device.
fn message(ifindex: u32, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = ifindex;
    message.attributes = attributes;
    message
}

/// Returns a bridge's entry for an address on a port.
fn entry(port: u32, address: Mac) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = port;
    message.header.flags = NeighbourFlags::Controller;
    message.attributes = vec![NeighbourAttribute::LinkLayerAddress(address.0.to_vec())];
    message
}

/// Returns an attribute that asks for links without statistics.
fn without_statistics() -> LinkAttribute {
    LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats])
}

/// Checks that a device may have that name, by the kernel's rules, so that it fits into a message.
pub fn check_name(name: &str) -> Result<()> {
    check(name, NAME_MAX)
}

/// Checks that a device may have that name or alternative name.
pub fn check_any_name(name: &str) -> Result<()> {
    check(name, ALT_NAME_MAX)
}

fn check(name: &str, most: usize) -> Result<()> {
    let bad = |c: char| c == '/' || c == ':' || c == '\0' || c.is_whitespace();
    match name.is_empty() || name.len() > most || name == "." || name == ".." || name.contains(bad)
    {
        true => Err(Error::BadName(name.to_string())),
        false => Ok(()),
    }
}
