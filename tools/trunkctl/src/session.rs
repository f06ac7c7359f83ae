// SPDX-License-Identifier: GPL-2.0

//! Connections to the kernel, which are opened when first needed.

use trunk_nl::{Connection, Error, Link, Links, Port, Result, KIND};

use crate::view::Group;

#[derive(Debug)]
pub struct Session {
    pub links: Links,
    connection: Option<Connection>,
    netns: Option<String>,
}

impl Session {
    /// Opens a session in a network namespace, by its name or path, or in the caller's.
    pub fn open(netns: Option<&str>) -> Result<Self> {
        Ok(Self {
            links: Links::open(netns)?,
            connection: None,
            netns: netns.map(str::to_string),
        })
    }

    pub fn netns(&self) -> Option<&str> {
        self.netns.as_deref()
    }

    /// Returns the connection to the family, which needs the module: making a trunk loads that.
    pub fn connection(&mut self) -> Result<&mut Connection> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.netns())?,
        };
        Ok(self.connection.insert(connection))
    }

    /// Closes the connection: the module may have been loaded again, with another number of the
    /// family.
    pub fn reconnect(&mut self) {
        self.connection = None;
    }

    /// Returns the interface index of a trunk.
    pub fn trunk(&mut self, name: &str) -> Result<u32> {
        Ok(self.links.trunk_by_name(name)?.ifindex)
    }

    /// Returns a device that is a port of a trunk.
    pub fn port_link(&mut self, name: &str) -> Result<Link> {
        let link = self.links.by_name(name)?;
        match link.port_kind.as_deref() {
            Some(KIND) => Ok(link),
            _ => Err(Error::NotAPort(name.to_string())),
        }
    }

    /// Returns the name of a device, or its number if it has gone.
    pub fn device_name(&mut self, ifindex: u32) -> String {
        let link = self.links.by_index(ifindex);
        link.map_or_else(|_| format!("if{ifindex}"), |link| link.ifname)
    }

    /// Returns a trunk by name, or all, with their ports in the order of their ids.
    pub fn groups(&mut self, name: Option<&str>) -> Result<Vec<Group>> {
        let links = match name {
            Some(name) => vec![self.links.trunk_by_name(name)?],
            None => self.links.trunks()?,
        };
        let connection = self.connection()?;
        let (only, trunks) = match &links[..] {
            [link] => (
                Some(link.ifindex),
                vec![connection.trunk_get(link.ifindex)?],
            ),
            _ => (None, connection.trunk_dump()?),
        };
        let mut ports = connection.port_dump(only)?;
        let missing = connection.missing_dump(only)?;
        ports.sort_by_key(|port| port.id);
        let of = |ifindex| -> Vec<Port> {
            let ports = ports.iter().filter(|port| port.trunk == ifindex);
            ports.cloned().collect()
        };
        // A trunk that was made or deleted meanwhile is in only one of the lists.
        let group = |trunk: trunk_nl::Trunk| {
            let link = links.iter().find(|link| link.ifindex == trunk.ifindex)?;
            Some(Group {
                link: link.clone(),
                ports: of(trunk.ifindex),
                missing: missing
                    .iter()
                    .filter(|port| port.trunk == trunk.ifindex)
                    .cloned()
                    .collect(),
                trunk,
            })
        };
        Ok(trunks.into_iter().filter_map(group).collect())
    }
}
