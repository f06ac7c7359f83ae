// SPDX-License-Identifier: GPL-2.0

//! Generic netlink families whose operations are Rust functions.
//!
//! The family itself, its policies and its table of operations are in C, as they are generated from
//! the family's specification. [`genl_family!`](crate::genl_family) gives each of its operations a
//! function. What a function is handed has been validated by the policy.
//!
//! C header: [`include/net/genetlink.h`](srctree/include/net/genetlink.h)

use crate::{
    net::Net,
    netlink::ExtAck, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull,
    slice,
    sync::atomic::{AtomicBool, Ordering}, //
};
use kernel::{
    error::{from_result, to_result},
    prelude::*,
    types::Opaque, //
};
use netdev_bindings::{self as bindings, helpers};

pub use crate::netlink::{
    Attribute,
    Attributes,
    Message, //
};

/// For [`genl_family!`](crate::genl_family) alone.
#[doc(hidden)]
pub mod raw {
    pub use kernel::ffi::c_int;
    pub use netdev_bindings::{genl_family, genl_info, netlink_callback, sk_buff};
}

/// Declares a family, and the functions of its operations.
///
/// The first name is that of the static, and the second that of the `struct genl_family` in C. Then
/// come the names of the callbacks that C knows, and what they call:
/// `fn(&mut `[`Request`]`<'_>) -> Result` for `doit` and `fn(&mut `[`Dump`]`<'_>) -> Result` for
/// `dumpit`.
///
/// ```ignore
/// netdev::genl_family! {
///     /// The family `sample`.
///     pub(crate) static FAMILY: sample_nl_family;
///     doit { sample_nl_item_get_doit => item_get; }
///     dumpit { sample_nl_item_get_dumpit => item_dump; }
/// }
/// ```
#[macro_export]
macro_rules! genl_family {
    (
        $(#[$meta:meta])*
        $vis:vis static $name:ident: $family:ident;
        doit { $($doit:ident => $do_handler:path;)* }
        dumpit { $($dumpit:ident => $dump_handler:path;)* }
    ) => {
        $(#[$meta])*
        $vis static $name: $crate::genl::Family = {
            extern "C" {
                static mut $family: $crate::genl::raw::genl_family;
            }
            // SAFETY: A family of this module's C part, which only the core changes.
            unsafe { $crate::genl::Family::from_raw(&raw mut $family) }
        };

        $(
            #[no_mangle]
            unsafe extern "C" fn $doit(
                _skb: *mut $crate::genl::raw::sk_buff,
                info: *mut $crate::genl::raw::genl_info,
            ) -> $crate::genl::raw::c_int {
                // SAFETY: Only the core calls this, for a request.
                unsafe { $crate::genl::doit(info, $do_handler) }
            }
        )*

        $(
            #[no_mangle]
            unsafe extern "C" fn $dumpit(
                skb: *mut $crate::genl::raw::sk_buff,
                cb: *mut $crate::genl::raw::netlink_callback,
            ) -> $crate::genl::raw::c_int {
                // SAFETY: Only the core calls this, for a part of a dump.
                unsafe { $crate::genl::dumpit(skb, cb, $dump_handler) }
            }
        )*
    };
}

/// A family. One static of each, made by [`genl_family!`](crate::genl_family).
///
/// # Invariants
///
/// The pointer is that of a static `genl_family`, changed only by the core.
pub struct Family {
    raw: *mut bindings::genl_family,
    registered: AtomicBool,
}

// SAFETY: The core changes it under a lock of its own. What is read here is either constant, or not
// changed while it is registered.
unsafe impl Sync for Family {}

impl Family {
    /// For [`genl_family!`](crate::genl_family) alone.
    ///
    /// # Safety
    ///
    /// `raw` must point to a static `genl_family` that only the core changes.
    #[doc(hidden)]
    pub const unsafe fn from_raw(raw: *mut bindings::genl_family) -> Self {
        // INVARIANT: By the safety requirement.
        Self {
            raw,
            registered: AtomicBool::new(false),
        }
    }

    /// The operation `cmd` as it is done for a single thing (`doit`).
    pub(crate) fn operation(&self, cmd: u8) -> Option<&'static bindings::genl_split_ops> {
        // SAFETY: Valid and constant, by the type invariant, and so are the operations it names.
        let operations = unsafe {
            let family = &*self.raw;
            if family.split_ops.is_null() {
                return None;
            }
            slice::from_raw_parts(family.split_ops, family.n_split_ops.into())
        };
        let doit = bindings::GENL_CMD_CAP_DO as u8;
        operations
            .iter()
            .find(|operation| operation.cmd == cmd && operation.flags & doit != 0)
    }

    /// Is the group, by its place in the family's table, one that can be sent to?
    fn has_group(&self, group: u32) -> bool {
        // SAFETY: Valid and constant, by the type invariant.
        let groups = unsafe { (*self.raw).n_mcgrps };
        self.registered.load(Ordering::Relaxed) && group < u32::from(groups)
    }

    /// Does anyone in the namespace listen to the group, by its place in the family's table?
    pub fn has_listeners(&self, net: &Net, group: u32) -> bool {
        if !self.has_group(group) {
            return false;
        }
        // SAFETY: The family and the namespace are valid, and there is such a group.
        unsafe { helpers::genl_has_listeners(self.raw, net.as_ptr(), group) > 0 }
    }

    /// Tells those in the namespace who listen to the group a message of `size` octets at most,
    /// which `fill` writes unless nobody listens. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `fill`; `ENOMEM`; `ENOBUFS` if a listener has no room for it, and knows that.
    pub fn multicast(
        &self,
        net: &Net,
        group: u32,
        size: usize,
        cmd: u8,
        fill: impl FnOnce(&mut Message<'_>) -> Result,
    ) -> Result {
        if !self.has_listeners(net, group) {
            return Ok(());
        }
        let skb = Skb::new(size)?;
        // SAFETY: The skb is ours, and the family is valid.
        unsafe { write_message(skb.0, 0, 0, self.raw, 0, cmd, fill, |_| ()) }?;
        // SAFETY: The skb is handed over; family and namespace are valid, and there is the group.
        let sent = to_result(unsafe {
            helpers::genlmsg_multicast_netns(
                self.raw,
                net.as_ptr(),
                skb.into_raw(),
                0,
                group,
                bindings::GFP_KERNEL,
            )
        });
        match sent {
            // The last listener has left.
            Err(err) if err == ESRCH => Ok(()),
            sent => sent,
        }
    }

    /// Tells a single socket of the namespace, that of a former [`Request::port_id`], a message of
    /// `size` octets at most, which `fill` writes. May sleep, but does not wait for the receiver.
    ///
    /// # Errors
    ///
    /// Those of `fill`; `ENOMEM`; `ECONNREFUSED` if there is no such socket any more; `EAGAIN` if it
    /// has no room for the message, which its owner is told of by `ENOBUFS`; `EINVAL` if the family
    /// is not registered.
    pub fn unicast(
        &self,
        net: &Net,
        port_id: u32,
        size: usize,
        cmd: u8,
        fill: impl FnOnce(&mut Message<'_>) -> Result,
    ) -> Result {
        if !self.registered.load(Ordering::Relaxed) {
            return Err(EINVAL);
        }
        let skb = Skb::new(size)?;
        // SAFETY: The skb is ours, and the family is valid.
        unsafe { write_message(skb.0, 0, 0, self.raw, 0, cmd, fill, |_| ()) }?;
        // SAFETY: The skb is handed over; the namespace is valid, and has its sockets.
        to_result(unsafe { helpers::genlmsg_unicast(net.as_ptr(), skb.into_raw(), port_id) })
    }
}

/// A registered family; dropping it ends that, and waits for requests at work.
///
/// # Invariants
///
/// The family is registered while an instance exists.
pub struct Registration(&'static Family);

impl Registration {
    /// Registers the family.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is a family of this name; `EINVAL` if it has a header of its own, which
    /// [`Request`] knows nothing of; `ENOMEM`.
    pub fn new(family: &'static Family) -> Result<Self> {
        // SAFETY: Valid and constant, by the type invariant of `Family`.
        if unsafe { (*family.raw).hdrsize } != 0 {
            return Err(EINVAL);
        }
        // SAFETY: A static family. The core refuses one that is registered already.
        to_result(unsafe { bindings::genl_register_family(family.raw) })?;
        family.registered.store(true, Ordering::Relaxed);
        // INVARIANT: Just registered.
        Ok(Self(family))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.0.registered.store(false, Ordering::Relaxed);
        // SAFETY: Registered, by the type invariant. It fails only for one that is not.
        unsafe { bindings::genl_unregister_family(self.0.raw) };
    }
}

/// An skb for a message that is not sent yet.
struct Skb(NonNull<bindings::sk_buff>);

impl Skb {
    /// Room for a message of `size` octets behind its headers, or somewhat more.
    fn new(size: usize) -> Result<Self> {
        // Lengths in an skb are of 32 bits, and headers and alignment are added to this.
        if size > i32::MAX as usize / 2 {
            return Err(EMSGSIZE);
        }
        // SAFETY: An FFI call without requirements but that the context may sleep.
        let skb = unsafe { helpers::genlmsg_new(size, bindings::GFP_KERNEL) };
        Ok(Self(NonNull::new(skb).ok_or(ENOMEM)?))
    }

    fn into_raw(self) -> *mut bindings::sk_buff {
        ManuallyDrop::new(self).0.as_ptr()
    }
}

impl Drop for Skb {
    fn drop(&mut self) {
        // SAFETY: The skb is ours.
        unsafe { helpers::nlmsg_free(self.0.as_ptr()) };
    }
}

/// Adds a message to `skb`: headers, and what `fill` writes. `finish` gets a pointer to what comes
/// after the headers. If `fill` fails, nothing stays.
///
/// # Safety
///
/// `skb` must be valid, with nobody else using it, and `family` must be valid.
#[expect(clippy::too_many_arguments)] // As many as a message has parts.
unsafe fn write_message(
    skb: NonNull<bindings::sk_buff>,
    portid: u32,
    seq: u32,
    family: *const bindings::genl_family,
    flags: u32,
    cmd: u8,
    fill: impl FnOnce(&mut Message<'_>) -> Result,
    finish: impl FnOnce(*mut c_void),
) -> Result {
    let raw = skb.as_ptr();
    // SAFETY: By the safety requirement.
    let start = unsafe { bindings::genlmsg_put(raw, portid, seq, family, flags as c_int, cmd) };
    if start.is_null() {
        return Err(EMSGSIZE);
    }
    // SAFETY: By the safety requirement; a message was begun.
    fill(&mut unsafe { Message::from_raw(skb) })
        // SAFETY: `start` is from `genlmsg_put` above; `fill` can only add to what is there.
        .inspect_err(|_| unsafe { helpers::genlmsg_cancel(raw, start) })?;
    finish(start);
    // SAFETY: As above.
    unsafe { helpers::genlmsg_end(raw, start) };
    Ok(())
}

/// The attributes of the request that `info` is about.
///
/// # Safety
///
/// `info` must be that of a request, which stays valid for all of `'a`.
unsafe fn attributes_of<'a>(info: *const bindings::genl_info) -> Attributes<'a> {
    const HEADERS_LEN: usize = size_of::<bindings::nlmsghdr>() + size_of::<bindings::genlmsghdr>();

    // SAFETY: By the safety requirement. The core has checked that the length in the header is
    // right, and that there are both headers.
    let message = unsafe {
        let header = (*info).nlhdr;
        slice::from_raw_parts(header.cast::<u8>(), (*header).nlmsg_len as usize)
    };
    Attributes::new(message.get(HEADERS_LEN..).unwrap_or(&[]))
}

/// A request that is answered at once (`doit`).
///
/// # Invariants
///
/// The pointer is that of a request being handled, valid for `'a`.
pub struct Request<'a> {
    info: *mut bindings::genl_info,
    extack: ExtAck<'a>,
    _info: PhantomData<&'a ()>,
}

impl<'a> Request<'a> {
    /// Its attributes. The policy has them all right, but says of none that it must be there.
    pub fn attributes(&self) -> Attributes<'a> {
        // SAFETY: By the type invariant.
        unsafe { attributes_of(self.info) }
    }

    /// The namespace of the sender.
    pub fn net(&self) -> &'a Net {
        // SAFETY: By the type invariant; the sender's socket keeps its namespace.
        unsafe { Net::from_raw(helpers::genl_info_net(self.info)) }
    }

    /// The sender's socket: a number that no other has in its namespace while it is open. Whoever
    /// keeps it learns of the end by a [`SocketWatch`].
    pub fn port_id(&self) -> u32 {
        // SAFETY: By the type invariant.
        unsafe { (*self.info).snd_portid }
    }

    /// Where a refusal gives its reason.
    pub fn extack(&mut self) -> &mut ExtAck<'a> {
        &mut self.extack
    }

    /// Answers with a message of `size` octets at most, which `fill` writes.
    ///
    /// # Errors
    ///
    /// Those of `fill`; `ENOMEM`; what else keeps the answer from its receiver.
    pub fn reply(&mut self, size: usize, fill: impl FnOnce(&mut Message<'_>) -> Result) -> Result {
        let skb = Skb::new(size)?;
        // SAFETY: By the type invariant; the skb is ours.
        unsafe {
            let info = &*self.info;
            write_message(
                skb.0,
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

    /// The attributes of the request, as [`Request::attributes`].
    pub fn attributes(&self) -> Attributes<'a> {
        // SAFETY: By the type invariant.
        unsafe { attributes_of(self.info()) }
    }

    /// The namespace of the sender.
    pub fn net(&self) -> &'a Net {
        // SAFETY: By the type invariant; the sender's socket keeps its namespace.
        unsafe { Net::from_raw(helpers::genl_info_net(self.info())) }
    }

    /// Where a refusal gives its reason.
    pub fn extack(&mut self) -> &mut ExtAck<'a> {
        &mut self.extack
    }

    /// Where the dump is, in the handler's own terms. All 0 at first, then as the last call left it.
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

    /// Says which state of the world the messages from here on show: a number, not 0, that changes
    /// with it. The receiver is told if it changes in the course of the dump.
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

/// Learns which sockets are closed, for what belongs to a socket and ends with it.
pub trait SocketsClosed {
    /// The generic netlink socket with that [`Request::port_id`] is gone, and all of its requests
    /// have been answered. Its number is free: there may be another socket with it already.
    ///
    /// In process context, where sleeping is allowed, and without RTNL.
    fn closed(net: &Net, port_id: u32);
}

/// Calls a [`SocketsClosed`] for as long as it exists. Dropping it waits for calls at work; so a
/// lock that they take must not be held then.
///
/// # Invariants
///
/// The block is registered while an instance exists.
#[pin_data(PinnedDrop)]
pub struct SocketWatch<W: SocketsClosed> {
    #[pin]
    block: Opaque<bindings::notifier_block>,
    _watch: PhantomData<W>,
}

// SAFETY: Any thread may unregister the block.
unsafe impl<W: SocketsClosed> Send for SocketWatch<W> {}

// SAFETY: A shared reference offers nothing.
unsafe impl<W: SocketsClosed> Sync for SocketWatch<W> {}

impl<W: SocketsClosed> SocketWatch<W> {
    /// Begins to watch the sockets of all namespaces.
    ///
    /// # Errors
    ///
    /// What the chain of notifiers says against it.
    pub fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            block <- Opaque::try_ffi_init(|slot: *mut bindings::notifier_block| {
                let block = bindings::notifier_block {
                    notifier_call: Some(socket_event::<W>),
                    ..pin_init::zeroed()
                };
                // SAFETY: `slot` is valid for writes.
                unsafe { slot.write(block) };
                // SAFETY: The block is initialised, pinned, and unregistered before it is dropped.
                to_result(unsafe { bindings::netlink_register_notifier(slot) })
            }),
            _watch: PhantomData,
        })
    }
}

