// SPDX-License-Identifier: GPL-2.0

//! Network devices.
//!
//! [`NetDevice`] is any device, also of another driver. [`Device<T>`] is one of the driver `T`, and gives
//! access to the driver's data in it.
//!
//! Fields of a device that C writes are read in one of two ways. A field that may be written while it
//! is read here is read once and in one piece, as by `READ_ONCE()`: by `read_once!`. A field that is
//! written with RTNL held alone is read plainly, by functions that take an [`Rtnl`].
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    addr::MacAddr,
    percpu::this_cpu_count,
    rcu::{Rcu, RcuCpu},
    rtnl::Rtnl,
    stats::LinkCounters, //
};
use core::{
    marker::PhantomData,
    mem::offset_of,
    ops::Deref,
    ptr::{self, NonNull},
};
use kernel::{
    prelude::*,
    sync::aref::AlwaysRefCounted,
    types::Opaque, //
};
use netdev_bindings::{self as bindings, helpers};

/// Reads a field of a [`NetDevice`] that may be written meanwhile: once and in one piece, as
/// `READ_ONCE()` does. For numbers and pointers.
macro_rules! read_once {
    ($dev:expr, $field:ident) => {{
        let dev: &$crate::device::NetDevice = $dev;
        let raw = dev.as_ptr();
        // SAFETY: The device is alive, by the invariant of its type; and C writes such a field in one
        // piece.
        unsafe { ::core::ptr::read_volatile(&raw const (*raw).$field) }
    }};
}
pub(crate) use read_once;

/// Where a device's address comes from (`addr_assign_type`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AddrSource {
    /// The address of the hardware.
    Permanent,
    /// Made at random when the device was created.
    Random,
    /// Taken over from another device.
    Stolen,
    /// Given by the user.
    Set,
}

/// The bit of a device's `state` that says it is open.
const START: usize = 1 << bindings::netdev_state_t___LINK_STATE_START;

const NAME_SIZE: usize = bindings::IFNAMSIZ as usize;

/// A device's name, such as `eth0`: a copy of it.
///
/// # Invariants
///
/// The last byte is NUL.
#[derive(Clone, Copy)]
pub struct Name([u8; NAME_SIZE]);

impl Deref for Name {
    type Target = CStr;

    fn deref(&self) -> &CStr {
        // By the type invariant there is always a NUL.
        CStr::from_bytes_until_nul(&self.0).unwrap_or(c"")
    }
}

/// Any network device.
///
/// # Invariants
///
/// A reference to an instance points to a `net_device` that stays allocated, and is past its
/// initialisation, for as long as the reference lives.
#[repr(transparent)]
pub struct NetDevice(Opaque<bindings::net_device>);

// SAFETY: A `net_device` belongs to no thread; it may be released by any.
unsafe impl Send for NetDevice {}

// SAFETY: What is offered on a shared reference is either safe on any thread, or asks for the lock
// that makes it so.
unsafe impl Sync for NetDevice {}

// SAFETY: `dev_hold` keeps the device allocated until the matching `dev_put`; every device has the
// counter. Only a device whose registration fails is freed without a look at it, and no reference
// to one that is not registered yet is handed out.
unsafe impl AlwaysRefCounted for NetDevice {
    fn inc_ref(&self) {
        // SAFETY: Alive by the type invariant.
        unsafe { helpers::dev_hold(self.as_ptr()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: By the safety requirement there is a reference to give up.
        unsafe { helpers::dev_put(obj.cast().as_ptr()) };
    }
}

impl NetDevice {
    /// Borrows a device.
    ///
    /// # Safety
    ///
    /// `ptr` must point to an initialised `net_device` that stays allocated for all of `'a`.
    #[inline(always)]
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut bindings::net_device) -> &'a Self {
        // SAFETY: By the safety requirement; the type is transparent to `net_device`.
        unsafe { &*ptr.cast() }
    }

