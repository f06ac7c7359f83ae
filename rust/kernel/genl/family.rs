// SPDX-License-Identifier: GPL-2.0

//! Families, and the messages that they send without a request.

use super::message::{write_message, Skb};
use crate::{
    net::Net,
    netlink::Message, //
};
use core::{
    slice,
    sync::atomic::{AtomicBool, Ordering}, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};
use netdev_bindings::{self as bindings, helpers};

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

    /// Returns the operation `cmd` as it is done for a single object (`doit`).
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

    /// Returns whether the group of that place in the family's table can be sent to.
    fn has_group(&self, group: u32) -> bool {
        // SAFETY: Valid and constant, by the type invariant.
        let groups = unsafe { (*self.raw).n_mcgrps };
        self.registered.load(Ordering::Relaxed) && group < u32::from(groups)
    }

    /// Returns whether a socket in the namespace listens to the group of that place in the family's
    /// table.
    pub fn has_listeners(&self, net: &Net, group: u32) -> bool {
        if !self.has_group(group) {
            return false;
        }
        // SAFETY: The family and the namespace are valid, and there is such a group.
        unsafe { helpers::genl_has_listeners(self.raw, net.as_ptr(), group) > 0 }
    }

    /// Sends a message of at most `size` bytes to the sockets in the namespace that listen to the group.
    /// `fill` writes it, unless none listens. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `fill`; `ENOMEM`; `ENOBUFS` if a listener has no room for it: the listener gets that
    /// error, too.
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
        unsafe { write_message(skb.raw(), 0, 0, self.raw, 0, cmd, fill, |_| ()) }?;
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

    /// Sends a message of at most `size` bytes, which `fill` writes, to the socket of the namespace that
    /// has this [`port_id`](super::SocketId::port_id). May sleep, but does not wait for the receiver.
    ///
    /// # Errors
    ///
    /// Those of `fill`; `ENOMEM`; `ECONNREFUSED` if there is no such socket any more; `EAGAIN` if it
    /// has no room for the message: its owner gets `ENOBUFS`; `EINVAL` if the family is not registered.
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
        unsafe { write_message(skb.raw(), 0, 0, self.raw, 0, cmd, fill, |_| ()) }?;
        // SAFETY: The skb is handed over; the namespace is valid, and has its sockets.
        to_result(unsafe { helpers::genlmsg_unicast(net.as_ptr(), skb.into_raw(), port_id) })
    }
}

/// A registered family. Dropping it unregisters the family, and waits for running requests.
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

#[kunit_tests(netdev_genl_family)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_is_not_there_refuses() {
        let mut family = bindings::genl_family::default();
        // SAFETY: Not static, but it outlives its use here.
        let family = unsafe { Family::from_raw(&mut family) };
        // As if it were registered.
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