#[pinned_drop]
impl<W: SocketsClosed> PinnedDrop for SocketWatch<W> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type invariant. The call cannot fail then.
        unsafe { bindings::netlink_unregister_notifier(self.block.get()) };
    }
}

/// # Safety
///
/// For `netlink_register_notifier` alone: `notify` is a valid `netlink_notify`.
unsafe extern "C" fn socket_event<W: SocketsClosed>(
    _block: *mut bindings::notifier_block,
    event: c_ulong,
    notify: *mut c_void,
) -> c_int {
    // SAFETY: By the safety requirement.
    let notify = unsafe { &*notify.cast::<bindings::netlink_notify>() };
    if event == bindings::NETLINK_URELEASE as c_ulong
        && notify.protocol == bindings::NETLINK_GENERIC as c_int
    {
        // SAFETY: The socket is not freed before this returns, and keeps its namespace.
        W::closed(unsafe { Net::from_raw(notify.net) }, notify.portid);
    }
    bindings::NOTIFY_DONE as c_int
}

/// Has `handler` answer a request.
///
/// # Safety
///
/// `info` must be that of a request that the core has validated.
#[doc(hidden)]
pub unsafe fn doit(
    info: *mut bindings::genl_info,
    handler: impl FnOnce(&mut Request<'_>) -> Result,
) -> c_int {
    // SAFETY: By the safety requirement: valid until this returns, and used by nobody else.
    let extack = unsafe { ExtAck::from_raw((*info).extack) };
    // INVARIANT: As above.
    let mut request = Request {
        info,
        extack,
        _info: PhantomData,
    };
    from_result(|| handler(&mut request).map(|()| 0))
}

/// Has `handler` continue a dump.
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
        // SAFETY: By the safety requirement: valid until this returns, and used by nobody else.
        let extack = unsafe { ExtAck::from_raw((*cb).extack) };
        // INVARIANT: As above.
        let mut dump = Dump {
            skb: NonNull::new(skb).ok_or(EINVAL)?,
            cb,
            extack,
            _cb: PhantomData,
        };
        handler(&mut dump).map(|()| 0)
    })
}

