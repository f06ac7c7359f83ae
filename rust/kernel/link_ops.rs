// SPDX-License-Identifier: GPL-2.0

//! Link operations: how `ip link add NAME type KIND` makes a device.
//!
//! C header: [`include/net/rtnetlink.h`](srctree/include/net/rtnetlink.h)

use crate::{
    addr::MacAddr,
    driver::{Adapter, Driver},
    netlink::ExtAck, //
};
use core::marker::PhantomData;
use kernel::{
    error::{from_result, to_result},
    prelude::*,
    types::Opaque, //
};
use netdev_bindings::{self as bindings, helpers};

/// The kind of device that the driver `T` makes. One `static` of each driver, which is also what
/// its devices are recognised by.
///
/// # Invariants
///
/// Describes how devices with a `T` in their private area are made, and only they.
pub struct LinkOps<T: Driver> {
    ops: Opaque<bindings::rtnl_link_ops>,
    _driver: PhantomData<T>,
}

// SAFETY: After construction only the core changes it, and does so under locks of its own.
unsafe impl<T: Driver> Sync for LinkOps<T> {}

impl<T: Driver> LinkOps<T> {
    /// The link operations of `T`.
    #[expect(clippy::new_without_default)]
    pub const fn new() -> Self {
        // The private area of a device begins at a cache line.
        assert!(align_of::<T>() <= align_of::<bindings::net_device>());

        // INVARIANT: Size, set-up and destruction are those of `T`.
        Self {
            ops: Opaque::new(bindings::rtnl_link_ops {
                kind: kernel::str::as_char_ptr_in_const_context(T::KIND).cast(),
                priv_size: size_of::<T>(),
                setup: Some(Adapter::<T>::setup),
                validate: Some(validate),
                ..pin_init::zeroed()
            }),
            _driver: PhantomData,
        }
    }

    pub(crate) fn as_ptr(&self) -> *mut bindings::rtnl_link_ops {
        self.ops.get()
    }
}

/// A registered kind of device. Dropping it removes all devices of the kind, in every network
/// namespace, and waits for the end of all who use them.
///
/// # Invariants
///
/// The link operations of `T` are registered while an instance exists.
pub struct Registration<T: Driver>(PhantomData<T>);

impl<T: Driver> Registration<T> {
    /// Registers the kind.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is a kind of this name.
    pub fn new() -> Result<Self> {
        // SAFETY: A static that is fully set up.
        to_result(unsafe { bindings::rtnl_link_register(T::link_ops().as_ptr()) })?;
        // INVARIANT: Just registered.
        Ok(Self(PhantomData))
    }
}

impl<T: Driver> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: Registered, by the type invariant.
        unsafe { bindings::rtnl_link_unregister(T::link_ops().as_ptr()) };
    }
}

/// Checks what the user wants of a new device: its MAC address.
///
/// # Safety
///
/// For `rtnl_link_ops` alone: `tb` is the table of a link message's attributes.
unsafe extern "C" fn validate(
    tb: *mut *mut bindings::nlattr,
    _data: *mut *mut bindings::nlattr,
    extack: *mut bindings::netlink_ext_ack,
) -> c_int {
    // SAFETY: By the contract of the callback.
    let mut extack = unsafe { ExtAck::from_raw(extack) };
    // SAFETY: By the safety requirement.
    let address = unsafe { *tb.add(bindings::IFLA_ADDRESS as usize) };
    if address.is_null() {
        return 0;
    }
    from_result(|| {
        // SAFETY: A valid attribute.
        let len = unsafe { helpers::nla_len(address) };
        if len != bindings::ETH_ALEN as c_int {
            return Err(extack.refuse(EINVAL, c"address: a MAC address has 6 octets"));
        }
        // SAFETY: The attribute has six octets.
        let mac = MacAddr::new(unsafe { helpers::nla_data(address).cast::<[u8; 6]>().read() });
        if !mac.is_valid_station() {
            return Err(extack.refuse(
                EADDRNOTAVAIL,
                c"address: a group address, or all zeroes, is not an address of a device",
            ));
        }
        Ok(0)
    })
}
