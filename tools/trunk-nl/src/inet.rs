// SPDX-License-Identifier: GPL-2.0

//! IP addresses of devices, and routes by them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::RouteNetlinkMessage;
use serde::Serialize;

use crate::attr::{Attr, Attributes, Typed};
use crate::error::{malformed, Result};
use crate::link::Links;
use crate::message::Request;

/// From linux/if_addr.h and linux/rtnetlink.h: struct ifaddrmsg and struct rtmsg, with their sizes.
const ADDRESS_HEADER: usize = 8;
const ROUTE_HEADER: usize = 12;

/// An IP address and the length of its prefix, as `192.0.2.1/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Prefix {
    /// The address.
    pub address: IpAddr,
    /// Number of bits.
    pub length: u8,
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// An IP address of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Address {
    /// The device, by interface index.
    pub ifindex: u32,
    /// The address, and its network.
    pub prefix: Prefix,
}

/// A route by a device that somebody has set: the kernel's own are not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Route {
    /// The device, by interface index.
    pub ifindex: u32,
    /// Where it leads; none is the default route.
    pub destination: Option<Prefix>,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.destination {
            Some(destination) => destination.fmt(f),
            None => f.write_str("default"),
        }
    }
}

/// Returns an address of four or sixteen bytes.
fn ip(attribute: &Attr<'_>) -> Option<IpAddr> {
    let octets = attribute.value();
    let four = <[u8; 4]>::try_from(octets).map(|o| IpAddr::V4(Ipv4Addr::from(o)));
    let sixteen = <[u8; 16]>::try_from(octets).map(|o| IpAddr::V6(Ipv6Addr::from(o)));
    four.or(sixteen).ok()
}

/// Returns whether it is one that every IPv6 device gives itself, for its own link.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.segments()[0] & 0xffc0 == 0xfe80,
    }
}

impl Address {
    /// Reads a message. Returns none for the address of a link alone.
    pub(crate) fn read(body: &[u8]) -> Result<Option<Self>> {
        let Some((header, rest)) = body.split_at_checked(ADDRESS_HEADER) else {
            return Err(malformed("an address is too short"));
        };
        let (mut address, mut local) = (None, None);
        for attribute in Attributes::new(rest) {
            let attribute = attribute?;
            match attribute.kind() {
                libc::IFA_ADDRESS => address = ip(&attribute),
                libc::IFA_LOCAL => local = ip(&attribute),
                _ => {}
            }
        }
        let index: [u8; 4] = header[4..].try_into().unwrap_or_default();
        // Of a link from point to point, the other one is the peer's.
        let address = local.or(address).filter(|address| !is_link_local(*address));
        Ok(address.map(|address| Self {
            ifindex: u32::from_ne_bytes(index),
            prefix: Prefix {
                address,
                length: header[1],
            },
        }))
    }
}

impl Route {
    /// Reads a message. Returns none for a route that the kernel has made, and for those that lead
    /// nowhere or by several devices.
    pub(crate) fn read(body: &[u8]) -> Result<Option<Self>> {
        let Some((header, rest)) = body.split_at_checked(ROUTE_HEADER) else {
            return Err(malformed("a route is too short"));
        };
        let (length, protocol, kind) = (header[1], header[5], header[7]);
        let (mut destination, mut ifindex) = (None, None);
        for attribute in Attributes::new(rest) {
            let attribute = attribute?;
            match attribute.kind() {
                libc::RTA_DST => destination = ip(&attribute),
                libc::RTA_OIF => ifindex = Some(attribute.u32()?),
                _ => {}
            }
        }
        let is_set = kind == libc::RTN_UNICAST && protocol > libc::RTPROT_KERNEL;
        Ok(ifindex.filter(|_| is_set).map(|ifindex| Self {
            ifindex,
            destination: destination.map(|address| Prefix { address, length }),
        }))
    }
}

impl Links {
    /// Returns the IP addresses of all devices, without those that IPv6 gives itself.
    pub fn addresses(&mut self) -> Result<Vec<Address>> {
        let message = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let found = self.ask(Request::dump(message), Address::read)?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Returns the routes that somebody has set.
    pub fn routes(&mut self) -> Result<Vec<Route>> {
        let message = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        let found = self.ask(Request::dump(message), Route::read)?;
        Ok(found.into_iter().flatten().collect())
    }
}