#[kunit_tests(netdev_genl)]
mod tests {
    use super::*;

    /// A message in `skb`, as the core would finish it.
    fn write(skb: &Skb, fill: impl FnOnce(&mut Message<'_>) -> Result) -> Result {
        let family = bindings::genl_family::default();
        // SAFETY: The skb is the test's own, and of a family its id and version only are read.
        unsafe { write_message(skb.0, 5, 6, &family, 0, 9, fill, |_| ()) }
    }

    /// All that is in `skb`.
    fn octets(skb: &Skb) -> &[u8] {
        // SAFETY: The skb is the test's own, with that many octets.
        unsafe {
            let raw = skb.0.as_ref();
            slice::from_raw_parts(raw.data, raw.len as usize)
        }
    }

    /// The attributes of the only message in `skb`, read as those of a request are.
    fn attributes(skb: &Skb) -> Attributes<'_> {
        let info = bindings::genl_info {
            nlhdr: octets(skb).as_ptr().cast(),
            ..pin_init::zeroed()
        };
        // SAFETY: The header is that of the message, which lives as long as the skb.
        unsafe { attributes_of(&info) }
    }

    #[test]
    fn what_is_written_is_read() -> Result {
        let skb = Skb::new(256)?;
        write(&skb, |m| {
            m.put_u32(1, 7)?;
            m.put_uint(2, 1 << 40)?;
            m.put_uint(3, 8)?;
            m.put_str(4, c"eth0")?;
            m.put_flag(5)?;
            m.nest(6, |m| {
                m.put_u32(1, 10)?;
                m.nest(2, |m| m.put_u32(1, 11))
            })
        })?;
        let attrs = attributes(&skb);
        assert_eq!(attrs.iter().count(), 6);
        assert_eq!(attrs.get(1).and_then(Attribute::to_u32), Some(7));
        assert_eq!(attrs.get(2).and_then(Attribute::to_uint), Some(1 << 40));
        assert_eq!(attrs.get(3).and_then(Attribute::to_u32), Some(8));
        assert!(attrs.get(4).and_then(Attribute::to_cstr) == Some(c"eth0"));
        assert!(attrs.get(5).is_some_and(|attr| attr.payload().is_empty()));
        let nest = attrs.get(6).ok_or(EINVAL)?.nest();
        assert_eq!(nest.get(1).and_then(Attribute::to_u32), Some(10));
        let inner = nest.get(2).and_then(|attr| attr.nest().get(1));
        assert_eq!(inner.and_then(Attribute::to_u32), Some(11));
        Ok(())
    }

