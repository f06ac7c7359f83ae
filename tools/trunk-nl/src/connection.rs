// SPDX-License-Identifier: GPL-2.0

//! The family `trunk`: its operations, as calls.

use crate::attr::Attributes;
use crate::error::{malformed, Error, Result};
use crate::events::Events;
use crate::generic::{contents, Family};
use crate::message::Request;
use crate::names::Set;
use crate::socket::Socket;
use crate::types::{
    Bucket, BucketHome, ClaimState, Event, MissingPort, Port, PortSettings, Statistics, Trunk,
    TrunkSettings,
};
use crate::uapi::{attr, bucket, cmd, port, FAMILY, VERSION};

/// A connection to the trunks of a network namespace. Each call waits for the kernel's answer.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    family: Family,
    namespace: Option<String>,
}

impl Connection {
    /// Connects to a namespace by its name or path, or to the caller's own. Fails with
    /// [`Error::FamilyNotFound`] if the module is not loaded.
    pub fn open(namespace: Option<&str>) -> Result<Self> {
        let mut socket = Socket::open(libc::NETLINK_GENERIC, namespace)?;
        let family = Family::find(&mut socket, FAMILY, VERSION, Set::TRUNK)?;
        Ok(Self {
            socket,
            family,
            namespace: namespace.map(str::to_string),
        })
    }

    /// Returns a trunk, by interface index.
    pub fn trunk_get(&mut self, trunk: u32) -> Result<Trunk> {
        let request = self
            .family
            .once(cmd::TRUNK_GET, |w| w.u32(attr::IFINDEX, trunk));
        only(self.ask(request, Trunk::read)?)
    }

    /// Returns all trunks.
    pub fn trunk_dump(&mut self) -> Result<Vec<Trunk>> {
        let request = self.family.dump(cmd::TRUNK_GET, |_| {});
        self.ask(request, Trunk::read)
    }

    /// Changes settings of a trunk, all or none.
    pub fn trunk_set(&mut self, trunk: u32, settings: &TrunkSettings) -> Result<()> {
        self.socket.order(self.family.once(cmd::TRUNK_SET, |w| {
            w.u32(attr::IFINDEX, trunk);
            settings.write(w);
        }))
    }

    /// Returns a port, by its own interface index.
    pub fn port_get(&mut self, ifindex: u32) -> Result<Port> {
        let request = self.family.once(cmd::PORT_GET, |w| {
            w.nest(attr::PORT, |w| w.u32(port::IFINDEX, ifindex));
        });
        only(self.ask(request, Port::read)?)
    }

    /// Returns the ports of a trunk, or of all trunks.
    pub fn port_dump(&mut self, trunk: Option<u32>) -> Result<Vec<Port>> {
        let request = self.family.dump(cmd::PORT_GET, |w| {
            w.optional_u32(attr::IFINDEX, trunk);
        });
        self.ask(request, Port::read)
    }

    /// Changes settings of a port, all or none.
    pub fn port_set(&mut self, ifindex: u32, settings: &PortSettings) -> Result<()> {
        let request = self
            .family
            .once(cmd::PORT_SET, |w| settings.write(ifindex, w));
        self.socket.order(request)
    }

    /// Has a trunk get a port once there is a device of that name. If that is so already, changes its
    /// settings. Those that are not given are those of a new port.
    pub fn missing_add(&mut self, trunk: u32, name: &str, settings: &PortSettings) -> Result<()> {
        let request = self.family.once(cmd::MISSING_ADD, |w| {
            w.u32(attr::IFINDEX, trunk);
            w.nest(attr::PORT, |w| {
                w.string(port::IFNAME, name);
                settings.write_within(w);
            });
        });
        self.socket.order(request)
    }

    /// Forgets a missing port of a trunk.
    pub fn missing_del(&mut self, trunk: u32, name: &str) -> Result<()> {
        self.socket.order(self.family.once(cmd::MISSING_DEL, |w| {
            w.u32(attr::IFINDEX, trunk);
            w.nest(attr::PORT, |w| w.string(port::IFNAME, name));
        }))
    }

    /// Returns the missing ports of a trunk, or of all trunks.
    pub fn missing_dump(&mut self, trunk: Option<u32>) -> Result<Vec<MissingPort>> {
        let request = self.family.dump(cmd::MISSING_GET, |w| {
            w.optional_u32(attr::IFINDEX, trunk);
        });
        self.ask(request, MissingPort::read)
    }

