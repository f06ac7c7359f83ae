// SPDX-License-Identifier: GPL-2.0

//! Network device drivers in Rust.
//!
//! What the `kernel` crate lacks for a virtual network device driver: the device itself and its
//! operations, frames, upper and lower devices, receive handlers, notifiers, link operations,
//! deferred work, timers, and the ethtool and generic netlink interfaces.
//!
//! Which lock is held, and in which context code runs, is said by types: a function that needs
//! RTNL takes an [`Rtnl`](rtnl::Rtnl), one that needs an RCU read-side critical section takes an
//! [`Rcu`](rcu::Rcu), and callbacks are handed the tokens of the context they are called in. Bottom
//! halves disabled ([`RcuBh`](rcu::RcuBh)) and interrupts disabled ([`RcuIrq`](rcu::RcuIrq)) are two
//! contexts.
//!
//! A driver implements [`Driver`](driver::Driver), names itself with a static
//! [`LinkOps`](link_ops::LinkOps) and keeps a [`Registration`](link_ops::Registration) of it in its
//! module; `samples/rust_netdev_sample_main.rs` is the whole of it.

#![deny(unsafe_op_in_unsafe_fn)]
#![deny(missing_docs)]

// What `pr_*!` puts before a message of this crate.
const __LOG_PREFIX: &[u8] = b"netdev\0";

// Counters of 64 bits are read in one piece.
const _: () = assert!(cfg!(CONFIG_64BIT), "32-bit kernels are not supported");

mod adapter;
pub mod addr;
pub mod addr_lists;
mod admin;
mod area;
pub mod bridge;
pub mod device;
mod devices;
pub mod driver;
pub mod ethtool;
pub mod features;
pub mod genl;
pub mod link_ops;
pub mod lock;
pub mod lower;
mod names;
pub mod net;
pub mod netlink;
pub mod netpoll;
pub mod notifier;
mod percpu;
pub mod pow2;
pub mod random;
pub mod rcu;
mod receive;
pub mod rtnl;
pub mod rx_handler;
mod setup;
pub mod siphash;
pub mod skb;
mod stack;
pub mod stats;
pub mod time;
pub mod timer;
pub mod upper;
pub mod vlan;
mod work;
pub mod xdp;
