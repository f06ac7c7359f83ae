// SPDX-License-Identifier: GPL-2.0

//! A netlink socket that sends requests and waits for the kernel's answers.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{self, sockopt, RecvFlags, SendFlags};
use rustix::thread::{move_into_link_name_space, LinkNameSpaceType};

use crate::error::{malformed, Error, Result};
use crate::message::{messages, Answer, Request};

/// The kernel fills at most this much of a buffer with a dump, and other answers are short.
const DATAGRAM: usize = 1 << 16;

/// How often a dump is repeated because its data changed meanwhile.
const ATTEMPTS: usize = 16;

/// What the kernel adds to a message in its account of a socket's memory.
const OVERHEAD: usize = 1024;

#[derive(Debug)]
pub(crate) struct Socket {
    inner: netlink_sys::Socket,
    sequence: u32,
    buffer: Vec<u8>,
    /// Bytes that may be sent at once.
    room: usize,
    /// Types and data of messages that answer no request, in the order in which they came.
    pub unasked: Vec<(u16, Vec<u8>)>,
}

impl Socket {
    /// Opens a socket of a protocol such as `NETLINK_ROUTE`, in a network namespace or the
    /// caller's.
    pub fn open(protocol: i32, namespace: Option<&str>) -> Result<Self> {
        let mut inner = match namespace {
            None => netlink_sys::Socket::new(protocol as isize)?,
            Some(name) => within(name, || netlink_sys::Socket::new(protocol as isize))?,
        };
        inner.set_ext_ack(true)?;
        // Refusals do not contain the request, which may be long.
        inner.set_cap_ack(true)?;
        inner.bind_auto()?;
        Ok(Self {
            room: sockopt::socket_send_buffer_size(&inner)?,
            inner,
            sequence: 0,
            buffer: vec![0; DATAGRAM],
            unasked: Vec::new(),
        })
    }

    pub fn inner(&self) -> &netlink_sys::Socket {
        &self.inner
    }

    /// Sends a request and returns what `read` makes of the answers. Repeats a dump during which
    /// the data changed.
    pub fn ask<T>(
        &mut self,
        mut request: Request,
        read: impl Fn(&[u8]) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.reserve(request.bytes.len())?;
        for _ in 0..ATTEMPTS {
            // Messages without a request have 0.
            self.sequence = self.sequence.checked_add(1).unwrap_or(1);
            request.set_sequence(self.sequence);
            self.send(&request.bytes)?;
            if let Some(answers) = self.collect(&request, &read)? {
                return Ok(answers);
            }
        }
        Err(Error::Unstable)
    }

    /// Sends a request whose only answer is an acknowledgement.
    pub fn order(&mut self, request: Request) -> Result<()> {
        self.ask(request, |_| Ok(())).map(|_| ())
    }

    /// Returns the answers to the last request, or `None` if the data changed meanwhile.
    fn collect<T>(
        &mut self,
        request: &Request,
        read: &impl Fn(&[u8]) -> Result<T>,
    ) -> Result<Option<Vec<T>>> {
        let (mut answers, mut failure, mut interrupted) = (Vec::new(), None, false);
        loop {
            let length = self.receive(RecvFlags::empty())?;
            for message in messages(&self.buffer[..length]) {
                let message = message?;
                if message.sequence != self.sequence {
                    match message.answer {
                        Answer::Data(kind, body) if message.sequence == 0 => {
                            self.unasked.push((kind, body.to_vec()));
                        }
                        _ => {} // Of a request that was given up.
                    }
                    continue;
                }
                interrupted |= message.interrupted;
                match message.answer {
                    Answer::Noop => {}
                    // All answers are read, also after an error in one of them.
                    Answer::Data(_, body) => match read(body) {
                        Ok(answer) => answers.push(answer),
                        Err(error) => failure = failure.or(Some(error)),
                    },
                    Answer::End(0, _) => {
                        return match failure {
                            _ if interrupted && request.is_dump() => Ok(None),
                            Some(error) => Err(error),
                            None => Ok(Some(answers)),
                        }
                    }
                    Answer::End(errno, tlvs) => {
                        return Err(Error::Refused(request.refusal(errno, tlvs)))
                    }
                }
            }
        }
    }

    /// Returns the next datagram; waits if there is none. Fails with `ENOBUFS` if messages were
    /// lost, and with `EAGAIN` if there is none and `flags` forbid to wait.
    pub fn datagram(&mut self, flags: RecvFlags) -> Result<&[u8], Errno> {
        let length = self.receive(flags)?;
        Ok(&self.buffer[..length])
    }

    fn receive(&mut self, flags: RecvFlags) -> Result<usize, Errno> {
        loop {
            let got = net::recv(&self.inner, &mut self.buffer[..], flags | RecvFlags::TRUNC);
            match got {
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
                Ok((_, length)) if length > self.buffer.len() => return Err(Errno::MSGSIZE),
                Ok((length, _)) => return Ok(length),
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> Result<()> {
        let sent = loop {
            match net::send(&self.inner, bytes, SendFlags::empty()) {
                Err(Errno::INTR) => {}
                Err(Errno::MSGSIZE) => return Err(Error::TooLong(bytes.len())),
                done => break done?,
            }
        };
        match sent == bytes.len() {
            true => Ok(()),
            false => Err(malformed("a message was sent in part")),
        }
    }

    /// Makes room to send that many bytes, beyond the system's limit if that is permitted. The
    /// kernel doubles what it is told.
    fn reserve(&mut self, length: usize) -> Result<()> {
        let need = length + OVERHEAD;
        if need > self.room {
            sockopt::set_socket_send_buffer_size_force(&self.inner, need)
                .or_else(|_| sockopt::set_socket_send_buffer_size(&self.inner, need))?;
            self.room = sockopt::socket_send_buffer_size(&self.inner)?;
        }
        Ok(())
    }

    /// Makes room for that many bytes of messages that nobody has read yet.
    pub fn reserve_received(&self, length: usize) -> Result<()> {
        sockopt::set_socket_recv_buffer_size_force(&self.inner, length)
            .or_else(|_| sockopt::set_socket_recv_buffer_size(&self.inner, length))?;
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

/// Waits until one of these can be read, or the limit is over; without a limit, without end.
/// Returns whether one can be read.
pub(crate) fn readable(fds: &[BorrowedFd<'_>], limit: Option<Duration>) -> Result<bool> {
    let limit = limit.map(|limit| Timespec {
        tv_sec: limit.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    });
    let mut fds: Vec<_> = fds
        .iter()
        .map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN))
        .collect();
    match poll(&mut fds, limit.as_ref()) {
        Err(Errno::INTR) => Ok(true), // There may be nothing: that is seen when it is read.
        done => Ok(done? > 0),
    }
}

/// Runs `make` in a network namespace, by its name of `ip netns` or a path. The caller's thread
/// stays in its own.
fn within<T: Send>(name: &str, make: impl FnOnce() -> std::io::Result<T> + Send) -> Result<T> {
    let path = match name.contains('/') {
        true => PathBuf::from(name),
        false => Path::new("/run/netns").join(name),
    };
    let enter = || {
        let file = File::open(path)?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
        make()
    };
    let done = std::thread::scope(|scope| scope.spawn(enter).join());
    done.unwrap_or_else(|panic| resume_unwind(panic))
        .map_err(|source| Error::Namespace {
            name: name.to_string(),
            source,
        })
}
