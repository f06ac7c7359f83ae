// SPDX-License-Identifier: GPL-2.0

//! Events as they happen.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::RecvFlags;

use crate::error::Result;
use crate::generic::{contents, Family};
use crate::message::{messages, Answer};
use crate::names::Set;
use crate::socket::{readable, Socket};
use crate::types::{Event, Port, Trunk};
use crate::uapi::{EventKind, FAMILY, MCGRP_EVENTS, VERSION};

/// How much the kernel may queue for a busy listener, in bytes.
const BACKLOG: usize = 4 << 20;

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notification {
    /// An event.
    Event {
        /// The event.
        event: Box<Event>,
        /// For a change of configuration: the trunk's settings after it.
        trunk: Option<Box<Trunk>>,
        /// For a change of configuration of a port: the port's settings.
        port: Option<Box<Port>>,
    },
    /// Events were lost: read the state of trunks again.
    Lost {
        /// The trunk, by interface index, and the number of events, if known.
        known: Option<(u32, u64)>,
    },
}

/// A subscription to the events of a network namespace. Iteration waits for the next one, and does
/// not end.
#[derive(Debug)]
pub struct Events {
    socket: Socket,
    family: Family,
    queue: Queue,
}

impl Events {
    pub(crate) fn open(namespace: Option<&str>) -> Result<Self> {
        let mut socket = Socket::open(libc::NETLINK_GENERIC, namespace)?;
        let family = Family::find(&mut socket, FAMILY, VERSION, Set::TRUNK)?;
        socket.reserve_received(BACKLOG)?;
        socket.inner().add_membership(family.group(MCGRP_EVENTS)?)?;
        Ok(Self {
            socket,
            family,
            queue: Queue::default(),
        })
    }

    /// Returns the next notification, or `None` if there is none within the limit; without a limit,
    /// waits.
    pub fn next_within(&mut self, limit: Option<Duration>) -> Result<Option<Notification>> {
        loop {
            if let Some(notification) = self.queue.waiting.pop_front() {
                return Ok(Some(notification));
            }
            if !readable(&[self.socket.as_fd()], limit)? {
                return Ok(None);
            }
            match self.socket.datagram(RecvFlags::DONTWAIT) {
                Ok(datagram) => self.queue.take(datagram, &self.family)?,
                Err(Errno::NOBUFS) => self.overrun()?,
                Err(Errno::AGAIN) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Empties the socket after a loss, and reports the loss. Until the socket is empty, the kernel
    /// drops events without notice.
    fn overrun(&mut self) -> Result<()> {
        for _ in 0..BACKLOG {
            match self.socket.datagram(RecvFlags::DONTWAIT) {
                Ok(datagram) => self.queue.take(datagram, &self.family)?,
                Err(Errno::NOBUFS) => {}
                Err(Errno::AGAIN) => break,
                Err(errno) => return Err(errno.into()),
            }
        }
        self.queue.lost();
        Ok(())
    }
}

impl Iterator for Events {
    type Item = Result<Notification>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_within(None).transpose()
    }
}

/// A descriptor to poll for reading.
impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Received events, and the last number of each trunk.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub waiting: VecDeque<Notification>,
    /// By the trunk's interface index.
    last: HashMap<u32, u64>,
}

impl Queue {
    fn take(&mut self, datagram: &[u8], family: &Family) -> Result<()> {
        for message in messages(datagram) {
            if let Answer::Data(kind, body) = message?.answer {
                if family.owns(kind) {
                    self.add(body)?;
                }
            }
        }
        Ok(())
    }

    /// Adds the event in the body of a message.
    pub fn add(&mut self, body: &[u8]) -> Result<()> {
        let attributes = contents(body)?;
        for event in Event::read_all(attributes)? {
            let last = self.last.insert(event.trunk, event.seq);
            let gap = last.map_or(0, |last| event.seq.saturating_sub(last + 1));
            if gap > 0 {
                self.waiting.push_back(Notification::Lost {
                    known: Some((event.trunk, gap)),
                });
            }
            let (mut trunk, mut port) = (None, None);
            if event.kind == EventKind::Config {
                trunk = Trunk::read(attributes).ok().map(Box::new);
                port = Port::read(attributes).ok().map(Box::new);
            }
            let event = Box::new(event);
            self.waiting
                .push_back(Notification::Event { event, trunk, port });
        }
        Ok(())
    }

    /// Records that the kernel had no room for some events.
    pub fn lost(&mut self) {
        // The caller reads everything again, so the gap need not be reported too.
        self.last.clear();
        self.waiting.push_back(Notification::Lost { known: None });
    }
}
