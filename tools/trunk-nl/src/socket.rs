// SPDX-License-Identifier: GPL-2.0

//! A netlink socket that asks the kernel and waits for what it answers.

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

/// The kernel fills at most this much of a buffer when it dumps, and other answers are short.
const DATAGRAM: usize = 1 << 16;

/// How often a dump is begun anew because what it shows changed meanwhile.
const ATTEMPTS: usize = 16;

/// What the kernel adds to a message when it counts what a socket holds.
const OVERHEAD: usize = 1024;

#[derive(Debug)]
pub(crate) struct Socket {
    inner: netlink_sys::Socket,
    sequence: u32,
    buffer: Vec<u8>,
    /// Bytes that may be sent at once.
    room: usize,
    /// Contents of messages that answer no request, in the order in which they came between answers.
    pub unasked: Vec<(u16, Vec<u8>)>,
}

impl Socket {
    /// A socket of a protocol as `NETLINK_ROUTE`, in a network namespace or the caller's.
    pub fn open(protocol: i32, namespace: Option<&str>) -> Result<Self> {
        let mut inner = match namespace {
            None => netlink_sys::Socket::new(protocol as isize)?,
            Some(name) => within(name, || netlink_sys::Socket::new(protocol as isize))?,
        };
        inner.set_ext_ack(true)?;
        // A refused request need not be sent back: it may be long.
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

    /// Sends a request and collects what `read` makes of the answers. A dump that was overtaken by
    /// a change is repeated.
    pub fn ask<T>(
        &mut self,
        mut request: Request,
        read: impl Fn(&[u8]) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.reserve(request.bytes.len())?;
        for _ in 0..ATTEMPTS {
            // 0 is that of what nobody asked for.
            self.sequence = self.sequence.checked_add(1).unwrap_or(1);
            request.set_sequence(self.sequence);
            self.send(&request.bytes)?;
            if let Some(answers) = self.collect(&request, &read)? {
                return Ok(answers);
            }
        }
        Err(Error::Unstable)
    }

    /// Sends a request that is answered by nothing but its acknowledgement.
    pub fn order(&mut self, request: Request) -> Result<()> {
        self.ask(request, |_| Ok(())).map(|_| ())
    }

    /// The answers to the request last sent, or `None` if they do not fit together.
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
                    // The answers are read to their end, whatever one of them says.
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

    /// The messages that are there, or come while this waits. Fails with `ENOBUFS` if some were
    /// lost, and with `EAGAIN` if `flags` forbid to wait.
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

/// Waits until one of these can be read, or a time is over; without one, without end.
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

/// Runs `make` in a network namespace, known by its name to `ip netns` or by a path. The caller's
/// thread stays where it is.
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
