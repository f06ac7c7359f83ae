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
    /// It has been brought up.
    Up,
    /// It has been brought down.
    Down,
    /// Its carrier or another part of its state has changed. For most devices this comes late: up
    /// to a second after the carrier was lost.
    Change,
    /// It is about to get another MTU. May be refused.
    PreChangeMtu,
    /// It has another MAC address.
    ChangeAddress,
    /// Its users are to announce to its neighbours where it is now, or to report their multicast
    /// groups once more.
    Announce,
    /// What it can do for frames has changed.
    FeaturesChanged,
    /// What it can do with XDP programs and their frames has changed.
    XdpFeaturesChanged,
    /// It is about to become another type of device. May be refused.
    PreTypeChange,
    /// It is registered, as a new device of this namespace. Its driver may not be done with it yet.
    Register,
    /// It has got another name.
    ChangeName,
    /// It is being unregistered: the last chance to drop references to it.
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
            Ok(bindings::netdev_cmd_NETDEV_CHANGEADDR) => Self::ChangeAddress,
            Ok(
                bindings::netdev_cmd_NETDEV_NOTIFY_PEERS | bindings::netdev_cmd_NETDEV_RESEND_IGMP,
            ) => Self::Announce,
            Ok(bindings::netdev_cmd_NETDEV_FEAT_CHANGE) => Self::FeaturesChanged,
            Ok(bindings::netdev_cmd_NETDEV_XDP_FEAT_CHANGE) => Self::XdpFeaturesChanged,
            Ok(bindings::netdev_cmd_NETDEV_PRE_TYPE_CHANGE) => Self::PreTypeChange,
            Ok(bindings::netdev_cmd_NETDEV_REGISTER) => Self::Register,
            Ok(bindings::netdev_cmd_NETDEV_CHANGENAME) => Self::ChangeName,
            Ok(bindings::netdev_cmd_NETDEV_UNREGISTER) => Self::Unregister,
            _ => Self::Other,
        }
    }

    /// Returns whether the event is announced before it happens, and may be refused. Only for these is
    /// an error passed on. For others it would undo what has happened, or keep later notifiers from
    /// being called.
    fn may_be_refused(self) -> bool {
        matches!(self, Self::PreChangeMtu | Self::PreTypeChange)
    }
}

/// What a [`Notifier`] gets: an event of a device, with RTNL held.
///
/// For some events the device's own lock is held, too, if it has one. Calls that take that lock would
/// deadlock.
///
/// # Invariants
///
/// While a reference to an instance is alive, notifiers are called for `event` of `dev`.
pub struct Notice<'a> {
    event: Event,
    dev: &'a NetDevice,
    rtnl: &'a Rtnl,
}

impl<'a> Notice<'a> {
    /// Returns the event.
    pub fn event(&self) -> Event {
        self.event
    }

    /// Returns the device.
    pub fn dev(&self) -> &'a NetDevice {
        self.dev
    }

    /// Returns the evidence that RTNL is held.
    pub fn rtnl(&self) -> &'a Rtnl {
        self.rtnl
    }

    /// Returns [`NetDevice::link_speed`] for [`Event::Up`] and [`Event::Change`], else `None`.
    pub fn link_speed(&self) -> Option<(u32, bool)> {
        match self.event {
            // SAFETY: RTNL is held; and the device's lock, for these events, by the type invariant
            // and "Notifiers and netdev instance lock" in `Documentation/networking/netdevices.rst`.
            Event::Up | Event::Change => unsafe {
                self.dev.link_speed_by(bindings::netif_get_link_ksettings)
            },
            _ => None,
        }
    }
}

/// Watches network devices.
pub trait Notifier: Send + Sync {
    /// Called for each event of each device in every network namespace.
    ///
    /// # Errors
    ///
    /// An error refuses an event that may be refused. For others it is ignored.
    fn notify(notice: &Notice<'_>) -> Result;
}

/// A registered [`Notifier`]. Dropping it unregisters the notifier.
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
    /// Registers `N`, which is called for all devices that exist already.
    ///
    /// # Errors
    ///
    /// None in present kernels.
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
    if !dev.may_be_kept() {
        return DONE;
    }
    // INVARIANT: For as long as this call lasts.
    let notice = Notice {
        event: Event::from_raw(event),
        dev,
        rtnl,
    };
    match N::notify(&notice) {
        // As `notifier_from_errno()`. Later notifiers are not called then.
        Err(err) if notice.event.may_be_refused() => STOP | OK.wrapping_sub(err.to_errno()),
        _ => DONE,
    }
}
