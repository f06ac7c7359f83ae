// SPDX-License-Identifier: GPL-2.0

//! trunk: link trunking with spare-link failover.
//!
//! Several network devices become one: one name, one MAC address, and for every frame one look into
//! a table that says which port it leaves by. See `Documentation/networking/trunk.rst`.
//!
//! ```text
//!   core/      what is decided: selectors, table, spares. Knows no kernel type
//!   layout.rs  what frames go by            decided.rs  what that follows from
//!   table.rs   the two together in service, and how it is switched over
//!   send.rs    a frame's way out            receive.rs  a frame's way in
//!   port.rs    how a port joins and leaves  events.rs   what happens to ports
//!   probe.rs   every link tested            claims.rs   links that processes hold
//!   stats.rs   what is counted              auto_join.rs devices that join by themselves
//!   xdp.rs     programs that see frames first netns.rs  what a network namespace has of trunks
//!   control/   requests, dumps and notifications over netlink
//!   device.rs  the device, all of it put together
//! ```

#![crate_name = "trunk"]
#![deny(unsafe_code)]

use kernel::prelude::*;
use netdev::{
    genl,
    link_ops,
    notifier, //
};

#[path = "core/mod.rs"]
#[expect(dead_code, unreachable_pub)] // A library of its own; tests and tools use more of it.
mod pure;

mod auto_join;
mod claims;
mod control;
mod decided;
mod device;
mod events;
mod layout;
mod netns;
mod port;
mod probe;
mod receive;
mod send;
mod stats;
mod table;
mod xdp;

/// The module. Fields are dropped, that is unregistered, in this order: first nobody makes devices
/// any more and those that exist are gone, then their ports are no longer watched, nobody asks, and
/// nothing is counted.
#[pin_data]
struct TrunkModule {
    _kind: link_ops::Registration<device::Trunk>,
    #[pin]
    _events: notifier::Registration<events::Events>,
    _control: genl::Registration,
    #[pin]
    _sockets: genl::SocketWatch<control::Holders>,
    _counts: netns::Registration,
}

impl kernel::InPlaceModule for TrunkModule {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _: { device::Defaults::from_parameters()?; },
            _: { probe::choose_secret(); },
            _counts: netns::register()?,
            _sockets <- genl::SocketWatch::new(),
            _control: genl::Registration::new(&control::FAMILY)?,
            _events <- notifier::Registration::new(),
            _kind: link_ops::Registration::new()?,
        })
    }
}

module! {
    type: TrunkModule,
    name: "trunk",
    authors: ["The trunk developers"],
    description: "Link trunking with spare-link failover",
    license: "GPL",
    alias: ["rtnl-link-trunk", "net-pf-16-proto-16-family-trunk"],
    imports_ns: ["NETDEV_INTERNAL"],
    params: {
        bits: u32 {
            default: 5,
            description: "Default M: a table has 2^M buckets (0..16)",
        },
        selector: u32 {
            default: 0,
            description: "Default selector: 0 dmac, 1 smac, 2 smac-dmac, 3 flow",
        },
    },
}
