// SPDX-License-Identifier: GPL-2.0

//! Link operations: how `ip link add NAME type KIND` makes a device.
//!
//! C header: [`include/net/rtnetlink.h`](srctree/include/net/rtnetlink.h)

use crate::{
    adapter::{optional, Adapter},
    addr::MacAddr,
    area::Area,
    device::{Device, NetDevice},
    driver::Driver,
    genl::Family,
    netlink::{
        Attribute,
        Attributes,
        ExtAck,
        Message, //
    },
    notifier,
    rtnl::{self, Rtnl},
    upper::PortsKeepType, //
};
use core::{
    marker::PhantomData,
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

pub use crate::driver::{LinkOps, Settings};

impl<T: Driver> LinkOps<T> {
    /// Makes the link operations of `T`.
    #[expect(clippy::new_without_default)]
    pub const fn new() -> Self {
        // The private area of a device begins at a cache line.
        assert!(align_of::<Area<T>>() <= align_of::<bindings::net_device>());

        // INVARIANT: Size, set-up and destruction are those of `T`.
        Self {
            ops: Opaque::new(bindings::rtnl_link_ops {
                kind: kernel::str::as_char_ptr_in_const_context(T::KIND).cast(),
                priv_size: size_of::<Area<T>>(),
                setup: Some(Adapter::<T>::setup),
                validate: Some(validate),
                newlink: optional(T::HAS_CONFIGURE, newlink::<T>),
                changelink: optional(T::HAS_CONFIGURE, changelink::<T>),
                get_xstats_size: optional(T::HAS_DESCRIBE, description_size::<T>),
                fill_xstats: optional(T::HAS_DESCRIBE, describe::<T>),
                slave_changelink: optional(T::HAS_CONFIGURE_PORT, changelink_port::<T>),
                get_slave_size: optional(T::HAS_DESCRIBE_PORT, port_description_size::<T>),
                fill_slave_info: optional(T::HAS_DESCRIBE_PORT, describe_port::<T>),
                ..pin_init::zeroed()
            }),
            registered: AtomicBool::new(false),
            driver: PhantomData,
        }
    }
}

impl Settings {
    /// Returns the attributes of the operation `cmd`, and their policy.
    pub fn of_operation(family: &'static Family, cmd: u8) -> Option<Self> {
        let operation = family.operation(cmd)?;
        Some(Self {
            policy: operation.policy,
            max: operation.maxattr,
        })
    }

    /// Returns the attributes in the nest `kind` of these, and their policy.
    pub fn within(self, kind: u16) -> Option<Self> {
        if u32::from(kind) > self.max {
            return None;
        }
        // SAFETY: A policy has an entry for each type up to the largest one.
        let entry = unsafe { &*self.policy.add(kind.into()) };
        if u32::from(entry.type_) != bindings::NLA_NESTED {
            return None;
        }
        Some(Self {
            // SAFETY: The entry of a nest has the policy of what is in it.
            policy: unsafe { entry.__bindgen_anon_1.nested_policy },
            max: entry.len.into(),
        })
    }
}

/// A registered kind of device. Dropping it removes all devices of the kind, in each network
/// namespace, and waits for all their users.
///
/// # Invariants
///
/// The link operations of `T` are registered while an instance exists.
pub struct Registration<T: Driver> {
    /// Dropped after the last device is gone.
    _ports: Option<Pin<KBox<notifier::Registration<PortsKeepType<T>>>>>,
}

impl<T: Driver> Registration<T> {
    /// Registers the kind.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is a kind of this name; `EINVAL` if there are no such settings as
    /// [`Driver::settings`] and [`Driver::port_settings`] name; `ENOMEM`.
    pub fn new() -> Result<Self> {
        // Other registrations of the kind wait.
        let guard = rtnl::lock();
        let ops = T::link_ops().as_ptr();
        if T::HAS_CONFIGURE {
            let settings = T::settings().ok_or(EINVAL)?;
            // SAFETY: Before the kind is registered, the static is read and written only here, with
            // RTNL held. Afterwards it has a policy already, so it is not written.
            unsafe {
                if (*ops).policy.is_null() {
                    (*ops).maxtype = settings.max;
                    (*ops).policy = settings.policy;
                }
            }
        }
        if T::HAS_CONFIGURE_PORT {
            let settings = T::port_settings().ok_or(EINVAL)?;
            // SAFETY: As above.
            unsafe {
                if (*ops).slave_policy.is_null() {
                    (*ops).slave_maxtype = settings.max;
                    (*ops).slave_policy = settings.policy;
                }
            }
        }
        drop(guard);
        // The core would damage a registered kind before it refused it.
        if T::link_ops().registered.swap(true, Ordering::Acquire) {
            return Err(EEXIST);
        }
        Self::register().inspect_err(|_| T::link_ops().registered.store(false, Ordering::Release))
    }

    /// Registers the kind, which is not registered.
    fn register() -> Result<Self> {
        let ports = match T::HAS_ADD_PORT {
            true => Some(KBox::pin_init(notifier::Registration::new(), GFP_KERNEL)?),
            false => None,
        };
        // SAFETY: A static that is fully set up, and not registered.
        to_result(unsafe { bindings::rtnl_link_register(T::link_ops().as_ptr()) })?;
        // INVARIANT: Just registered.
        Ok(Self { _ports: ports })
    }
}

impl<T: Driver> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: Registered, by the type invariant.
        unsafe { bindings::rtnl_link_unregister(T::link_ops().as_ptr()) };
        T::link_ops().registered.store(false, Ordering::Release);
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
    // SAFETY: The core gives null, or what is this call's alone.
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
            return Err(extack.refuse(EINVAL, c"address: a MAC address has 6 bytes"));
        }
        // SAFETY: The attribute has six bytes.
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

