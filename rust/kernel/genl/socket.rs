// SPDX-License-Identifier: GPL-2.0

//! The sockets that requests come from, for what belongs to a socket and ends with it.
//!
//! A socket is known by its port id. Another socket may have the same port id as soon as the first one
//! is closed, before notifiers are called for that. So a reference to each socket that something belongs
//! to is kept here, with a number. When the notifier is called for a port id, the sockets that had it
//! and are closed are reported by their numbers. The kernel's own way is the family's memory per socket
//! (`sock_priv_size`), but modules have no access to it.
//!
//! C header: [`include/linux/netlink.h`](srctree/include/linux/netlink.h)

use crate::net::Net;
use core::{
    marker::PhantomData,
    ptr::NonNull,
    sync::atomic::{AtomicBool, Ordering}, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::global_lock,
    types::Opaque, //
};
use netdev_bindings::{self as bindings, helpers};

/// A socket of generic netlink that a [`Request`](super::Request) has come from. No other socket has
/// the same, before or after.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SocketId {
    port_id: u32,
    number: u64,
}

impl SocketId {
    /// Returns the port id of the socket, for [`Family::unicast`](super::Family::unicast).
    pub fn port_id(&self) -> u32 {
        self.port_id
    }

    /// Returns a number that no other socket has, before or after. It is not 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns the identity of a socket with that port id, whose end will be reported.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENODEV` if there is no [`SocketWatch`].
    ///
    /// # Safety
    ///
    /// `socket` must be a netlink socket that is not closed during the call.
    pub(super) unsafe fn of(socket: NonNull<bindings::sock>, port_id: u32) -> Result<Self> {
        if !WATCHED.load(Ordering::Acquire) {
            return Err(ENODEV);
        }
        let mut sockets = SOCKETS.lock();
        // It may just have ended.
        if !WATCHED.load(Ordering::Relaxed) {
            return Err(ENODEV);
        }
        // SAFETY: By the safety requirement.
        unsafe { sockets.add(socket, port_id) }
    }
}

/// A netlink socket that stays allocated, closed or not.
///
/// # Invariants
///
/// The pointer is that of a netlink socket, a reference to which belongs to this value.
pub(super) struct SocketRef(NonNull<bindings::sock>);

// SAFETY: A reference to a socket may be given up by any thread.
unsafe impl Send for SocketRef {}

impl SocketRef {
    /// Refers to a socket.
    ///
    /// # Safety
    ///
    /// `raw` must be a netlink socket.
    pub(super) unsafe fn new(raw: NonNull<bindings::sock>) -> Self {
        // SAFETY: By the safety requirement.
        unsafe { helpers::sock_hold(raw.as_ptr()) };
        // INVARIANT: The reference just taken.
        Self(raw)
    }

    /// Returns whether the socket has been closed. From then on another may have its port id. Notifiers
    /// are called later.
    pub(super) fn is_closed(&self) -> bool {
        // SAFETY: The socket is allocated, by the type invariant.
        unsafe { helpers::sock_flag(self.0.as_ptr(), bindings::sock_flags_SOCK_DEAD) }
    }

    /// Returns the namespace of the socket, which the socket keeps.
    fn net(&self) -> &Net {
        // SAFETY: The socket is allocated, by the type invariant, and keeps its namespace.
        unsafe { Net::from_raw(helpers::sock_net(self.0.as_ptr())) }
    }
}

impl Drop for SocketRef {
    fn drop(&mut self) {
        // SAFETY: There is a reference to give up, by the type invariant.
        unsafe { helpers::sock_put(self.0.as_ptr()) };
    }
}

/// A socket that something belongs to.
struct Socket {
    socket: SocketRef,
    id: SocketId,
}

/// The sockets that something may belong to.
struct Sockets {
    open: KVec<Socket>,
    /// The number that was given last.
    last: u64,
}

impl Sockets {
    const fn new() -> Self {
        Self {
            open: KVec::new(),
            last: 0,
        }
    }

    /// Adds a socket with that port id, if it is not there yet.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    ///
    /// # Safety
    ///
    /// `raw` must be a netlink socket that is not closed during the call.
    unsafe fn add(&mut self, raw: NonNull<bindings::sock>, port_id: u32) -> Result<SocketId> {
        if let Some(known) = self.open.iter().find(|known| known.socket.0 == raw) {
            return Ok(known.id);
        }
        let number = self.last.wrapping_add(1);
        let id = SocketId { port_id, number };
        // SAFETY: By the safety requirement.
        let socket = unsafe { SocketRef::new(raw) };
        self.open.push(Socket { socket, id }, GFP_KERNEL)?;
        self.last = number;
        Ok(id)
    }

    /// Removes and returns a socket that had that port id and is closed.
    fn take_closed(&mut self, port_id: u32) -> Option<Socket> {
        let closed = |open: &Socket| open.id.port_id == port_id && open.socket.is_closed();
        let index = self.open.iter().position(closed)?;
        self.open.remove(index).ok()
    }
}

global_lock! {
    // SAFETY: `begin` initialises it before it sets `WATCHED`. It is not locked before that.
    unsafe(uninit) static SOCKETS: Mutex<Sockets> = Sockets::new();
}

/// Whether there is a [`SocketWatch`]. Cleared with [`SOCKETS`] locked.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Removes and returns a socket that had that port id and is closed. Nothing is locked when this
/// returns.
fn take_closed(port_id: u32) -> Option<Socket> {
    SOCKETS.lock().take_closed(port_id)
}