    #[test]
    fn what_fails_leaves_nothing() -> Result {
        let skb = Skb::new(256)?;
        let failed = write(&skb, |m| {
            m.put_u32(1, 7)?;
            m.nest(2, |m| {
                m.put_u32(1, 7)?;
                Err(EPERM)
            })
        });
        assert!(failed == Err(EPERM));
        assert!(octets(&skb).is_empty());

        write(&skb, |m| {
            m.put_u32(1, 7)?;
            let failed = m.nest(2, |m| {
                m.put_u32(1, 7)?;
                m.nest(2, |_| Err(EPERM))
            });
            assert!(failed == Err(EPERM));
            m.put_u32(3, 8)
        })?;
        assert!(attributes(&skb).iter().map(Attribute::kind).eq([1, 3]));
        Ok(())
    }

    #[test]
    fn a_list_that_does_not_fit_is_taken_back_as_a_whole() -> Result {
        let skb = Skb::new(256)?;
        let mut fitting = 0usize;
        write(&skb, |m| {
            while m.try_nest(2, |m| {
                m.put_u32(1, 7)?;
                m.put_u32(2, 8)
            })? {
                fitting = fitting.saturating_add(1);
            }
            Ok(())
        })?;
        assert!(fitting >= 256 / 20);
        let attrs = attributes(&skb);
        assert_eq!(attrs.iter().count(), fitting);
        assert!(attrs.iter().all(|nest| nest.nest().iter().count() == 2));

        // Other errors are not taken for that.
        let skb = Skb::new(256)?;
        let failed = write(&skb, |m| m.try_nest(2, |_| Err(EPERM)).map(|_| ()));
        assert!(failed == Err(EPERM));
        // A message that does not fit leaves those before it as they are.
        let skb = Skb::new(256)?;
        let mut whole = 0usize;
        while write(&skb, |m| m.put(1, &[0; 12])).is_ok() {
            whole = whole.saturating_add(16 + 4 + 16);
        }
        assert_eq!(octets(&skb).len(), whole);
        Ok(())
    }

