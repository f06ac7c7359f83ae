// SPDX-License-Identifier: GPL-2.0

//! Notifiers: what happens to network devices, one's own and others'.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    device::NetDevice,
    rtnl::Rtnl, //
};
use core::marker::PhantomData;
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};
use netdev_bindings as bindings;

/// What happens to a device (`enum netdev_cmd`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It has been set up.
    Up,
    /// It has been set down.
    Down,
    /// Its carrier or another part of its state has changed. For most devices this comes late: up
    /// to a second after the carrier was lost.
    Change,
    /// It is about to get another MTU. May be refused.
    PreChangeMtu,
    /// What it can do for frames has changed.
    FeaturesChanged,
    /// It is about to become another type of device. May be refused.
    PreTypeChange,
    /// It is going away: the last moment to let go of it.
    Unregister,
    /// Something else.
    Other,
}

impl Event {
    fn from_raw(event: c_ulong) -> Self {
        match u32::try_from(event) {
            Ok(bindings::netdev_cmd_NETDEV_UP) => Self::Up,
            Ok(bindings::netdev_cmd_NETDEV_DOWN) => Self::Down,
            Ok(bindings::netdev_cmd_NETDEV_CHANGE) => Self::Change,
            Ok(bindings::netdev_cmd_NETDEV_PRECHANGEMTU) => Self::PreChangeMtu,
            Ok(bindings::netdev_cmd_NETDEV_FEAT_CHANGE) => Self::FeaturesChanged,
            Ok(bindings::netdev_cmd_NETDEV_PRE_TYPE_CHANGE) => Self::PreTypeChange,
            Ok(bindings::netdev_cmd_NETDEV_UNREGISTER) => Self::Unregister,
            _ => Self::Other,
        }
    }
}

/// Watches network devices.
pub trait Notifier: Send + Sync {
    /// Called for each event of each device in every network namespace, with RTNL held. For some
    /// events the lock of the device itself is held too: leave calls that take it to others.
    ///
    /// # Errors
    ///
    /// An error forbids what is announced, where that is possible, and is ignored elsewhere.
    fn notify(event: Event, dev: &NetDevice, rtnl: &Rtnl) -> Result;
}

/// A registered [`Notifier`]; dropping it ends that.
///
/// # Invariants
///
/// The block is registered while an instance exists.
#[pin_data(PinnedDrop)]
pub struct Registration<N: Notifier> {
    #[pin]
    block: Opaque<bindings::notifier_block>,
    _notifier: PhantomData<N>,
}

// SAFETY: Any thread may unregister the block.
unsafe impl<N: Notifier> Send for Registration<N> {}

// SAFETY: A shared reference offers nothing.
unsafe impl<N: Notifier> Sync for Registration<N> {}

impl<N: Notifier> Registration<N> {
    /// Registers `N`. It is told of all devices that exist already.
    ///
    /// # Errors
    ///
    /// What `N` answers to that.
    pub fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            block <- Opaque::try_ffi_init(|slot: *mut bindings::notifier_block| {
                let block = bindings::notifier_block {
                    notifier_call: Some(notify::<N>),
                    ..pin_init::zeroed()
                };
                // SAFETY: `slot` is valid for writes.
                unsafe { slot.write(block) };
                // SAFETY: The block is initialised, pinned, and unregistered before it is dropped.
                to_result(unsafe { bindings::register_netdevice_notifier(slot) })
            }),
            _notifier: PhantomData,
        })
    }
}

#[pinned_drop]
impl<N: Notifier> PinnedDrop for Registration<N> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type invariant. The call cannot fail then.
        unsafe { bindings::unregister_netdevice_notifier(self.block.get()) };
    }
}

/// # Safety
///
/// For `register_netdevice_notifier` alone: `info` is a valid `netdev_notifier_info`.
unsafe extern "C" fn notify<N: Notifier>(
    _block: *mut bindings::notifier_block,
    event: c_ulong,
    info: *mut c_void,
) -> c_int {
    const DONE: c_int = bindings::NOTIFY_DONE as c_int;
    const STOP: c_int = bindings::NOTIFY_STOP_MASK as c_int;
    const OK: c_int = bindings::NOTIFY_OK as c_int;

    // SAFETY: All events of network devices are announced with RTNL held.
    let rtnl = unsafe { Rtnl::assume_held() };
    // SAFETY: By the safety requirement; the device is alive during the call.
    let dev = unsafe { NetDevice::from_raw((*info.cast::<bindings::netdev_notifier_info>()).dev) };
    match N::notify(Event::from_raw(event), dev, rtnl) {
        Ok(()) => DONE,
        // As `notifier_from_errno()`.
        Err(err) => STOP | OK.wrapping_sub(err.to_errno()),
    }
}
