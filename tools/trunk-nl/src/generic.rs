// SPDX-License-Identifier: GPL-2.0

//! Generic netlink: families by name.

use netlink_packet_core::{Emitable, NetlinkSerializable, Parseable};
use netlink_packet_generic::constants::{CTRL_ATTR_FAMILY_ID, CTRL_ATTR_MCAST_GROUPS, GENL_HDRLEN};
use netlink_packet_generic::ctrl::nlas::{GenlCtrlAttrs, McastGrpAttrs};
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_generic::{GenlHeader, GenlMessage};

use crate::attr::{Attributes, Writer};
use crate::error::{malformed, Error, Result};
use crate::message::Request;
use crate::names::Set;
use crate::socket::Socket;

/// A family of the kernel.
#[derive(Debug)]
pub(crate) struct Family {
    id: u16,
    version: u8,
    set: Set,
    groups: Vec<Vec<McastGrpAttrs>>,
}

impl Family {
    /// Asks the kernel for a family. `set` has the names of its attributes.
    pub fn find(socket: &mut Socket, name: &str, version: u8, set: Set) -> Result<Self> {
        let message = GenlMessage::from_payload(GenlCtrl {
            cmd: GenlCtrlCmd::GetFamily,
            nlas: vec![GenlCtrlAttrs::FamilyName(name.to_string())],
        });
        let answers = socket.ask(Request::once(message, 0), |body| {
            Self::read(body, version, set)
        });
        match answers {
            Err(Error::Refused(refusal)) if refusal.errno == libc::ENOENT => {
                Err(Error::FamilyNotFound(name.to_string()))
            }
            Err(error) => Err(error),
            Ok(answers) => answers
                .into_iter()
                .next()
                .ok_or_else(|| Error::FamilyNotFound(name.to_string())),
        }
    }

    // GenlCtrl fails at an attribute that it does not know, and panics at a policy that is cut off.
    pub fn read(body: &[u8], version: u8, set: Set) -> Result<Self> {
        let (mut id, mut groups) = (None, Vec::new());
        for attribute in contents(body)? {
            let attribute = attribute?;
            if !matches!(
                attribute.kind(),
                CTRL_ATTR_FAMILY_ID | CTRL_ATTR_MCAST_GROUPS
            ) {
                continue;
            }
            match GenlCtrlAttrs::parse(&attribute)? {
                GenlCtrlAttrs::FamilyId(number) => id = Some(number),
                GenlCtrlAttrs::McastGroups(all) => groups = all,
                _ => {}
            }
        }
        Ok(Self {
            id: id.ok_or_else(|| malformed("a family without a number"))?,
            version,
            set,
            groups,
        })
    }

    /// Returns the number of a multicast group.
    pub fn group(&self, name: &str) -> Result<u32> {
        let wanted = McastGrpAttrs::Name(name.to_string());
        let found = self.groups.iter().find(|group| group.contains(&wanted));
        found
            .and_then(|group| {
                group.iter().find_map(|attribute| match attribute {
                    McastGrpAttrs::Id(id) => Some(*id),
                    McastGrpAttrs::Name(_) => None,
                })
            })
            .ok_or_else(|| malformed(format!("there is no multicast group {name}")))
    }

    /// Returns whether that is the type of this family's messages.
    pub fn owns(&self, kind: u16) -> bool {
        kind == self.id
    }

    pub fn once(&self, command: u8, fill: impl FnOnce(&mut Writer)) -> Request {
        Request::once(self.call(command, fill), 0).named(GENL_HDRLEN, self.set)
    }

    pub fn dump(&self, command: u8, fill: impl FnOnce(&mut Writer)) -> Request {
        Request::dump(self.call(command, fill)).named(GENL_HDRLEN, self.set)
    }

    fn call(&self, command: u8, fill: impl FnOnce(&mut Writer)) -> Call {
        let mut attributes = Writer::default();
        fill(&mut attributes);
        Call {
            family: self.id,
            header: GenlHeader {
                cmd: command,
                version: self.version,
            },
            attributes,
        }
    }
}

/// A command to a family. GenlMessage takes a family's name and version from a type.
struct Call {
    family: u16,
    header: GenlHeader,
    attributes: Writer,
}

impl NetlinkSerializable for Call {
    fn message_type(&self) -> u16 {
        self.family
    }

    fn buffer_len(&self) -> usize {
        GENL_HDRLEN + self.attributes.buffer_len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        self.header.emit(buffer);
        self.attributes.emit(&mut buffer[GENL_HDRLEN..]);
    }
}

/// Returns the attributes of a message's body.
pub(crate) fn contents(body: &[u8]) -> Result<Attributes<'_>> {
    body.get(GENL_HDRLEN..)
        .map(Attributes::new)
        .ok_or_else(|| malformed("a message without its header"))
}