    /// Gives a port that is held back its buckets; without a port, all such ports of the trunk.
    pub fn failback(&mut self, trunk: u32, ifindex: Option<u32>) -> Result<()> {
        self.socket.order(self.family.once(cmd::FAILBACK, |w| {
            w.u32(attr::IFINDEX, trunk);
            if let Some(ifindex) = ifindex {
                w.nest(attr::PORT, |w| w.u32(port::IFINDEX, ifindex));
            }
        }))
    }

    /// Returns the whole table, by bucket. If it changes meanwhile, this repeats, up to a limit.
    pub fn table_get(&mut self, trunk: u32) -> Result<Vec<Bucket>> {
        let request = self
            .family
            .dump(cmd::TABLE_GET, |w| w.u32(attr::IFINDEX, trunk));
        let parts = self.ask(request, Bucket::read_all)?;
        Ok(parts.concat())
    }

    /// Returns one bucket.
    pub fn bucket_get(&mut self, trunk: u32, index: u32) -> Result<Bucket> {
        let request = self.family.once(cmd::TABLE_GET, |w| {
            w.u32(attr::IFINDEX, trunk);
            w.nest(attr::BUCKET, |w| w.u32(bucket::INDEX, index));
        });
        let parts = self.ask(request, Bucket::read_all)?;
        only(parts.concat())
    }

    /// Sets homes of buckets. With `reset`, all others become automatic. For frames, all of it
    /// happens at once.
    pub fn table_set(&mut self, trunk: u32, reset: bool, homes: &[BucketHome]) -> Result<()> {
        self.socket.order(self.family.once(cmd::TABLE_SET, |w| {
            w.u32(attr::IFINDEX, trunk);
            if reset {
                w.flag(attr::TABLE_AUTO);
            }
            for home in homes {
                home.write(w);
            }
        }))
    }

    /// Returns the counters of a trunk.
    pub fn stats_get(&mut self, trunk: u32) -> Result<Statistics> {
        let request = self
            .family
            .once(cmd::STATS_GET, |w| w.u32(attr::IFINDEX, trunk));
        only(self.ask(request, Statistics::read)?)
    }

    /// Returns the counters of a trunk, or of all; after those of a trunk, those of its ports.
    pub fn stats_dump(&mut self, trunk: Option<u32>) -> Result<Vec<Statistics>> {
        let request = self.family.dump(cmd::STATS_GET, |w| {
            w.optional_u32(attr::IFINDEX, trunk);
        });
        self.ask(request, Statistics::read)
    }

    /// Resets the counters of a trunk to 0.
    pub fn stats_reset(&mut self, trunk: u32) -> Result<()> {
        let request = self
            .family
            .once(cmd::STATS_RESET, |w| w.u32(attr::IFINDEX, trunk));
        self.socket.order(request)
    }

    /// Returns the last events of a trunk, oldest first.
    pub fn history_get(&mut self, trunk: u32) -> Result<Vec<Event>> {
        let request = self
            .family
            .dump(cmd::HISTORY_GET, |w| w.u32(attr::IFINDEX, trunk));
        let parts = self.ask(request, Event::read_all)?;
        Ok(parts.concat())
    }

    /// Returns the claims of a trunk, or of all trunks.
    pub fn claim_dump(&mut self, trunk: Option<u32>) -> Result<Vec<ClaimState>> {
        let request = self.family.dump(cmd::CLAIM_GET, |w| {
            w.optional_u32(attr::IFINDEX, trunk);
        });
        let parts = self.ask(request, ClaimState::read_all)?;
        Ok(parts.concat())
    }

    fn ask<T>(
        &mut self,
        request: Request,
        read: fn(Attributes<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.socket.ask(request, |body| read(contents(body)?))
    }

    /// Subscribes to events of all trunks of the namespace, by a socket of its own.
    pub fn subscribe(&self) -> Result<Events> {
        Events::open(self.namespace.as_deref())
    }
}

/// Returns the only answer to a request.
pub(crate) fn only<T>(answers: Vec<T>) -> Result<T, Error> {
    let mut answers = answers.into_iter();
    match (answers.next(), answers.next()) {
        (Some(answer), None) => Ok(answer),
        (None, _) => Err(malformed("there is none")),
        (Some(_), Some(_)) => Err(malformed("there is more than one")),
    }
}
