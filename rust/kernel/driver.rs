// SPDX-License-Identifier: GPL-2.0

//! Drivers: what the core calls of a device.
//!
//! C headers: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h),
//! [`include/net/rtnetlink.h`](srctree/include/net/rtnetlink.h)

use crate::{
    addr::MacAddr,
    addr_lists::AddrLists,
    device::{Device, NetDevice},
    ethtool::LinkSettings,
    net::Net,
    netlink::{
        Attributes,
        ExtAck,
        Message, //
    },
    rcu::{RcuBh, RcuIrq},
    rtnl::Rtnl,
    rx_handler::RxHandler,
    skb::{SkBuff, Xmit},
    stats::LinkStats,
    vlan::Vlan,
    xdp::{Frames, Program}, //
};
use core::{
    marker::PhantomData,
    ptr,
    sync::atomic::AtomicBool, //
};
use kernel::{
    error::VTABLE_DEFAULT_ERROR,
    prelude::*,
    types::Opaque, //
};
use netdev_bindings as bindings;

pub use crate::setup::Setup;

/// A driver of virtual Ethernet devices, made by `ip link add NAME type KIND`. A value of the type
/// is the driver's data in one device: it lives in the device's private area, from the registration
/// of the device until nobody refers to the device any more.
///
/// Callbacks run on any CPU and, but for those that are handed an [`Rtnl`], several at once: hence
/// `Send`, `Sync` and shared references everywhere.
#[vtable]
pub trait Driver: Send + Sync + Sized + 'static {
    /// The name of the kind.
    const KIND: &'static CStr;

    /// The names of the figures of [`Driver::statistics`].
    const STATISTICS: &'static [&'static CStr] = &[];

    /// The driver's data of a port, for a driver of master devices.
    /// [`NoPorts`](crate::rx_handler::NoPorts) for any other.
    type Port: RxHandler<Self> + 'static;

    /// Returns the one `static` of this driver.
    fn link_ops() -> &'static LinkOps<Self>;

    /// Sets properties of a new device.
    fn setup(setup: &mut Setup);

    /// Returns which settings [`Driver::configure`] takes.
    fn settings() -> Option<Settings> {
        None
    }

    /// Changes settings: `ip link set NAME type KIND SETTING…`, and `ip link add` for a new device. The
    /// policy has checked types, lengths and ranges. Either all settings are changed, or none.
    ///
    /// # Errors
    ///
    /// After an error a new device is removed.
    fn configure(
        _dev: &Device<Self>,
        _settings: Attributes<'_>,
        _extack: &mut ExtAck<'_>,
        _rtnl: &Rtnl,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// A number of bytes that is enough for what [`Driver::describe`] writes.
    const DESCRIPTION_SIZE: usize = 0;

    /// Writes what link messages report of the device beyond what they report of each one, as
    /// `IFLA_INFO_XSTATS`. Programs that do not know the kind skip it.
    fn describe(_dev: &Device<Self>, _message: &mut Message<'_>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns which settings [`Driver::configure_port`] takes.
    fn port_settings() -> Option<Settings> {
        None
    }

    /// Changes settings of a port, for a driver of master devices: `ip link set PORT type KIND_slave
    /// SETTING…`. As [`Driver::configure`].
    fn configure_port(
        _dev: &Device<Self>,
        _port: &NetDevice,
        _settings: Attributes<'_>,
        _extack: &mut ExtAck<'_>,
        _rtnl: &Rtnl,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// A number of bytes that is enough for what [`Driver::describe_port`] writes.
    const PORT_DESCRIPTION_SIZE: usize = 0;

    /// Writes what link messages report of a port, as `IFLA_INFO_SLAVE_DATA`.
    fn describe_port(_dev: &Device<Self>, _port: &NetDevice, _message: &mut Message<'_>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Makes the data of a new device with this MAC address, which is not registered yet.
    fn new(mac: MacAddr) -> impl PinInit<Self, Error>;

    /// Sends a frame, or drops it. Returns what its sender gets: for a frame that goes on to another
    /// device, what [`SkBuff::transmit`] has returned.
    fn transmit(dev: &Device<Self>, skb: SkBuff, context: &RcuBh) -> Xmit;

    /// Called as the device is brought up: [`NetDevice::is_started`] is true already, and
    /// [`NetDevice::is_up`] is not yet.
    ///
    /// # Errors
    ///
    /// An error leaves it down; [`Driver::stop`] does not follow then.
    fn open(_dev: &Device<Self>, _rtnl: &Rtnl) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Called after the device was brought down.
    fn stop(_dev: &Device<Self>, _rtnl: &Rtnl) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Called as the device, which is in `net`, is unregistered. The timer has been stopped. Ports that
    /// are left after this are released by the abstraction.
    fn uninit(_dev: &Device<Self>, _net: &Net, _rtnl: &Rtnl) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Adds to the figures that `ip -s link` shows. Those of [`Device::count_received`] and
    /// [`Device::count_transmitted`] are there already.
    fn link_stats(_dev: &Device<Self>, _stats: &mut LinkStats) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Gives the device another MAC address, a valid one. It is written into the device after this
    /// has succeeded.
    fn set_mac(_dev: &Device<Self>, _mac: MacAddr, _rtnl: &Rtnl) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Gives the device another MTU, within its range. It is written into the device after this has
    /// succeeded.
    fn change_mtu(_dev: &Device<Self>, _mtu: u32, _rtnl: &Rtnl) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Called after the addresses that the device wants to receive have changed, with bottom halves
    /// disabled.
    fn set_rx_mode(_dev: &Device<Self>, _lists: AddrLists<'_>, _rcu: &RcuBh) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Called after the device has become promiscuous or has ceased to be, or has begun or stopped to
    /// receive all multicast: `Some` is what has changed.
    fn change_rx_flags(
        _dev: &Device<Self>,
        _promiscuous: Option<bool>,
        _all_multicast: Option<bool>,
        _rtnl: &Rtnl,
    ) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Called when the device is to receive the frames of another VLAN.
    ///
    /// # Errors
    ///
    /// An error refuses the VLAN. Nothing should be changed then.
    fn add_vlan(_dev: &Device<Self>, _vlan: Vlan, _rtnl: &Rtnl) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Called when the device need not receive the frames of a VLAN any more.
    fn remove_vlan(_dev: &Device<Self>, _vlan: Vlan, _rtnl: &Rtnl) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sends a frame of netpoll, or drops it: with interrupts disabled, in any context, so without
    /// waiting for a lock. [`Lower::transmit_netpoll`](crate::lower::Lower::transmit_netpoll) sends it
    /// by a port. Netpoll does not send by devices of a driver without this.
    fn transmit_netpoll(_dev: &Device<Self>, _skb: SkBuff, _context: &RcuIrq) -> Xmit {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Handles what has been received and sent, for netpoll.
    fn poll(_dev: &Device<Self>, _context: &RcuIrq) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Makes `port` a port of the device: `ip link set PORT master DEVICE`.
    fn add_port(
        _dev: &Device<Self>,
        _port: &NetDevice,
        _extack: &mut ExtAck<'_>,
        _rtnl: &Rtnl,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Releases a port: `ip link set PORT nomaster`.
    fn del_port(_dev: &Device<Self>, _port: &NetDevice, _rtnl: &Rtnl) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Makes `program`, or none, the program that sees the frames that the device receives:
    /// `ip link set DEVICE xdp …`.
    ///
    /// # Errors
    ///
    /// After an error the program is the old one. Without a program there should be no error: the core
    /// does not expect one.
    fn set_program(
        _dev: &Device<Self>,
        _program: Option<Program>,
        _extack: &mut ExtAck<'_>,
        _rtnl: &Rtnl,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sends what XDP programs have redirected to the device, if
    /// [its features](Device::set_xdp_features) say that it can.
    fn transmit_xdp(_dev: &Device<Self>, _frames: &mut Frames<'_>, _context: &RcuBh) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Does what was scheduled with [`Device::schedule_work`]. Called in process context, without a
    /// lock, and never twice at a time for one device. The device is registered when this begins, and
    /// may be unregistered meanwhile: what depends on that takes RTNL and asks
    /// [`NetDevice::is_registered`].
    fn work(_dev: &Device<Self>) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Does what [`Device::start_timer`] is for. Called in a softirq, and never twice at a time for one
    /// device. Returns the nanosecond of `CLOCK_MONOTONIC` when it is due again: at once, if that has
    /// passed, and never with `None`.
    fn timer(_dev: &Device<Self>, _context: &RcuBh) -> Option<u64> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Returns what `ethtool DEVICE` shows.
    fn link_settings(_dev: &Device<Self>, _rtnl: &Rtnl) -> LinkSettings {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Writes what `ethtool -S DEVICE` shows: a figure for each name.
    fn statistics(_dev: &Device<Self>, _figures: &mut [u64]) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// The kind of device that the driver `T` makes: one `static` of each driver, made by
/// [`LinkOps::new`]. The devices of the driver are recognised by it.
///
/// # Invariants
///
/// Describes how devices with a `T` in their private area are made, and only they.
pub struct LinkOps<T> {
    pub(crate) ops: Opaque<bindings::rtnl_link_ops>,
    pub(crate) registered: AtomicBool,
    pub(crate) driver: PhantomData<T>,
}

// SAFETY: After construction only the core changes it, and does so under locks of its own.
unsafe impl<T> Sync for LinkOps<T> {}

impl<T> LinkOps<T> {
    pub(crate) fn as_ptr(&self) -> *mut bindings::rtnl_link_ops {
        self.ops.get()
    }
}

/// The settings of a device in a link message: those that an operation of a family takes, too.
pub struct Settings {
    pub(crate) policy: *const bindings::nla_policy,
    pub(crate) max: u32,
}

impl<T: Driver> Device<T> {
    /// Returns `dev` as a device of this driver. `None` if it is of another one, or if it is not
    /// registered yet.
    pub fn from_netdev(dev: &NetDevice) -> Option<&Self> {
        // SAFETY: Alive by the type invariant; set before anyone sees the device, then constant.
        let ops = unsafe { (*dev.as_ptr()).rtnl_link_ops };
        let ours = ptr::eq(ops, T::link_ops().as_ptr()) && dev.is_initialised();
        // SAFETY: Nobody else has this `LinkOps`, so the device was made by it. The private data
        // are initialised before the device is registered.
        ours.then(|| unsafe { Self::from_raw(dev.as_ptr()) })
    }
}