    #[inline(always)]
    pub(crate) fn as_ptr(&self) -> *mut bindings::net_device {
        self.0.get()
    }

    /// Returns the name, such as `eth0`. It does not change while RTNL is held.
    pub fn name<'a>(&'a self, _rtnl: &'a Rtnl) -> &'a CStr {
        // SAFETY: Alive by the type invariant; the name is NUL-terminated, and changed only by a
        // holder of RTNL.
        unsafe {
            let name = &raw const (*self.as_ptr()).name;
            CStr::from_char_ptr(name.cast())
        }
    }

    /// Returns the name it has now. While the device is being renamed, parts of both names may be in it.
    pub fn current_name(&self) -> Name {
        let mut name = Name([0; NAME_SIZE]);
        // SAFETY: Alive by the type invariant. Changed by holders of RTNL while others read it.
        let read = |i| unsafe {
            let name = &raw const (*self.as_ptr()).name;
            ptr::read_volatile(name.cast::<u8>().wrapping_add(i))
        };
        for (i, octet) in name.0.iter_mut().enumerate().take(NAME_SIZE - 1) {
            *octet = read(i);
        }
        name
    }

    /// Returns whether the device is registered: it can be found, and is not being unregistered. In
    /// notifiers for [`Event::Unregister`](crate::notifier::Event::Unregister) it is not any more, unless
    /// it moves to another namespace.
    pub fn is_registered(&self, _rtnl: &Rtnl) -> bool {
        self.seems_registered()
    }

    /// Returns whether the device is registered now, without RTNL. One that was registered in an RCU
    /// read-side critical section is not freed, and its unregistration waits, until the section ends.
    pub(crate) fn seems_registered(&self) -> bool {
        self.reg_state() == bindings::netdev_reg_state_NETREG_REGISTERED
    }

    fn reg_state(&self) -> bindings::netdev_reg_state {
        read_once!(self, reg_state).into()
    }

    /// Returns whether the registration of the device has come so far that its driver has initialised
    /// it.
    pub(crate) fn is_initialised(&self) -> bool {
        self.reg_state() != bindings::netdev_reg_state_NETREG_UNINITIALIZED
    }

    /// Returns whether the registration of the device has succeeded and its unregistration has not
    /// ended. The device is not freed then while there are references to it.
    pub(crate) fn may_be_kept(&self) -> bool {
        matches!(
            self.reg_state(),
            bindings::netdev_reg_state_NETREG_REGISTERED
                | bindings::netdev_reg_state_NETREG_UNREGISTERING
        )
    }

    /// Returns the counters of all its frames, as its driver has them. All 0 if the device is not
    /// registered.
    pub fn counters(&self, _rcu: &Rcu) -> LinkCounters {
        let mut stats = bindings::rtnl_link_stats64::default();
        if self.seems_registered() {
            // SAFETY: The device is alive, and the counters are valid for writes. The driver still has
            // its own: it frees them when the device is unregistered, which first waits for RCU readers
            // such as this one.
            unsafe { bindings::dev_get_stats(self.as_ptr(), &mut stats) };
        }
        LinkCounters::new(&stats)
    }

    /// Returns whether this is the same device as `other`.
    #[inline(always)]
    pub fn is(&self, other: &NetDevice) -> bool {
        ptr::eq(self, other)
    }

    /// Returns whether frames that are handed to the device now are likely to leave it: it is up, and
    /// has a carrier. This is a single load, without a lock.
    #[inline(always)]
    pub fn is_operational(&self) -> bool {
        const NO_CARRIER: usize = 1 << bindings::netdev_state_t___LINK_STATE_NOCARRIER;

        self.state() & (START | NO_CARRIER) == START
    }

