// SPDX-License-Identifier: GPL-2.0

//! The netlink family `trunk`: requests, dumps and notifications.
//!
//! This file has the family, which names the handler of each operation, and what all messages have
//! in common. Each noun has a file with its handlers and its messages:
//!
//! ```text
//!   settings.rs   trunks and their settings, also as link messages have them
//!   probes.rs     of the settings those about probes
//!   auto_join.rs  of the settings the rule by which devices join
//!   ports.rs      ports and their settings
//!   missing.rs    ports whose devices are not there
//!   table.rs      buckets and their homes
//!   stats.rs      counters
//!   events.rs     notifications and the history
//!   claims.rs     claims and their holders
//!   request.rs    what a request names, looked up and checked
//!   dump.rs       answers of many messages
//! ```
//!
//! `Documentation/netlink/specs/trunk.yaml` describes the messages. The policies made from it have
//! checked types, lengths and ranges of what arrives here. A request that changes something is
//! checked as a whole before anything is changed, and holds RTNL meanwhile.

use crate::{
    pure::{
        port::PortId,
        uapi::attr, //
    },
    trunk::Trunk, //
};
use kernel::prelude::*;
use netdev::{
    device::Device,
    genl::{
        Message,
        Request, //
    },
    rcu::{
        read_lock,
        Rcu, //
    }, //
};

mod auto_join;
mod claims;
mod dump;
mod events;
mod missing;
mod ports;
mod probes;
mod request;
mod settings;
mod stats;
mod table;

pub(crate) use self::{
    claims::{
        end as end_claims,
        Holders, //
    },
    events::notify,
    ports::{
        link_get_port,
        link_port_settings,
        link_set_port,
        PORT_SIZE, //
    },
    settings::{
        link_get,
        link_set,
        link_settings,
        TRUNK_SIZE, //
    }, //
};

netdev::genl_family! {
    /// The family `trunk`.
    pub(crate) static FAMILY: trunk_nl_family;
    doit {
        trunk_nl_trunk_get_doit => settings::get;
        trunk_nl_trunk_set_doit => settings::set;
        trunk_nl_port_get_doit => ports::get;
        trunk_nl_port_set_doit => ports::set;
        trunk_nl_failback_doit => ports::failback;
        trunk_nl_table_get_doit => table::get;
        trunk_nl_table_set_doit => table::set;
        trunk_nl_stats_get_doit => stats::get;
        trunk_nl_stats_reset_doit => stats::reset;
        trunk_nl_claim_add_doit => claims::add;
        trunk_nl_claim_del_doit => claims::del;
        trunk_nl_missing_add_doit => missing::add;
        trunk_nl_missing_del_doit => missing::del;
    }
    dumpit {
        trunk_nl_trunk_get_dumpit => settings::dump;
        trunk_nl_port_get_dumpit => ports::dump;
        trunk_nl_table_get_dumpit => table::dump;
        trunk_nl_stats_get_dumpit => stats::dump;
        trunk_nl_history_get_dumpit => events::dump;
        trunk_nl_claim_get_dumpit => claims::dump;
        trunk_nl_missing_get_dumpit => missing::dump;
    }
}

/// Bytes that are enough for any message about one trunk, port, bucket or event.
const SIZE: usize = 1280;

/// Adds which trunk a message is about.
fn put_identity(message: &mut Message<'_>, dev: &Device<Trunk>) -> Result {
    message.put_u32(attr::IFINDEX, dev.ifindex())?;
    message.put_str(attr::IFNAME, &dev.current_name())
}

/// Adds the interface index of a port of `trunk` as an attribute of type `kind`, if there is such a
/// port.
fn put_ifindex(
    message: &mut Message<'_>,
    kind: u16,
    trunk: &Trunk,
    port: Option<PortId>,
    rcu: &Rcu,
) -> Result {
    let port = port.and_then(|id| trunk.port(id, rcu));
    message.put_u32(kind, port.map(|port| port.dev.ifindex()))
}

/// Answers `request` with a message about `dev`, of which `fill` writes what follows the trunk's
/// identity.
fn reply(
    request: &mut Request<'_>,
    dev: &Device<Trunk>,
    fill: impl FnOnce(&mut Message<'_>, &Rcu) -> Result,
) -> Result {
    request.reply(SIZE, |message| {
        put_identity(message, dev)?;
        fill(message, &read_lock())
    })
}