/// Gets to know which sockets are closed, for what belongs to a socket and ends with it.
pub trait SocketsClosed {
    /// Called after the socket of that [`Request::socket`](super::Request::socket), in `net`, is closed,
    /// and all of its requests have been handled. There may be another socket with its port id already.
    ///
    /// Called in process context, where sleeping is allowed, and without RTNL.
    fn closed(net: &Net, socket: SocketId);
}

/// Calls a [`SocketsClosed`] for as long as it exists. Dropping it waits for running calls, so a lock
/// that they take must not be held then. There is one in a module at a time.
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
    /// Begins to watch the sockets that requests to this module's families come from.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is one already, and those of the chain of notifiers.
    pub fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            block <- Opaque::try_ffi_init(|slot: *mut bindings::notifier_block| {
                let block = bindings::notifier_block {
                    notifier_call: Some(socket_event::<W>),
                    ..pin_init::zeroed()
                };
                // SAFETY: `slot` is valid for writes.
                unsafe { slot.write(block) };
                begin(slot)
            }),
            _watch: PhantomData,
        })
    }
}

/// Whether there is a [`SocketWatch`], or one is being made or dropped.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Registers a block, and begins to keep sockets.
fn begin(block: *mut bindings::notifier_block) -> Result {
    static INITIALISED: AtomicBool = AtomicBool::new(false);

    if TAKEN.swap(true, Ordering::Acquire) {
        return Err(EEXIST);
    }
    if !INITIALISED.swap(true, Ordering::Relaxed) {
        // SAFETY: Done once: `TAKEN` keeps others out.
        unsafe { SOCKETS.init() };
    }
    WATCHED.store(true, Ordering::Release);
    // SAFETY: `SocketWatch` has initialised and pinned the block, and unregisters it before it is
    // dropped.
    to_result(unsafe { bindings::netlink_register_notifier(block) }).inspect_err(|_| end())
}

/// Drops all sockets.
fn end() {
    let mut sockets = SOCKETS.lock();
    WATCHED.store(false, Ordering::Relaxed);
    let open = core::mem::take(&mut sockets.open);
    drop(sockets);
    drop(open);
    TAKEN.store(false, Ordering::Release);
}

#[pinned_drop]
impl<W: SocketsClosed> PinnedDrop for SocketWatch<W> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type invariant. The call cannot fail then.
        unsafe { bindings::netlink_unregister_notifier(self.block.get()) };
        end();
    }
}

/// # Safety
///
/// For `netlink_register_notifier` alone, once `WATCHED` was set: `notify` is a valid
/// `netlink_notify`.
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
        // A closed socket with this port id may also be one of another namespace. The event for that
        // socket then finds nothing.
        while let Some(Socket { socket, id }) = take_closed(notify.portid) {
            W::closed(socket.net(), id);
        }
    }
    bindings::NOTIFY_DONE as c_int
}

#[kunit_tests(netdev_genl_socket)]
mod tests {
    use super::*;

    const PORT_ID: u32 = 0x7fff_ff11;

    /// A socket of generic netlink, open for as long as it exists.
    struct Open(*mut bindings::socket);

    impl Open {
        /// Opens a socket with this port id.
        fn new(port_id: u32) -> Result<Self> {
            let mut socket = core::ptr::null_mut();
            // SAFETY: The first namespace is there as long as the kernel, and there is room for the
            // pointer.
            to_result(unsafe {
                bindings::sock_create_kern(
                    (&raw mut kernel::bindings::init_net).cast(),
                    bindings::AF_NETLINK as c_int,
                    bindings::sock_type_SOCK_RAW as c_int,
                    bindings::NETLINK_GENERIC as c_int,
                    &mut socket,
                )
            })?;
            let socket = Self(socket);
            let mut address = bindings::sockaddr_nl {
                nl_family: bindings::AF_NETLINK as u16,
                nl_pid: port_id,
                ..pin_init::zeroed()
            };
            let len = size_of_val(&address) as c_int;
            // SAFETY: The socket is open, and the address as long as it says.
            to_result(unsafe { bindings::kernel_bind(socket.0, (&raw mut address).cast(), len) })?;
            Ok(socket)
        }

        fn sock(&self) -> Result<NonNull<bindings::sock>> {
            // SAFETY: The socket is open.
            NonNull::new(unsafe { (*self.0).sk }).ok_or(EINVAL)
        }
    }

    impl Drop for Open {
        fn drop(&mut self) {
            // SAFETY: The socket is open, and nobody uses it any more.
            unsafe { bindings::sock_release(self.0) };
        }
    }

    #[test]
    fn a_socket_is_not_taken_for_one_that_had_its_port_id() -> Result {
        let mut sockets = Sockets::new();
        let first = Open::new(PORT_ID)?;
        // SAFETY: The socket is open.
        let id = unsafe { sockets.add(first.sock()?, PORT_ID) }?;
        // SAFETY: The socket is open.
        assert!(unsafe { sockets.add(first.sock()?, PORT_ID) }? == id);
        assert_eq!(id.port_id(), PORT_ID);
        assert!(sockets.take_closed(PORT_ID).is_none());

        // Another socket is faster than the notifier.
        drop(first);
        let second = Open::new(PORT_ID)?;
        // SAFETY: The socket is open.
        let other = unsafe { sockets.add(second.sock()?, PORT_ID) }?;
        assert!(other != id && other.port_id() == PORT_ID);
        assert!(sockets.take_closed(PORT_ID.wrapping_add(1)).is_none());
        assert!(sockets.take_closed(PORT_ID).map(|socket| socket.id) == Some(id));
        assert!(sockets.take_closed(PORT_ID).is_none());

        drop(second);
        assert!(sockets.take_closed(PORT_ID).map(|socket| socket.id) == Some(other));
        assert!(sockets.open.is_empty());
        Ok(())
    }
}