    /// Returns whether it takes frames at all. A device that has just got its carrier drops all frames
    /// until linkwatch has given it its queueing discipline, which may wait for RTNL.
    pub fn is_activated(&self) -> bool {
        // SAFETY: Alive by the type invariant. The number of its queues does not change, and of
        // their disciplines only the addresses are looked at.
        !unsafe { helpers::qdisc_tx_is_noop(self.as_ptr()) }
    }

    #[inline(always)]
    fn state(&self) -> usize {
        read_once!(self, state)
    }

    /// Returns the interface index, unique in its network namespace. It may change as the device moves to
    /// another one.
    pub fn ifindex(&self) -> u32 {
        read_once!(self, ifindex).unsigned_abs()
    }

    fn has_flag(&self, flag: u32) -> bool {
        read_once!(self, flags) & flag != 0
    }

    /// Returns whether a flag is set that only the kernel sees (`priv_flags`).
    pub(crate) fn has_priv_flag(&self, flag: bindings::netdev_priv_flags, _rtnl: &Rtnl) -> bool {
        // SAFETY: Alive by the type invariant; changed only by holders of RTNL.
        let fast = unsafe { &(*self.as_ptr()).__bindgen_anon_1.__bindgen_anon_1 };
        fast.priv_flags() & flag as c_ulong != 0
    }

    /// Returns whether the administrator has brought the device up (`IFF_UP`).
    pub fn is_up(&self, _rtnl: &Rtnl) -> bool {
        self.has_flag(bindings::net_device_flags_IFF_UP)
    }

    /// Returns whether the device is open, as its driver sees it. Unlike [`NetDevice::is_up`], in any
    /// context.
    pub fn is_started(&self) -> bool {
        self.state() & START != 0
    }

    /// Returns whether this is a loopback device.
    pub fn is_loopback(&self) -> bool {
        self.has_flag(bindings::net_device_flags_IFF_LOOPBACK)
    }

    /// Returns whether the device receives all frames, whatever their destination.
    pub fn is_promiscuous(&self, _rtnl: &Rtnl) -> bool {
        self.has_flag(bindings::net_device_flags_IFF_PROMISC)
    }

    /// Returns whether the device receives all group-addressed frames.
    pub fn is_all_multicast(&self, _rtnl: &Rtnl) -> bool {
        self.has_flag(bindings::net_device_flags_IFF_ALLMULTI)
    }

    /// Returns whether this is an Ethernet device (`ARPHRD_ETHER`).
    pub fn is_ethernet(&self) -> bool {
        let (kind, len) = (read_once!(self, type_), read_once!(self, addr_len));
        u32::from(kind) == bindings::ARPHRD_ETHER && u32::from(len) == bindings::ETH_ALEN
    }

    /// Returns whether the device is unable to send or receive frames with a VLAN's tag.
    pub fn is_vlan_challenged(&self, _rtnl: &Rtnl) -> bool {
        // SAFETY: Alive by the type invariant; features are changed only by holders of RTNL.
        let features = unsafe { (*self.as_ptr()).features };
        features & bindings::NETIF_F_VLAN_CHALLENGED != 0
    }

    /// Returns the MAC address it has now. For an Ethernet device.
    pub fn mac(&self, _rtnl: &Rtnl) -> MacAddr {
        // SAFETY: Alive by the type invariant. `dev_addr` has room for the longest address there
        // is, and is changed only by a holder of RTNL.
        MacAddr::new(unsafe { (*self.as_ptr()).dev_addr.cast::<[u8; 6]>().read() })
    }

    /// Returns the MAC address it was made with, whatever it has now. For an Ethernet device. `None` for
    /// most virtual devices, to which none was given.
    pub fn permanent_mac(&self, _rtnl: &Rtnl) -> Option<MacAddr> {
        // SAFETY: Alive by the type invariant. There is room for the longest address there is. It
        // is written only with RTNL held, or before the device is registered.
        let octets = unsafe {
            (&raw const (*self.as_ptr()).perm_addr)
                .cast::<[u8; 6]>()
                .read()
        };
        Some(MacAddr::new(octets)).filter(MacAddr::is_valid_station)
    }