/// Returns the settings in a link message, which are its attribute `kind`, checked by the policy, if
/// there are any.
///
/// # Safety
///
/// `tb` must be the table of a validated link message's attributes, all valid for `'a`.
unsafe fn settings_of<'a>(tb: *mut *mut bindings::nlattr, kind: c_uint) -> Option<Attributes<'a>> {
    // SAFETY: By the safety requirement.
    let info = unsafe { *tb.add(bindings::IFLA_LINKINFO as usize) };
    if info.is_null() {
        return None;
    }
    // SAFETY: A valid attribute.
    let (data, len) = unsafe { (helpers::nla_data(info), helpers::nla_len(info)) };
    let len = usize::try_from(len).unwrap_or(0);
    // SAFETY: A valid attribute has as many bytes as it says.
    let info = unsafe { slice::from_raw_parts(data.cast::<u8>(), len) };
    let data = Attributes::new(info).get(kind as u16);
    data.map(Attribute::nest)
}

/// # Safety
///
/// For `rtnl_link_ops` alone: `dev` is set up and not registered, `params` and `extack` are of the
/// message that asks for it, and RTNL is held.
unsafe extern "C" fn newlink<T: Driver>(
    dev: *mut bindings::net_device,
    params: *mut bindings::rtnl_newlink_params,
    extack: *mut bindings::netlink_ext_ack,
) -> c_int {
    // SAFETY: By the safety requirement.
    if let Err(err) = to_result(unsafe { bindings::register_netdevice(dev) }) {
        return err.to_errno();
    }
    // SAFETY: The device is registered, and of this driver; `params` and `extack` are valid, and RTNL
    // is held, by the safety requirement.
    let result = unsafe { configure::<T>(dev, (*params).tb, extack) };
    if result != 0 {
        // No message of rtnetlink has announced the device yet.
        // SAFETY: Registered just now, and RTNL is held.
        unsafe { bindings::unregister_netdevice_queue(dev, core::ptr::null_mut()) };
    }
    result
}

/// # Safety
///
/// For `rtnl_link_ops` alone: `dev` is a registered device of the driver, `tb` and `extack` are of
/// the message, and RTNL is held.
unsafe extern "C" fn changelink<T: Driver>(
    dev: *mut bindings::net_device,
    tb: *mut *mut bindings::nlattr,
    _data: *mut *mut bindings::nlattr,
    extack: *mut bindings::netlink_ext_ack,
) -> c_int {
    // SAFETY: By the safety requirement.
    unsafe { configure::<T>(dev, tb, extack) }
}