    #[test]
    fn an_attribute_is_no_longer_than_its_length_can_say() -> Result {
        let skb = Skb::new(1 << 18)?;
        write(&skb, |m| {
            let mut count = 0u32;
            let failed = m.nest(2, |m| {
                while count < 1 << 13 {
                    m.put_u32(1, 7)?;
                    count = count.saturating_add(1);
                }
                Ok(())
            });
            // 8 octets each, and the room of the skb is not the reason.
            assert!(failed == Err(EMSGSIZE));
            assert_eq!(count, 1 << 13);

            let payload = KVVec::from_elem(0u8, 0x1_0000, GFP_KERNEL)?;
            let longest = payload.get(..0xffff - 4).ok_or(EINVAL)?;
            for len in [0xffff - 3, 0xffff, 0x1_0000] {
                let longer = payload.get(..len).ok_or(EINVAL)?;
                assert!(m.put(3, longer) == Err(EMSGSIZE));
            }
            m.put(4, longest)
        })?;
        assert!(attributes(&skb).iter().map(Attribute::kind).eq([4]));
        Ok(())
    }

    #[test]
    fn a_socket_that_is_not_there_refuses() {
        let mut family = bindings::genl_family::default();
        // SAFETY: Not static, but it outlives its use here.
        let family = unsafe { Family::from_raw(&mut family) };
        // As if it were, for what asks no more of it.
        family.registered.store(true, Ordering::Relaxed);
        // SAFETY: The first namespace is there as long as the kernel.
        let net = unsafe { Net::from_raw((&raw mut kernel::bindings::init_net).cast()) };
        let mut written = false;
        let sent = family.unicast(net, 0x7fff_fff1, 64, 1, |m| {
            written = true;
            m.put_u32(1, 7)
        });
        assert!(written);
        assert!(sent == Err(ECONNREFUSED));
        assert!(family.unicast(net, 1, 64, 1, |_| Err(EPERM)) == Err(EPERM));
    }

    #[test]
    fn a_family_that_is_not_registered_reaches_nobody() {
        let mut family = bindings::genl_family {
            n_mcgrps: 1,
            ..pin_init::zeroed()
        };
        // SAFETY: Not static, but it outlives its use here.
        let family = unsafe { Family::from_raw(&mut family) };
        // SAFETY: The first namespace is there as long as the kernel.
        let net = unsafe { Net::from_raw((&raw mut kernel::bindings::init_net).cast()) };
        assert!(!family.has_listeners(net, 0));
        let mut asked = false;
        let sent = family.multicast(net, 0, 64, 1, |_| {
            asked = true;
            Ok(())
        });
        assert!(sent == Ok(()));
        assert!(!asked);
        assert!(family.unicast(net, 1, 64, 1, |_| Ok(())) == Err(EINVAL));
    }
}
