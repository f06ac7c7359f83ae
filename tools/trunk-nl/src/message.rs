// SPDX-License-Identifier: GPL-2.0

//! Netlink messages: requests and answers.

use std::num::NonZeroI32;

use netlink_packet_core::{
    parse_u32, DoneBuffer, ErrorBuffer, NetlinkBuffer, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable, Parseable, NLA_HEADER_SIZE, NLMSG_DONE, NLMSG_ERROR,
    NLMSG_NOOP, NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP, NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
};
use netlink_packet_generic::ctrl::nlas::NlPolicyTypeAttrs;

use crate::attr::{located, Attr, Attributes, Typed};
use crate::error::{malformed, Refusal, Result};
use crate::names::Set;

/// Bytes of a netlink header.
pub(crate) const HEADER: usize = 16;

/// Attributes of a refusal, from enum nlmsgerr_attrs. netlink-packet-core leaves them as bytes.
const ERROR_MESSAGE: u16 = 1;
const ERROR_OFFSET: u16 = 2;
const ERROR_POLICY: u16 = 4;
const ERROR_MISSING: u16 = 5;
const ERROR_MISSING_NEST: u16 = 6;

/// A message to the kernel, complete but for its sequence number.
#[derive(Debug)]
pub(crate) struct Request {
    pub bytes: Vec<u8>,
    /// Bytes before the attributes.
    start: usize,
    /// Names of the attributes.
    set: Set,
}

impl Request {
    /// Returns a request that is answered by one message or none, then an acknowledgement. `extra`:
    /// further flags.
    pub fn once(message: impl NetlinkSerializable, extra: u16) -> Self {
        Self::new(message, NLM_F_ACK | extra)
    }

    /// Returns a request that is answered by many messages.
    pub fn dump(message: impl NetlinkSerializable) -> Self {
        Self::new(message, NLM_F_DUMP)
    }

    fn new(message: impl NetlinkSerializable, flags: u16) -> Self {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        Self {
            start: bytes.len(),
            bytes,
            set: Set::NONE,
        }
    }

    /// Sets the names of attributes for refusals: `set`, after a header of that length.
    pub fn named(mut self, header: usize, set: Set) -> Self {
        (self.start, self.set) = (HEADER + header, set);
        self
    }

    pub fn is_dump(&self) -> bool {
        NetlinkBuffer::new(&self.bytes).flags() & NLM_F_DUMP == NLM_F_DUMP
    }

    pub fn set_sequence(&mut self, sequence: u32) {
        NetlinkBuffer::new(&mut self.bytes).set_sequence_number(sequence);
    }

    /// Returns the refusal of this request. `errno` is positive; `tlvs` follow it in the answer.
    pub fn refusal(&self, errno: i32, tlvs: &[u8]) -> Refusal {
        let mut refusal = Refusal {
            errno,
            ..Default::default()
        };
        let (mut missing, mut nest) = (None, None);
        // Attributes that are cut off are ignored: the errno counts.
        for attribute in Attributes::new(tlvs).map_while(Result::ok) {
            match attribute.kind() {
                ERROR_MESSAGE => refusal.message = Some(attribute.string()),
                ERROR_OFFSET => {
                    if let Some((path, found)) = attribute.u32().ok().and_then(|at| self.at(at)) {
                        refusal.attribute = Some(path);
                        refusal.value = found.uint().ok();
                    }
                }
                ERROR_POLICY => refusal.range = range(attribute),
                ERROR_MISSING => missing = attribute.u32().ok(),
                ERROR_MISSING_NEST => nest = attribute.u32().ok(),
                _ => {}
            }
        }
        refusal.missing = missing.map(|kind| self.missing(kind as u16, nest));
        refusal
    }

    /// Returns the dotted name of a missing attribute, in the nest at an offset.
    fn missing(&self, kind: u16, nest: Option<u32>) -> String {
        match nest.and_then(|at| self.at(at)) {
            Some((outer, found)) => {
                let set = self.set.nested(found.kind()).unwrap_or(Set::NONE);
                format!("{outer}.{}", set.name(kind))
            }
            None => self.set.name(kind),
        }
    }