/// Changes a device as a link message says.
///
/// # Safety
///
/// `dev` is a registered device of the driver, `tb` and `extack` are of the message, and RTNL is held.
unsafe fn configure<T: Driver>(
    dev: *mut bindings::net_device,
    tb: *mut *mut bindings::nlattr,
    extack: *mut bindings::netlink_ext_ack,
) -> c_int {
    // SAFETY: `dev` is a registered device of the driver, and stays one while RTNL is held.
    let dev = unsafe { Device::<T>::from_raw(dev) };
    // SAFETY: `tb` is of a validated message, which is valid to the end of this call.
    let settings = unsafe { settings_of(tb, bindings::IFLA_INFO_DATA) };
    // SAFETY: `extack` is null, or of the message, and this call's alone.
    let mut extack = unsafe { ExtAck::from_raw(extack) };
    // SAFETY: RTNL is held, by the safety requirement.
    let rtnl = unsafe { Rtnl::assume_held() };
    from_result(|| {
        settings.map_or(Ok(()), |settings| {
            T::configure(dev, settings, &mut extack, rtnl)
        })?;
        Ok(0)
    })
}

/// # Safety
///
/// For `rtnl_link_ops` alone: `dev` is a registered device of the driver, and `port` one of its lower
/// devices; `tb` and `extack` are of the message, and RTNL is held.
unsafe extern "C" fn changelink_port<T: Driver>(
    dev: *mut bindings::net_device,
    port: *mut bindings::net_device,
    tb: *mut *mut bindings::nlattr,
    _data: *mut *mut bindings::nlattr,
    extack: *mut bindings::netlink_ext_ack,
) -> c_int {
    // SAFETY: `dev` is a registered device of the driver, and stays one while RTNL is held.
    let dev = unsafe { Device::<T>::from_raw(dev) };
    // SAFETY: `port` is a registered device, and stays one while RTNL is held.
    let port = unsafe { NetDevice::from_raw(port) };
    // SAFETY: `tb` is of a validated message, which is valid to the end of this call.
    let settings = unsafe { settings_of(tb, bindings::IFLA_INFO_SLAVE_DATA) };
    // SAFETY: `extack` is null, or of the message, and this call's alone.
    let mut extack = unsafe { ExtAck::from_raw(extack) };
    // SAFETY: RTNL is held, by the safety requirement.
    let rtnl = unsafe { Rtnl::assume_held() };
    from_result(|| {
        settings.map_or(Ok(()), |settings| {
            T::configure_port(dev, port, settings, &mut extack, rtnl)
        })?;
        Ok(0)
    })
}

/// # Safety
///
/// For `rtnl_link_ops` alone.
unsafe extern "C" fn port_description_size<T: Driver>(
    _dev: *const bindings::net_device,
    _port: *const bindings::net_device,
) -> usize {
    T::PORT_DESCRIPTION_SIZE
}

/// # Safety
///
/// For `rtnl_link_ops` alone: `dev` is a registered device of the driver, `port` one of its lower
/// devices, and `skb` is valid, for this call alone, with a message at its end.
unsafe extern "C" fn describe_port<T: Driver>(
    skb: *mut bindings::sk_buff,
    dev: *const bindings::net_device,
    port: *const bindings::net_device,
) -> c_int {
    from_result(|| {
        let skb = NonNull::new(skb).ok_or(EINVAL)?;
        // SAFETY: `dev` is a registered device of the driver, by the safety requirement.
        let dev = unsafe { Device::<T>::from_raw(dev.cast_mut()) };
        // SAFETY: `port` is a registered device, by the safety requirement.
        let port = unsafe { NetDevice::from_raw(port.cast_mut()) };
        // SAFETY: The skb is valid, this call's alone, and has a message at its end.
        let mut message = unsafe { Message::from_raw(skb) };
        T::describe_port(dev, port, &mut message)?;
        Ok(0)
    })
}

/// # Safety
///
/// For `rtnl_link_ops` alone.
unsafe extern "C" fn description_size<T: Driver>(_dev: *const bindings::net_device) -> usize {
    T::DESCRIPTION_SIZE
}

/// # Safety
///
/// For `rtnl_link_ops` alone: `dev` is a registered device of the driver, and `skb` is valid, for
/// this call alone, with a message at its end.
unsafe extern "C" fn describe<T: Driver>(
    skb: *mut bindings::sk_buff,
    dev: *const bindings::net_device,
) -> c_int {
    from_result(|| {
        let skb = NonNull::new(skb).ok_or(EINVAL)?;
        // SAFETY: `dev` is a registered device of the driver, by the safety requirement.
        let dev = unsafe { Device::<T>::from_raw(dev.cast_mut()) };
        // SAFETY: The skb is valid, this call's alone, and has a message at its end.
        let mut message = unsafe { Message::from_raw(skb) };
        let kind = bindings::IFLA_INFO_XSTATS as u16;
        message.nest(kind, |message| T::describe(dev, message))?;
        Ok(0)
    })
}
