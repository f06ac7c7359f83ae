// SPDX-License-Identifier: GPL-2.0

//! The smallest useful network device driver in Rust: a device that counts the frames it is given,
//! and drops them. `ip link add NAME type rdummy` makes one.

use core::convert::Infallible;
use kernel::prelude::*;
use netdev::{
    device::{Device, NetDevice},
    driver::{Driver, Setup},
    link_ops::{self, LinkOps},
    rcu::RcuBh,
    rtnl::Rtnl,
    skb::SkBuff,
    stats::{LinkStats, PerCpu}, //
};

/// What each device has: frames and octets, counted on each CPU.
#[pin_data]
struct Dummy {
    sent: PerCpu<2>,
}

#[vtable]
impl Driver for Dummy {
    const KIND: &'static CStr = c"rdummy";
    type Port = Infallible;

    fn link_ops() -> &'static LinkOps<Self> {
        static OPS: LinkOps<Dummy> = LinkOps::new();
        &OPS
    }

    fn setup(setup: &mut Setup) {
        setup.queueless().live_address_change().random_mac();
    }

    fn new(_dev: &NetDevice, _rtnl: &Rtnl) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            sent: PerCpu::new(1)?,
        })
    }

    fn transmit(dev: &Device<Self>, skb: SkBuff, context: &RcuBh) {
        if let Some([frames, octets]) = dev.data().sent.of(context.cpu(), 0) {
            frames.add(1);
            octets.add(skb.len().into());
        }
        skb.consume();
    }

    fn link_stats(dev: &Device<Self>, stats: &mut LinkStats) {
        let [frames, octets] = dev.data().sent.sum(0);
        stats.transmitted(frames, octets);
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
