// SPDX-License-Identifier: GPL-2.0

//! Client of the netlink family `trunk`, which shows, sets and watches trunks.
//!
//! [`Links`] makes and deletes trunks and gives them ports, by rtnetlink. A [`Claim`] holds a link
//! of a trunk. [`Connection`] does everything else. All of them wait for the kernel's answer and
//! need no runtime. Each opens its socket in any network namespace, and the caller's thread stays
//! in its own.
//!
//! ```no_run
//! # fn main() -> trunk_nl::Result<()> {
//! let trunk = trunk_nl::Links::open(None)?.trunk_by_name("trunk0")?;
//! let mut connection = trunk_nl::Connection::open(None)?;
//! for port in connection.port_dump(Some(trunk.ifindex))? {
//!     println!("{} is {}", port.ifname, port.state);
//! }
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

/// Numbers of the family, generated from its spec.
#[path = "../../../rust/trunk/uapi.rs"]
pub mod uapi;

mod attr;
mod claim;
mod clock;
mod connection;
mod error;
mod events;
mod generic;
mod inet;
mod link;
mod message;
mod names;
mod socket;
#[cfg(test)]
mod tests;
mod types;
mod values;

pub use claim::{Change, Claim, ClaimRequest};
pub use clock::Clock;
pub use connection::Connection;
pub use error::{describe, Error, Refusal, Result};
pub use events::{Events, Notification};
pub use inet::{Address, Prefix, Route};
pub use link::{check_any_name, check_name, Link, LinkChanges, LinkSettings, Links, Speeds, KIND};
pub use types::{
    buckets, AutoJoin, Bucket, BucketHome, ClaimState, Compared, Counters, Event, MissingPort,
    Named, Peer, Port, PortSettings, Statistics, Trunk, TrunkSettings,
};
pub use values::{exact, Key, Mac, MacPrefix, System};