    /// Returns the attribute at an offset from the start of the message, and its dotted name.
    fn at(&self, offset: u32) -> Option<(String, Attr<'_>)> {
        let offset = (offset as usize).checked_sub(self.start)?;
        at(self.set, &self.bytes[self.start..], offset)
    }
}

/// Returns the attribute at an offset, and its dotted name in a set.
fn at(set: Set, all: &[u8], offset: usize) -> Option<(String, Attr<'_>)> {
    let (start, found) = located(all)
        .take_while(|(start, _)| *start <= offset)
        .last()?;
    let name = set.name(found.kind());
    if start == offset {
        return Some((name, found));
    }
    let begin = start + NLA_HEADER_SIZE;
    let inner = all.get(begin..start + usize::from(found.length()))?;
    let (path, found) = at(set.nested(found.kind())?, inner, offset.checked_sub(begin)?)?;
    Some((format!("{name}.{path}"), found))
}

/// Returns the range of an unsigned integer in a policy.
fn range(policy: Attr<'_>) -> Option<(u64, u64)> {
    let (mut min, mut max) = (None, None);
    for attribute in policy.nest().map_while(Result::ok) {
        // An attribute that netlink-packet-generic does not know is skipped.
        match NlPolicyTypeAttrs::parse(&attribute) {
            Ok(NlPolicyTypeAttrs::MinValueUnsigned(value)) => min = Some(value),
            Ok(NlPolicyTypeAttrs::MaxValueUnsigned(value)) => max = Some(value),
            _ => {}
        }
    }
    min.zip(max)
}

/// The content of a message from the kernel.
#[derive(Debug)]
pub(crate) enum Answer<'a> {
    /// Data of a type.
    Data(u16, &'a [u8]),
    /// The end of a request: an errno, or 0 for success, and attributes that explain it.
    End(i32, &'a [u8]),
    /// Nothing.
    Noop,
}

/// A message from the kernel.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub sequence: u32,
    /// The dumped data changed meanwhile.
    pub interrupted: bool,
    pub answer: Answer<'a>,
}

/// Returns the messages of a datagram, up to the first one that is malformed.
pub(crate) fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>>> {
    std::iter::from_fn(move || {
        let all = std::mem::take(&mut datagram);
        let next = || {
            let first = NetlinkBuffer::new_checked(all)?;
            let length = (first.length() as usize).next_multiple_of(4);
            let message = read(&first)?;
            datagram = all.get(length..).unwrap_or_default();
            Ok(message)
        };
        (!all.is_empty()).then(next)
    })
}

// NetlinkMessage fails at data that its crate does not understand, and copies them.
fn read<'a>(message: &NetlinkBuffer<&'a [u8]>) -> Result<Message<'a>> {
    let (flags, body) = (message.flags(), message.payload());
    let explained = |tlvs: Option<&'a [u8]>| match flags & NLM_F_ACK_TLVS {
        0 => &[],
        _ => tlvs.unwrap_or_default(),
    };
    let answer = match message.message_type() {
        NLMSG_NOOP => Answer::Noop,
        NLMSG_ERROR => {
            let error = ErrorBuffer::new_checked(body)?;
            let (code, sent) = (error.code(), error.payload());
            // The header of the request and, unless capped, the rest of it.
            let length = match code.is_none() || flags & NLM_F_CAPPED != 0 {
                true => HEADER,
                false => parse_u32(sent.get(..4).unwrap_or_default())? as usize,
            };
            let tlvs = sent.get(length.next_multiple_of(4)..);
            Answer::End(errno(code.map_or(0, NonZeroI32::get))?, explained(tlvs))
        }
        NLMSG_DONE if body.is_empty() => Answer::End(0, &[]),
        NLMSG_DONE => {
            let done = DoneBuffer::new_checked(body)?;
            Answer::End(errno(done.code())?, explained(Some(done.extended_ack())))
        }
        kind => Answer::Data(kind, body),
    };
    Ok(Message {
        sequence: message.sequence_number(),
        interrupted: flags & NLM_F_DUMP_INTR != 0,
        answer,
    })
}

/// Returns the positive errno of a code.
fn errno(code: i32) -> Result<i32> {
    let errno = code.checked_neg();
    errno.ok_or_else(|| malformed(format!("{code} is no error's number")))
}