    /// Returns where its MAC address comes from.
    pub fn mac_source(&self) -> AddrSource {
        match u32::from(read_once!(self, addr_assign_type)) {
            bindings::NET_ADDR_PERM => AddrSource::Permanent,
            bindings::NET_ADDR_RANDOM => AddrSource::Random,
            bindings::NET_ADDR_STOLEN => AddrSource::Stolen,
            _ => AddrSource::Set,
        }
    }

    /// Returns the largest payload of a frame, in bytes.
    pub fn mtu(&self) -> u32 {
        read_once!(self, mtu)
    }

    /// Returns the link speed in Mbit/s and whether it is full duplex. `None` where the driver knows no
    /// speed.
    pub fn link_speed(&self, _rtnl: &Rtnl) -> Option<(u32, bool)> {
        // SAFETY: RTNL is held, and the device's lock is taken inside.
        unsafe { self.link_speed_by(bindings::__ethtool_get_link_ksettings) }
    }

    /// Returns the link speed in Mbit/s and whether it is full duplex, as `get` reports them.
    ///
    /// # Safety
    ///
    /// The locks that `get` asks for must be held.
    pub(crate) unsafe fn link_speed_by(
        &self,
        get: unsafe extern "C" fn(
            *mut bindings::net_device,
            *mut bindings::ethtool_link_ksettings,
        ) -> c_int,
    ) -> Option<(u32, bool)> {
        let mut settings = bindings::ethtool_link_ksettings::default();
        // SAFETY: The device is alive, and by the safety requirement.
        let err = unsafe { get(self.as_ptr(), &mut settings) };
        let known = err == 0 && settings.base.speed != bindings::SPEED_UNKNOWN as u32;
        let full = u32::from(settings.base.duplex) == bindings::DUPLEX_FULL;
        known.then_some((settings.base.speed, full))
    }

    /// Returns the operations of its driver.
    pub(crate) fn ops(&self) -> &bindings::net_device_ops {
        let ops = read_once!(self, netdev_ops);
        // SAFETY: By the type invariant the device is alive and past its initialisation, so has
        // operations. They are constant, and stay for as long as the device does.
        unsafe { &*ops }
    }

    /// Makes the users of the device announce to its neighbours where it is now: IPv4 and IPv6 send
    /// gratuitous ARP and unsolicited neighbour advertisements, and devices stacked on it pass this on.
    pub fn notify_peers(&self, _rtnl: &Rtnl) {
        // SAFETY: The device is alive, and RTNL is held.
        unsafe { self.notify(bindings::netdev_cmd_NETDEV_NOTIFY_PEERS) };
    }

    /// Calls all notifiers.
    ///
    /// # Safety
    ///
    /// RTNL must be held, and `event` be one without further information.
    pub(crate) unsafe fn notify(&self, event: bindings::netdev_cmd) {
        // SAFETY: The device is alive, and by the safety requirement.
        unsafe { bindings::call_netdevice_notifiers(event as c_ulong, self.as_ptr()) };
    }
}

/// A device of the driver `T`.
///
/// # Invariants
///
/// As [`NetDevice`]; the device was made by the [`LinkOps`](crate::link_ops::LinkOps) of the driver
/// `T`, and the `T` in its private area is initialised.
#[repr(transparent)]
pub struct Device<T>(NetDevice, PhantomData<T>);

// SAFETY: The counter is that of the `NetDevice`, which keeps the device allocated. The `T` is dropped
// only when the last reference is gone.
unsafe impl<T> AlwaysRefCounted for Device<T> {
    fn inc_ref(&self) {
        self.0.inc_ref();
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: By the safety requirement there is a reference to give up.
        unsafe { NetDevice::dec_ref(obj.cast()) };
    }
}

impl<T> Deref for Device<T> {
    type Target = NetDevice;

