// SPDX-License-Identifier: GPL-2.0

//! Requests to a family, and the answers to them.

use super::{
    deferred::Deferred,
    message::{attributes_of, write_message, Skb},
    socket::SocketId, //
};
use crate::{
    net::Net,
    netlink::{
        Attributes,
        ExtAck,
        Message, //
    },
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::{from_result, to_result},
    prelude::*, //
};
use netdev_bindings::{self as bindings, helpers};

/// A request that is answered at once (`doit`).
///
/// # Invariants
///
/// The pointers are those of a request being handled, valid for `'a`; `socket` is that of its sender,
/// which is not closed meanwhile.
pub struct Request<'a> {
    skb: NonNull<bindings::sk_buff>,
    /// The answer has been deferred.
    deferred: bool,
    socket: NonNull<bindings::sock>,
    info: *mut bindings::genl_info,
    extack: ExtAck<'a>,
    _info: PhantomData<&'a ()>,
}

impl<'a> Request<'a> {
    /// Returns its attributes. The policy has checked them. It requires none.
    pub fn attributes(&self) -> Attributes<'a> {
        // SAFETY: By the type invariant.
        unsafe { attributes_of(self.info) }
    }

    /// Returns the namespace of the sender.
    pub fn net(&self) -> &'a Net {
        // SAFETY: By the type invariant; the sender's socket keeps its namespace.
        unsafe { Net::from_raw(helpers::genl_info_net(self.info)) }
    }

    /// Returns the sender's socket, for what belongs to it and ends with it. From here on, a
    /// [`SocketWatch`](super::SocketWatch) reports the end of it.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENODEV` if there is no [`SocketWatch`](super::SocketWatch).
    pub fn socket(&self) -> Result<SocketId> {
        // SAFETY: By the type invariant.
        unsafe { SocketId::of(self.socket, (*self.info).snd_portid) }
    }

    /// Returns where a refusal gives its reason.
    pub fn extack(&mut self) -> &mut ExtAck<'a> {
        &mut self.extack
    }

    /// Defers the answer: unless the handler returns an error, nothing is answered when it returns.
    ///
    /// # Errors
    ///
    /// `ENONET` if the sender's namespace is about to end; `EINVAL`.
    pub fn defer(&mut self) -> Result<Deferred> {
        let net = self.net().hold().ok_or(ENONET)?;
        // SAFETY: By the type invariant.
        let deferred = unsafe { Deferred::new(self.skb, self.info, self.socket, net) }?;
        self.deferred = true;
        Ok(deferred)
    }

    /// Answers with a message of at most `size` bytes, which `fill` writes.
    ///
    /// # Errors
    ///
    /// Those of `fill`; `ENOMEM`; those of sending.
    pub fn reply(&mut self, size: usize, fill: impl FnOnce(&mut Message<'_>) -> Result) -> Result {
        let skb = Skb::new(size)?;
        // SAFETY: By the type invariant; the skb is ours.
        unsafe {
            let info = &*self.info;
            write_message(
                skb.raw(),
                info.snd_portid,
                info.snd_seq,
                info.family,
                0,
                (*info.genlhdr).cmd,
                fill,
                |_| (),
            )
        }?;
        // SAFETY: By the type invariant; the skb is handed over.
        to_result(unsafe { helpers::genlmsg_reply(skb.into_raw(), self.info) })
    }
}

/// A part of an answer that consists of many messages (`dumpit`).
///
/// The handler adds messages from [`Dump::position`] on. When one does not fit, the error is
/// `EMSGSIZE`: the handler returns it, after noting where it was, and is called again once the
/// receiver has taken what there is. `Ok(())` says that all has been added; it is not called again.
///
/// # Invariants
///
/// The pointers are those of a dump being made, valid for `'a`.
pub struct Dump<'a> {
    skb: NonNull<bindings::sk_buff>,
    cb: *mut bindings::netlink_callback,
    extack: ExtAck<'a>,
    _cb: PhantomData<&'a ()>,
}

impl<'a> Dump<'a> {
    fn info(&self) -> *const bindings::genl_info {
        // SAFETY: By the type invariant.
        unsafe { helpers::genl_info_dump(self.cb) }
    }

