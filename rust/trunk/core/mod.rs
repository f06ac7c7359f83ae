// SPDX-License-Identifier: GPL-2.0

//! The pure core of a trunk: which port carries which frame.
//!
//! A **trunk** is an aggregate device. Its **ports** are the links under it. A port of priority 1
//! is a **working** port, any other is a **spare**. The link state of a port is `act` (usable) or
//! `sby`.
//!
//! ```text
//! frame -> selector -> bucket -> table -> port
//!          selector.rs           table.rs
//!          flow.rs
//! ```
//!
//! The **selector** makes a number from a frame. The low M bits of the number name one of the
//! N = 2^M **buckets** of the **table**. Three layers decide which port carries a bucket:
//!
//! 1. **homes**: bucket -> working port, in proportion to the weights. Link states do not matter.
//!    Only the configuration changes homes (a port joins, leaves, changes weight or priority):
//!    [`table::assign_homes`].
//! 2. **stand-ins**: failed working port -> spare in its place. Link states change stand-ins:
//!    [`spares::StandIns`].
//! 3. **slots**: bucket -> port that carries it now. Transmit reads this layer alone, with a single
//!    load. Slots follow from homes, from stand-ins and from the slots before: [`table::resolve`].
//!
//! After a change of the configuration all three are called, in this order. After a change of a
//! link state the last two are called. Each is a function of its arguments alone, so both ends of a
//! trunk come to the same result from the same ports. [`far_end`] says what the ports lead to, and
//! by which of them broadcast and multicast goes because of that. [`copies`] finds an aggregate, and
//! [`echoes`] knows what a switch sends back. [`rarp`] makes
//! the frames that announce silent stations. [`history`] keeps the last events.
//! [`uapi`] has the numbers and names that the user knows, generated from the netlink spec. [`join`]
//! says which devices become ports by themselves.
//!
//! Carrier alone does not make a link `act`. The two ends send probes to each other ([`wire`]).
//! [`health`] gives a verdict on each link from the replies and their times. Both take the time,
//! random numbers and frames as values. [`tally`] compares what both ends have counted.
//!
//! The code needs nothing but the `core` crate: no allocation, no clock, no lock, no unsafe code
//! and no path to a panic. It runs in the driver, under KUnit and in the tests on the host. It may
//! be called with interrupts off: a call takes O(N + P^2) time for P ports, and less than 4 KiB of
//! stack.

pub mod claims;
pub mod copies;
pub mod echoes;
pub mod far_end;
pub mod flow;
pub mod health;
pub mod history;
pub mod join;
pub mod port;
pub mod rarp;
pub mod selector;
pub mod spares;
pub mod state;
pub mod switch;
pub mod table;
pub mod tally;
#[path = "../uapi.rs"]
pub mod uapi;
pub mod wire;

mod deal;
#[cfg(any(test, CONFIG_TRUNK_KUNIT_TEST))]
mod testing;

/// The most ports one trunk may have; [`port::PortSet`] has one bit for each.
pub const MAX_PORTS: usize = 64;

/// The largest M: a table has at most 2^16 = 65,536 buckets. Selectors give at least that many
/// bits.
pub const MAX_BITS: u32 = 16;

/// The default of M: 32 buckets.
pub const DEFAULT_BITS: u32 = 5;
