// SPDX-License-Identifier: GPL-2.0

//! trunk: link trunking with spare-link failover.
//!
//! Several network devices become one: one name, one MAC address, and for every frame one look into
//! a table that says which port it leaves by. See `Documentation/networking/trunk.rst`.
//!
//! ```text
//!   core/        what is decided, and how: knows no kernel type
//!   trunk.rs     what a trunk and a port are     table.rs    the table that frames go by
//!   switch.rs    how the state and the table change
//!   send.rs      a frame's way out               receive.rs  a frame's way in
//!   probe.rs     probes as frames, and when they are due
//!   enslave.rs   how a device becomes a port, and how it leaves
//!   settle.rs    what follows from a decision, once RTNL is free
//!   stats.rs     what is counted                 xdp.rs      programs that see frames first
//!   auto_join.rs devices that join by themselves waiting.rs  those that are about to
//!   missing.rs   ports whose devices are not there
//!   control/     requests and notifications over netlink
//!   events.rs    what happens to ports           device.rs   what the kernel asks of the device
//!   netns.rs     what a network namespace has of trunks
//! ```
//!
//! Who moves the slots? `send.rs`, `receive.rs`, `probe.rs` and `events.rs` notice that a link has
//! changed and call `switch::step`, which calls `core/state/mod.rs`, `State::step`, which decides
//! in `core/state/decide.rs`.

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

mod announce;
mod auto_join;
mod broadcasts;
mod compare;
mod control;
mod device;
mod enslave;
mod events;
mod missing;
mod netns;
mod probe;
mod receive;
mod send;
mod settle;
mod stations;
mod stats;
mod switch;
mod table;
mod tallies;
mod trunk;
mod undo;
mod waiting;
mod xdp;

/// The module. Fields are dropped, that is unregistered, in this order: first nobody makes devices
/// any more and those that exist are gone, then their ports are no longer watched, nobody asks, and
/// nothing is counted.
#[pin_data]
struct TrunkModule {
    _kind: link_ops::Registration<trunk::Trunk>,
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
            _: { table::defaults()?; },
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
