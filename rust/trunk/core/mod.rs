// SPDX-License-Identifier: GPL-2.0

//! The pure core of a trunk: which port carries which frame.
//!
//! A **trunk** is an aggregate device, its **ports** are the links under it. A port of priority 1
//! is a **working** port, any other a **spare**; its link state is `act` (usable) or `sby`.
//!
//! ```text
//! frame -> selector -> bucket -> table -> port
//!          selector.rs           table.rs
//!          flow.rs
//! ```
//!
//! The **selector** turns a frame into a number, of which the low M bits name one of the N = 2^M
//! **buckets** of the **table**. Three layers decide the port that carries a bucket:
//!
//! 1. **homes**: bucket -> working port, in proportion to the weights, whatever the link states.
//!    Only configuration changes it (a port joins, leaves, changes weight or priority):
//!    [`table::assign_homes`].
//! 2. **stand-ins**: failed working port -> spare in its place. Link states change it:
//!    [`spares::StandIns`].
//! 3. **slots**: bucket -> port that carries it now, the one layer that transmit reads, with a
//!    single load. It follows from the two above and from itself: [`table::resolve`].
//!
//! After a change of configuration the three are called in this order, after a change of link
//! state the last two. Each is a function of its arguments alone, so both ends of a trunk come to
//! the same result from the same ports. [`receive::accept`] names the ports from which broadcast
//! and multicast is accepted; [`history`] is what is remembered of it all. [`uapi`] has the numbers and
//! names that the user knows, generated from the netlink spec. [`join`] says which devices become
//! ports by themselves.
//!
//! Which links are `act` is not only a question of carrier: the two ends send each other probes,
//! [`wire`], and [`health`] has a verdict on each link from what comes back, and when. Both take
//! time, random numbers and frames as values, and give the same.
//!
//! The code needs nothing but the `core` crate: no allocation, no clock, no lock, no unsafe code
//! and no path to a panic. It runs in the driver, under KUnit and in the tests on the host. All of it
//! may be called with interrupts off: time is O(N + P^2) for P ports, and a call takes less than
//! 1.5 KiB of stack.

pub mod claims;
pub mod flow;
pub mod health;
pub mod history;
pub mod join;
pub mod port;
pub mod receive;
pub mod selector;
pub mod spares;
pub mod state;
pub mod switch;
pub mod table;
#[path = "../uapi.rs"]
pub mod uapi;
pub mod wire;

mod deal;
#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
mod testing;

/// The most ports one trunk may have; [`port::PortSet`] has one bit for each.
pub const MAX_PORTS: usize = 64;

/// The largest M: a table has at most 2^16 = 65,536 buckets. Selectors give that many bits.
pub const MAX_BITS: u32 = 16;

/// M unless the user says otherwise: 32 buckets.
pub const DEFAULT_BITS: u32 = 5;
