// SPDX-License-Identifier: GPL-2.0

//! Requests that are answered later.
//!
//! The core holds a lock while a request is handled, and registrations of families wait for that lock.
//! So a handler must not wait for anything that takes time. It defers the answer instead: the core sends
//! no acknowledgement then, as for a dump that has begun, and [`Deferred::finish`] sends it.
//!
//! C header: [`include/linux/netlink.h`](srctree/include/linux/netlink.h)

use super::{
    message::{attributes_of_message, write_message, Skb},
    socket::SocketRef, //
};
use crate::{
    net::HeldNet,
    netlink::{
        Attributes,
        ExtAck,
        Message, //
    },
};
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    prelude::*, //
};
use netdev_bindings::{self as bindings, helpers};

/// A request whose answer has been deferred. Dropping it answers nothing.
///
/// # Invariants
///
/// - `skb` holds a request of generic netlink, and a reference to it belongs to this value.
/// - `header` is that of the request, in `skb`.
/// - `socket` is the sender's.
/// - `family` is the family that the request is for.
/// - `net` is the sender's namespace. It keeps the kernel's socket, which owns `skb`.
pub struct Deferred {
    skb: NonNull<bindings::sk_buff>,
    header: NonNull<bindings::nlmsghdr>,
    socket: SocketRef,
    family: *const bindings::genl_family,
    net: HeldNet,
}

// SAFETY: A reference to an skb may be given up by any thread, nobody else changes the message, and the
// family is not changed while it is registered.
unsafe impl Send for Deferred {}

impl Deferred {
    /// Refers to a request.
    ///
    /// # Safety
    ///
    /// `skb` and `info` must be those of a request being handled, `socket` that of its sender.
    pub(super) unsafe fn new(
        skb: NonNull<bindings::sk_buff>,
        info: *mut bindings::genl_info,
        socket: NonNull<bindings::sock>,
        net: HeldNet,
    ) -> Result<Self> {
        // SAFETY: By the safety requirement, valid.
        let (header, family) = unsafe { ((*info).nlhdr, (*info).family) };
        let header = NonNull::new(header.cast_mut()).ok_or(EINVAL)?;
        // SAFETY: By the safety requirement, valid.
        unsafe { helpers::skb_get(skb.as_ptr()) };
        // SAFETY: By the safety requirement, a netlink socket.
        let socket = unsafe { SocketRef::new(socket) };
        // INVARIANT: The references just taken. The message stays where it is in the skb: the core
        // only moves the beginning of its data on.
        Ok(Self {
            skb,
            header,
            socket,
            family,
            net,
        })
    }

    fn header(&self) -> &bindings::nlmsghdr {
        // SAFETY: By the type invariant; nobody changes it.
        unsafe { self.header.as_ref() }
    }

    /// Returns the attributes of the request, as [`Request::attributes`](super::Request::attributes)
    /// does.
    pub fn attributes(&self) -> Attributes<'_> {
        // SAFETY: By the type invariant, a message that the core has checked.
        unsafe { attributes_of_message(self.header.as_ptr()) }
    }

    /// Sends a message of `size` bytes at most, which `fill` writes, as
    /// [`Request::reply`](super::Request::reply) does. [`Deferred::finish`] is to follow.
    ///
    /// # Errors
    ///
    /// Those of `fill`; `ENOMEM`; those of sending.
    pub fn reply(&self, size: usize, fill: impl FnOnce(&mut Message<'_>) -> Result) -> Result {
        let header = self.header();
        // SAFETY: Behind the header of a request to a family is that of generic netlink.
        let cmd = unsafe { (*self.header.as_ptr().add(1).cast::<bindings::genlmsghdr>()).cmd };
        // SAFETY: By the type invariant, the socket is valid.
        let port_id = unsafe { helpers::NETLINK_CB_portid(self.skb.as_ptr()) };
        let skb = Skb::new(size)?;
        // SAFETY: The skb is ours, and the family is valid by the type invariant.
        unsafe {
            write_message(
                skb.raw(),
                port_id,
                header.nlmsg_seq,
                self.family,
                0,
                cmd,
                fill,
                |_| (),
            )
        }?;
        if self.socket.is_closed() {
            return Err(ECONNREFUSED);
        }
        // SAFETY: The skb is handed over; the namespace is kept, and has its sockets.
        to_result(unsafe { helpers::genlmsg_unicast(self.net.as_ptr(), skb.into_raw(), port_id) })
    }

    /// Ends the request with what `answer` returns. A refusal gives its reason by the [`ExtAck`].
    pub fn finish(self, answer: impl FnOnce(Attributes<'_>, &mut ExtAck<'_>) -> Result) {
        let mut raw = bindings::netlink_ext_ack::default();
        let result = {
            // SAFETY: Valid, and not used otherwise until the block ends.
            let mut extack = unsafe { ExtAck::from_raw(&raw mut raw) };
            answer(self.attributes(), &mut extack)
        };
        let wanted = u32::from(self.header().nlmsg_flags) & bindings::NLM_F_ACK != 0;
        let error = result.err().map_or(0, |err| err.to_errno());
        if self.socket.is_closed() || (error == 0 && !wanted) {
            return;
        }
        // SAFETY: By the type invariant: the skb with its header is a request, its sender's socket is
        // kept, and the kernel's socket is, too.
        unsafe {
            bindings::netlink_ack(
                self.skb.as_ptr(),
                self.header.as_ptr(),
                error,
                &raw const raw,
            )
        };
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        // SAFETY: A reference to the skb belongs to this value, by the type invariant.
        unsafe { helpers::consume_skb(self.skb.as_ptr()) };
    }
}
