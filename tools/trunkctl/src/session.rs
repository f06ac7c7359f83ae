// SPDX-License-Identifier: GPL-2.0

//! Connections to the kernel, made when first needed.

use trunk_nl::{Connection, Error, Link, Links, Port, Result, KIND};

use crate::view::Group;

#[derive(Debug)]
pub struct Session {
    pub links: Links,
    connection: Option<Connection>,
    netns: Option<String>,
}

impl Session {
    /// In a network namespace by name or path, or the caller's.
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

    /// The connection to the family. Not before there is a trunk to be made: that loads the module.
    pub fn connection(&mut self) -> Result<&mut Connection> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.netns())?,
        };
        Ok(self.connection.insert(connection))
    }

    /// Has the next request connect anew: the family may be another one, of a module loaded since.
    pub fn reconnect(&mut self) {
        self.connection = None;
    }

    /// The interface index of a trunk.
    pub fn trunk(&mut self, name: &str) -> Result<u32> {
        Ok(self.links.trunk_by_name(name)?.ifindex)
    }

    /// A port of some trunk.
    pub fn port_link(&mut self, name: &str) -> Result<Link> {
        let link = self.links.by_name(name)?;
        match link.port_kind.as_deref() {
            Some(KIND) => Ok(link),
            _ => Err(Error::NotAPort(name.to_string())),
        }
    }

    /// The name of a device, or of one that has gone its number.
    pub fn device_name(&mut self, ifindex: u32) -> String {
        let link = self.links.by_index(ifindex);
        link.map_or_else(|_| format!("if{ifindex}"), |link| link.ifname)
    }

    /// A trunk by name, or all, with their ports in the order of their ids.
    pub fn groups(&mut self, name: Option<&str>) -> Result<Vec<Group>> {
        let links = match name {
            Some(name) => vec![self.links.trunk_by_name(name)?],
            None => self.links.trunks()?,
        };
        let connection = self.connection()?;
        let (trunks, mut ports) = match &links[..] {
            [link] => {
                let trunk = connection.trunk_get(link.ifindex)?;
                (vec![trunk], connection.port_dump(Some(link.ifindex))?)
            }
            _ => (connection.trunk_dump()?, connection.port_dump(None)?),
        };
        ports.sort_by_key(|port| port.id);
        let of = |ifindex| -> Vec<Port> {
            let ports = ports.iter().filter(|port| port.trunk == ifindex);
            ports.cloned().collect()
        };
        // One that was made or deleted meanwhile is in one list only.
        let group = |trunk: trunk_nl::Trunk| {
            let link = links.iter().find(|link| link.ifindex == trunk.ifindex)?;
            Some(Group {
                link: link.clone(),
                ports: of(trunk.ifindex),
                trunk,
            })
        };
        Ok(trunks.into_iter().filter_map(group).collect())
    }
}