    /// Returns the attributes of the request, as [`Request::attributes`] does.
    pub fn attributes(&self) -> Attributes<'a> {
        // SAFETY: By the type invariant.
        unsafe { attributes_of(self.info()) }
    }

    /// Returns the namespace of the sender.
    pub fn net(&self) -> &'a Net {
        // SAFETY: By the type invariant; the sender's socket keeps its namespace.
        unsafe { Net::from_raw(helpers::genl_info_net(self.info())) }
    }

    /// Returns where a refusal gives its reason.
    pub fn extack(&mut self) -> &mut ExtAck<'a> {
        &mut self.extack
    }

    /// Returns where the dump is, in the handler's own terms. All 0 at first, then as the last call left
    /// it.
    pub fn position(&mut self) -> &mut [u64; 4] {
        const {
            assert!(size_of::<bindings::netlink_callback__bindgen_ty_1>() >= size_of::<[u64; 4]>());
            assert!(
                align_of::<bindings::netlink_callback__bindgen_ty_1>() >= align_of::<[u64; 4]>()
            );
        }
        // SAFETY: By the type invariant; the place is the handler's own, zeroed before the first
        // call, large enough and aligned.
        unsafe { &mut *(&raw mut (*self.cb).__bindgen_anon_1).cast() }
    }

    /// Sets the number of the state that the messages from here on show. It is not 0, and changes with
    /// the state. If it changes in the course of the dump, the receiver gets `NLM_F_DUMP_INTR`.
    pub fn consistent(&mut self, state: u32) {
        // SAFETY: By the type invariant.
        unsafe { (*self.cb).seq = state };
    }

    /// Adds a message, which `fill` writes.
    ///
    /// # Errors
    ///
    /// Those of `fill`, and `EMSGSIZE` if there is no room. Nothing of it stays then.
    pub fn message(&mut self, fill: impl FnOnce(&mut Message<'_>) -> Result) -> Result {
        // SAFETY: By the type invariant. What is consistent is checked of a message in the skb.
        unsafe {
            let info = &*self.info();
            write_message(
                self.skb,
                info.snd_portid,
                info.snd_seq,
                info.family,
                bindings::NLM_F_MULTI,
                (*info.genlhdr).cmd,
                fill,
                |start| helpers::genl_dump_check_consistent(self.cb, start),
            )
        }
    }
}

/// Calls `handler` to answer a request.
///
/// # Safety
///
/// `skb` and `info` must be those of a request that the core has validated.
#[doc(hidden)]
pub unsafe fn doit(
    skb: *mut bindings::sk_buff,
    info: *mut bindings::genl_info,
    handler: impl FnOnce(&mut Request<'_>) -> Result,
) -> c_int {
    // SAFETY: By the safety requirement: valid until this returns, and not used otherwise.
    let extack = unsafe { ExtAck::from_raw((*info).extack) };
    // SAFETY: The skb is a message of netlink, which says who has sent it.
    let socket = unsafe { helpers::NETLINK_CB_sk(skb) };
    from_result(|| {
        // INVARIANT: By the safety requirement. The sender is in `sendmsg()` until this returns, with
        // its socket.
        let mut request = Request {
            skb: NonNull::new(skb).ok_or(EINVAL)?,
            deferred: false,
            socket: NonNull::new(socket).ok_or(EINVAL)?,
            info,
            extack,
            _info: PhantomData,
        };
        handler(&mut request)?;
        match request.deferred {
            // The core takes this for a dump that has begun, and acknowledges nothing.
            true => Err(EINTR),
            false => Ok(0),
        }
    })
}

/// Calls `handler` to continue a dump.
///
/// The core takes 0 for the end, and an error of `EMSGSIZE` for a reason to continue if messages
/// were added.
///
/// # Safety
///
/// `skb` and `cb` must be those of a dump whose request the core has validated.
#[doc(hidden)]
pub unsafe fn dumpit(
    skb: *mut bindings::sk_buff,
    cb: *mut bindings::netlink_callback,
    handler: impl FnOnce(&mut Dump<'_>) -> Result,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirement: valid until this returns, and not used otherwise.
        let extack = unsafe { ExtAck::from_raw((*cb).extack) };
        // INVARIANT: By the safety requirement.
        let mut dump = Dump {
            skb: NonNull::new(skb).ok_or(EINVAL)?,
            cb,
            extack,
            _cb: PhantomData,
        };
        handler(&mut dump).map(|()| 0)
    })
}