    #[inline(always)]
    fn deref(&self) -> &NetDevice {
        &self.0
    }
}

impl<T> Device<T> {
    /// Borrows a device of this driver.
    ///
    /// # Safety
    ///
    /// `ptr` must point to an initialised `net_device` that stays allocated for all of `'a`. The
    /// device must be one of this driver, with its private data initialised.
    #[inline(always)]
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut bindings::net_device) -> &'a Self {
        // SAFETY: By the safety requirement; the type is transparent to `net_device`.
        unsafe { &*ptr.cast() }
    }

    /// Returns where the private area of a device of this driver is.
    #[inline(always)]
    pub(crate) fn private_area(dev: *mut bindings::net_device) -> *mut T {
        dev.wrapping_byte_add(offset_of!(bindings::net_device, priv_))
            .cast()
    }

    /// Returns the driver's data in this device.
    #[inline(always)]
    pub fn data(&self) -> &T {
        // SAFETY: Initialised by the type invariant, and not handed out mutably before the device is
        // freed.
        unsafe { &*Self::private_area(self.as_ptr()) }
    }

    /// Counts a received frame of `octets` bytes, for `ip -s link`. What a receive handler passes on is
    /// counted without it.
    #[inline(always)]
    pub fn count_received(&self, octets: u32, _context: &RcuCpu) {
        const FIRST: usize = offset_of!(bindings::pcpu_sw_netstats, rx_packets);
        static_assert!(offset_of!(bindings::pcpu_sw_netstats, rx_bytes) == FIRST + 8);

        // SAFETY: The device is alive, and has such counters: `Adapter::setup` asks for them.
        unsafe {
            let stats = (*self.as_ptr()).__bindgen_anon_2.tstats;
            if this_cpu_count::<FIRST>(stats.cast(), octets.into()).is_none() {
                helpers::dev_sw_netstats_rx_add(self.as_ptr(), octets);
            }
        }
    }

    /// Counts a transmitted frame of `octets` bytes, for `ip -s link`.
    #[inline(always)]
    pub fn count_transmitted(&self, octets: u32, _context: &RcuCpu) {
        const FIRST: usize = offset_of!(bindings::pcpu_sw_netstats, tx_packets);
        static_assert!(offset_of!(bindings::pcpu_sw_netstats, tx_bytes) == FIRST + 8);

        // SAFETY: The device is alive, and has such counters: `Adapter::setup` asks for them.
        unsafe {
            let stats = (*self.as_ptr()).__bindgen_anon_2.tstats;
            if this_cpu_count::<FIRST>(stats.cast(), octets.into()).is_none() {
                helpers::dev_sw_netstats_tx_add(self.as_ptr(), 1, octets);
            }
        }
    }

    /// Switches the carrier on or off: the device can send, or cannot. In any context.
    pub fn set_carrier(&self, on: bool) {
        // SAFETY: The device is alive.
        unsafe {
            if on {
                bindings::netif_carrier_on(self.as_ptr());
            } else {
                bindings::netif_carrier_off(self.as_ptr());
            }
        }
    }

    /// Calls notifiers now for what [`Device::set_carrier`] has changed. Otherwise linkwatch does so, for
    /// most devices once a second.
    pub fn sync_carrier(&self, _rtnl: &Rtnl) {
        // SAFETY: The device is alive and RTNL is held. The driver has no operations that would have
        // the device's own lock taken, too.
        unsafe { bindings::ethtool_op_get_link(self.as_ptr()) };
    }

    /// Makes IPv4 and IPv6 report their multicast groups once more, for switches that learn from it
    /// where to send them.
    pub fn rejoin_groups(&self, _rtnl: &Rtnl) {
        // SAFETY: The device is alive, and RTNL is held.
        unsafe { self.notify(bindings::netdev_cmd_NETDEV_RESEND_IGMP) };
    }
}
