// SPDX-License-Identifier: GPL-2.0

//! The smallest useful network device driver in Rust: its device counts frames and drops them.
//! `ip link add NAME type rdummy` makes one.

use kernel::prelude::*;
use netdev::{
    addr::MacAddr,
    device::Device,
    driver::{Driver, Setup},
    link_ops::{self, LinkOps},
    rcu::RcuBh,
    rx_handler::NoPorts,
    skb::{SkBuff, Xmit}, //
};

/// The data of a device: none.
struct Dummy;

#[vtable]
impl Driver for Dummy {
    const KIND: &'static CStr = c"rdummy";
    type Port = NoPorts;

    fn link_ops() -> &'static LinkOps<Self> {
        static OPS: LinkOps<Dummy> = LinkOps::new();
        &OPS
    }

    fn setup(setup: &mut Setup) {
        setup.queueless().live_address_change().random_mac();
    }

    fn new(_mac: MacAddr) -> impl PinInit<Self, Error> {
        Ok(Self)
    }

    fn transmit(dev: &Device<Self>, skb: SkBuff, context: &RcuBh) -> Xmit {
        dev.count_transmitted(skb.len(), context);
        skb.consume();
        Xmit::OK
    }
}

/// Holds the registration of the driver for as long as the module is loaded.
struct SampleModule {
    _driver: link_ops::Registration<Dummy>,
}

impl kernel::Module for SampleModule {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self {
            _driver: link_ops::Registration::new()?,
        })
    }
}

module! {
    type: SampleModule,
    name: "rust_netdev_sample",
    authors: ["trunk"],
    description: "The smallest network device driver in Rust",
    license: "GPL",
    alias: ["rtnl-link-rdummy"],
    imports_ns: ["NETDEV_INTERNAL"],
}
