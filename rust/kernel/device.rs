// SPDX-License-Identifier: GPL-2.0

//! Network devices.
//!
//! [`NetDevice`] is any device, somebody else's included. [`Device<T>`] is one of the driver `T`,
//! and gives access to the driver's data in it.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    addr::MacAddr,
    driver::Driver,
    netlink::ExtAck,
    percpu::this_cpu_count,
    rcu::{Rcu, RcuBh},
    rtnl::Rtnl,
    stats::LinkCounters, //
};
use core::{
    marker::PhantomData,
    mem::offset_of,
    ops::Deref,
    ptr::{self, NonNull},
    sync::atomic::{AtomicUsize, Ordering},
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::aref::AlwaysRefCounted,
    types::Opaque, //
};
use netdev_bindings::{self as bindings, helpers};

/// Where a device's address comes from (`addr_assign_type`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AddrSource {
    /// The device's own.
    Permanent,
    /// Made up when the device was created.
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
/// The last octet is NUL.
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

    /// Name, such as `eth0`. It does not change while RTNL is held.
    pub fn name<'a>(&'a self, _rtnl: &'a Rtnl) -> &'a CStr {
        // SAFETY: Alive by the type invariant; the name is NUL-terminated, and changed only by a
        // holder of RTNL.
        unsafe {
            let name = &raw const (*self.as_ptr()).name;
            CStr::from_char_ptr(name.cast())
        }
    }

    /// The name it has now. While the device is being renamed, parts of both names may be in it.
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

    /// Is the device registered: can it be found, and is it not about to go? Not before that, nor
    /// any more when somebody is told of [`Event::Unregister`](crate::notifier::Event::Unregister),
    /// unless that is since the device moves to another namespace.
    pub fn is_registered(&self, _rtnl: &Rtnl) -> bool {
        self.seems_registered()
    }

    /// The same without RTNL. A device that was registered in an RCU read-side critical section is
    /// not freed, and its unregistration waits, until the section ends.
    pub(crate) fn seems_registered(&self) -> bool {
        self.reg_state() == bindings::netdev_reg_state_NETREG_REGISTERED
    }

    fn reg_state(&self) -> bindings::netdev_reg_state {
        // SAFETY: Alive by the type invariant. C too reads it in one piece.
        let state = unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).reg_state) };
        state.into()
    }

    /// Has the registration of the device come far enough for its driver to be asked things?
    pub(crate) fn is_initialised(&self) -> bool {
        self.reg_state() != bindings::netdev_reg_state_NETREG_UNINITIALIZED
    }

    /// Has the registration of the device succeeded, and has it not been unregistered to its end? It is
    /// not freed then while somebody refers to it.
    pub(crate) fn may_be_kept(&self) -> bool {
        matches!(
            self.reg_state(),
            bindings::netdev_reg_state_NETREG_REGISTERED
                | bindings::netdev_reg_state_NETREG_UNREGISTERING
        )
    }

    /// Counters of all its frames, as its driver has them. All 0 if the device is not registered.
    pub fn counters(&self, _rcu: &Rcu) -> LinkCounters {
        let mut stats = bindings::rtnl_link_stats64::default();
        if self.seems_registered() {
            // SAFETY: The device is alive, and the counters are valid for writes. The driver still
            // has its own: it may free them once the device is unregistered, which waits for RCU
            // readers, which we are, before the driver is asked to let go.
            unsafe { bindings::dev_get_stats(self.as_ptr(), &mut stats) };
        }
        LinkCounters::new(&stats)
    }

    /// Is this the same device as `other`?
    #[inline(always)]
    pub fn is(&self, other: &NetDevice) -> bool {
        ptr::eq(self, other)
    }

    /// Are frames that are handed to the device now likely to leave it: is it up, and does it have
    /// a carrier? One load; asks nobody and waits for nobody.
    #[inline(always)]
    pub fn is_operational(&self) -> bool {
        const NO_CARRIER: usize = 1 << bindings::netdev_state_t___LINK_STATE_NOCARRIER;

        self.state() & (START | NO_CARRIER) == START
    }

    /// Does it take frames at all? One that has got its carrier drops all that it is handed until
    /// linkwatch has given it its queueing discipline, which may wait for RTNL.
    pub fn is_activated(&self) -> bool {
        // SAFETY: Alive by the type invariant. The number of its queues does not change, and of
        // their disciplines only the addresses are looked at.
        !unsafe { helpers::qdisc_tx_is_noop(self.as_ptr()) }
    }

    #[inline(always)]
    fn state(&self) -> usize {
        // SAFETY: Alive by the type invariant. `state` is changed by atomic bit operations only, so
        // may be seen as an atomic of its size and alignment.
        let state = unsafe { AtomicUsize::from_ptr((&raw mut (*self.as_ptr()).state).cast()) };
        state.load(Ordering::Relaxed)
    }

    /// Interface index, unique in its network namespace.
    pub fn ifindex(&self) -> u32 {
        // SAFETY: Alive by the type invariant. It may change when the device moves to another
        // namespace; C reads it in one piece too.
        let ifindex = unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).ifindex) };
        ifindex.unsigned_abs()
    }

    fn has_flag(&self, flag: u32) -> bool {
        // SAFETY: Alive by the type invariant. Changed by holders of RTNL while others read it, so
        // C reads it in one piece too.
        let flags = unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).flags) };
        flags & flag != 0
    }

    /// Has the device been set up by its administrator (`IFF_UP`)?
    pub fn is_up(&self, _rtnl: &Rtnl) -> bool {
        self.has_flag(bindings::net_device_flags_IFF_UP)
    }

    /// Is the device open, as far as its driver knows? Unlike [`NetDevice::is_up`], in any context.
    pub fn is_started(&self) -> bool {
        self.state() & START != 0
    }

    /// Is this a loopback device?
    pub fn is_loopback(&self) -> bool {
        self.has_flag(bindings::net_device_flags_IFF_LOOPBACK)
    }

    /// Does the device receive all frames, whatever their destination?
    pub fn is_promiscuous(&self, _rtnl: &Rtnl) -> bool {
        self.has_flag(bindings::net_device_flags_IFF_PROMISC)
    }

    /// Does the device receive all group-addressed frames?
    pub fn is_all_multicast(&self, _rtnl: &Rtnl) -> bool {
        self.has_flag(bindings::net_device_flags_IFF_ALLMULTI)
    }

    /// Is this an Ethernet device (`ARPHRD_ETHER`)?
    pub fn is_ethernet(&self) -> bool {
        // SAFETY: Alive by the type invariant.
        let (kind, len) = unsafe { ((*self.as_ptr()).type_, (*self.as_ptr()).addr_len) };
        u32::from(kind) == bindings::ARPHRD_ETHER && u32::from(len) == bindings::ETH_ALEN
    }

    /// Is the device unable to send or receive frames with a VLAN's tag?
    pub fn is_vlan_challenged(&self, _rtnl: &Rtnl) -> bool {
        // SAFETY: Alive by the type invariant; features are changed only by holders of RTNL.
        let features = unsafe { (*self.as_ptr()).features };
        features & bindings::NETIF_F_VLAN_CHALLENGED != 0
    }

    /// The MAC address it has now. For an Ethernet device.
    pub fn mac(&self, _rtnl: &Rtnl) -> MacAddr {
        // SAFETY: Alive by the type invariant. `dev_addr` has room for the longest address there
        // is, and is changed only by a holder of RTNL.
        MacAddr::new(unsafe { (*self.as_ptr()).dev_addr.cast::<[u8; 6]>().read() })
    }

    /// The MAC address it was made with, whatever it has now. For an Ethernet device. `None` for
    /// most virtual devices, to which none was given.
    pub fn permanent_mac(&self, _rtnl: &Rtnl) -> Option<MacAddr> {
        // SAFETY: Alive by the type invariant. There is room for the longest address there is; and
        // whoever writes it holds RTNL, or does so before the device is registered.
        let octets = unsafe {
            (&raw const (*self.as_ptr()).perm_addr)
                .cast::<[u8; 6]>()
                .read()
        };
        Some(MacAddr::new(octets)).filter(MacAddr::is_valid_station)
    }

    /// Where its MAC address comes from.
    pub fn mac_source(&self, _rtnl: &Rtnl) -> AddrSource {
        // SAFETY: Alive by the type invariant; changed only by a holder of RTNL.
        match u32::from(unsafe { (*self.as_ptr()).addr_assign_type }) {
            bindings::NET_ADDR_PERM => AddrSource::Permanent,
            bindings::NET_ADDR_RANDOM => AddrSource::Random,
            bindings::NET_ADDR_STOLEN => AddrSource::Stolen,
            _ => AddrSource::Set,
        }
    }

    /// Gives the device another MAC address, as its administrator would.
    ///
    /// # Errors
    ///
    /// What its driver or another user of the device says against it; `extack` may say why.
    pub fn set_mac(&self, mac: MacAddr, extack: &mut ExtAck<'_>, _rtnl: &Rtnl) -> Result {
        let mut addr = bindings::__kernel_sockaddr_storage::default();
        // SAFETY: A socket address begins with the family, and then has more than six octets. All
        // zeroes and any octets are fine for both.
        unsafe {
            let raw: *mut bindings::sockaddr = (&raw mut addr).cast();
            (*raw).sa_family = (*self.as_ptr()).type_;
            (&raw mut (*raw).sa_data).cast::<MacAddr>().write(mac);
        }
        // SAFETY: The device is alive, RTNL is held, and the address is valid for the call.
        to_result(unsafe {
            bindings::dev_set_mac_address(self.as_ptr(), &mut addr, extack.as_ptr())
        })
    }

    /// Gives the device back the MAC address it had, if it has another now.
    ///
    /// # Errors
    ///
    /// As [`NetDevice::set_mac`].
    pub fn restore_mac(&self, mac: MacAddr, rtnl: &Rtnl) -> Result {
        if self.mac(rtnl) == mac {
            return Ok(());
        }
        self.set_mac(mac, &mut ExtAck::none(), rtnl)
    }

    /// Largest payload of a frame, in octets.
    pub fn mtu(&self) -> u32 {
        // SAFETY: Alive by the type invariant. Changed by holders of RTNL while others read it, so
        // C reads it in one piece too.
        unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).mtu) }
    }

    /// Sets the largest payload, as the device's administrator would.
    ///
    /// # Errors
    ///
    /// `EINVAL` where it is out of the device's range, and what its driver says against it.
    pub fn set_mtu(&self, mtu: u32, _rtnl: &Rtnl) -> Result {
        let mtu = c_int::try_from(mtu)?;
        // SAFETY: The device is alive, and RTNL is held.
        to_result(unsafe { bindings::dev_set_mtu(self.as_ptr(), mtu) })
    }

    /// Sets the largest payload of a device that is being unregistered, or moved to another network
    /// namespace: nobody is told, since those told would take hold of it again.
    ///
    /// # Errors
    ///
    /// What its driver says against it.
    pub fn set_mtu_silently(&self, mtu: u32, _rtnl: &Rtnl) -> Result {
        let mtu = c_int::try_from(mtu)?;
        // SAFETY: The device is alive, RTNL is held, and the device's lock is taken around the call.
        to_result(unsafe {
            helpers::netdev_lock_ops(self.as_ptr());
            let err = bindings::__netif_set_mtu(self.as_ptr(), mtu);
            helpers::netdev_unlock_ops(self.as_ptr());
            err
        })
    }

    /// Sets the device up, as its administrator would.
    ///
    /// # Errors
    ///
    /// What its driver says against it.
    pub fn open(&self, extack: &mut ExtAck<'_>, _rtnl: &Rtnl) -> Result {
        // SAFETY: The device is alive, and RTNL is held.
        to_result(unsafe { bindings::dev_open(self.as_ptr(), extack.as_ptr()) })
    }

    /// Sets the device down, as its administrator would.
    pub fn close(&self, _rtnl: &Rtnl) {
        // SAFETY: The device is alive, and RTNL is held.
        unsafe { bindings::dev_close(self.as_ptr()) };
    }

    /// Adds a user who wants all frames, or takes one away.
    ///
    /// # Errors
    ///
    /// `EOVERFLOW` with too many users; what the driver says against it.
    pub fn promiscuous(&self, on: bool, _rtnl: &Rtnl) -> Result {
        // SAFETY: The device is alive, and RTNL is held.
        to_result(unsafe { bindings::dev_set_promiscuity(self.as_ptr(), if on { 1 } else { -1 }) })
    }

    /// Adds a user who wants all group-addressed frames, or takes one away.
    ///
    /// # Errors
    ///
    /// As [`NetDevice::promiscuous`].
    pub fn all_multicast(&self, on: bool, _rtnl: &Rtnl) -> Result {
        // SAFETY: The device is alive, and RTNL is held.
        to_result(unsafe { bindings::dev_set_allmulti(self.as_ptr(), if on { 1 } else { -1 }) })
    }

    /// Adds a user who wants the frames to `mac` as well as those to the device's own address. A
    /// device whose hardware cannot filter by several receives all frames. For an Ethernet device.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn add_unicast(&self, mac: MacAddr, _rtnl: &Rtnl) -> Result {
        // SAFETY: As in `add_multicast`.
        to_result(unsafe { bindings::dev_uc_add(self.as_ptr(), mac.octets().as_ptr()) })
    }

    /// Takes such a user away.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is none.
    pub fn remove_unicast(&self, mac: MacAddr, _rtnl: &Rtnl) -> Result {
        // SAFETY: As in `add_multicast`.
        to_result(unsafe { bindings::dev_uc_del(self.as_ptr(), mac.octets().as_ptr()) })
    }

    /// Adds a user who wants the frames to the group address `mac`. For an Ethernet device.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn add_multicast(&self, mac: MacAddr, _rtnl: &Rtnl) -> Result {
        // SAFETY: The device is alive, and its addresses have six octets, as this one. The lock of
        // its lists, which is taken inside, is not held where RTNL is at hand.
        to_result(unsafe { bindings::dev_mc_add(self.as_ptr(), mac.octets().as_ptr()) })
    }

    /// Takes such a user away.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is none.
    pub fn remove_multicast(&self, mac: MacAddr, _rtnl: &Rtnl) -> Result {
        // SAFETY: As in `add_multicast`.
        to_result(unsafe { bindings::dev_mc_del(self.as_ptr(), mac.octets().as_ptr()) })
    }

    /// Keeps IPv6 from giving the device addresses of its own, or allows it again.
    pub fn set_no_addrconf(&self, on: bool, _rtnl: &Rtnl) {
        let flag = bindings::netdev_priv_flags_IFF_NO_ADDRCONF as c_ulong;
        // SAFETY: Alive by the type invariant; changed only by holders of RTNL.
        unsafe {
            let fast = &mut (*self.as_ptr()).__bindgen_anon_1.__bindgen_anon_1;
            let flags = fast.priv_flags();
            fast.set_priv_flags(if on { flags | flag } else { flags & !flag });
        }
    }

    /// Stops the device from merging received frames so that they cannot be forwarded.
    pub fn disable_lro(&self, _rtnl: &Rtnl) {
        // SAFETY: The device is alive, and RTNL is held.
        unsafe { bindings::dev_disable_lro(self.as_ptr()) };
    }

    /// Link speed in Mbit/s and whether it is full duplex. `None` where the driver knows no speed.
    pub fn link_speed(&self, _rtnl: &Rtnl) -> Option<(u32, bool)> {
        // SAFETY: RTNL is held, and the device's lock is taken inside.
        unsafe { self.link_speed_by(bindings::__ethtool_get_link_ksettings) }
    }

    /// The same, by one of two functions.
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

    /// Is `upper` stacked on this device, directly or over others?
    pub fn has_upper(&self, upper: &NetDevice, _rtnl: &Rtnl) -> bool {
        // SAFETY: Both devices are alive, and RTNL is held.
        unsafe { bindings::netdev_has_upper_dev(self.as_ptr(), upper.as_ptr()) }
    }

    /// Is the device stacked on others, as a VLAN is, or a bridge with ports?
    pub fn has_lower(&self, _rtnl: &Rtnl) -> bool {
        // SAFETY: Alive by the type invariant; the list changes only with RTNL held. It is empty if
        // its head is what follows its head.
        unsafe {
            let list = &raw mut (*self.as_ptr()).adj_list.lower;
            !ptr::eq((*list).next, list)
        }
    }

    /// Is it a device that may be given ports: a bridge, a bond, a trunk?
    pub fn takes_ports(&self) -> bool {
        // SAFETY: Alive by the type invariant; a registered device has operations, which are
        // constant.
        unsafe { (*(*self.as_ptr()).netdev_ops).ndo_add_slave.is_some() }
    }

    /// The driver of the hardware behind the device, by name. `None` for most virtual devices.
    pub fn parent_driver<'a>(&'a self, rtnl: &'a Rtnl) -> Option<&'a CStr> {
        let parent = self.parent(rtnl)?;
        // SAFETY: The parent is alive. It is taken from its driver, and the driver away, only after
        // the driver has unregistered this device, for which it needs RTNL. Should it be none that
        // does so, the pointer may still become null at any moment, so it is read once.
        unsafe {
            let driver = ptr::read_volatile(&raw const (*parent.as_ptr()).driver);
            Self::name_at(driver.as_ref()?.name)
        }
    }

    /// The kind of bus that the hardware behind the device is on, as `pci`.
    pub fn parent_bus<'a>(&'a self, rtnl: &'a Rtnl) -> Option<&'a CStr> {
        let parent = self.parent(rtnl)?;
        // SAFETY: The parent is alive, and so is the kind of its bus, which never changes.
        unsafe { Self::name_at((*parent.as_ptr()).bus.as_ref()?.name) }
    }

    fn parent(&self, rtnl: &Rtnl) -> Option<NonNull<bindings::device>> {
        if !self.is_registered(rtnl) {
            return None;
        }
        // SAFETY: Alive by the type invariant. A registered device refers to its parent, and stays
        // registered while RTNL is held.
        NonNull::new(unsafe { (*self.as_ptr()).dev.parent })
    }

    /// # Safety
    ///
    /// `name` must be null, or valid for all of `'a`.
    unsafe fn name_at<'a>(name: *const c_char) -> Option<&'a CStr> {
        // SAFETY: By the safety requirement.
        (!name.is_null()).then(|| unsafe { CStr::from_char_ptr(name) })
    }

    /// Does somebody take the frames that the device receives (a bridge, a macvlan, a bond)?
    pub fn is_rx_handler_busy(&self, _rtnl: &Rtnl) -> bool {
        // SAFETY: The device is alive, and RTNL is held.
        unsafe { bindings::netdev_is_rx_handler_busy(self.as_ptr()) }
    }

    /// The device that this one is enslaved to.
    pub fn master<'a>(&'a self, _rtnl: &'a Rtnl) -> Option<&'a NetDevice> {
        // SAFETY: The device is alive, and RTNL is held.
        let master = unsafe { bindings::netdev_master_upper_dev_get(self.as_ptr()) };
        // SAFETY: The link to the master holds a reference to it, and lasts at least as long as
        // RTNL is held by this thread.
        (!master.is_null()).then(|| unsafe { Self::from_raw(master) })
    }

    /// The same without RTNL.
    pub fn master_rcu<'a>(&'a self, _rcu: &'a Rcu) -> Option<&'a NetDevice> {
        // SAFETY: The device is alive, and this is an RCU read-side critical section.
        let master = unsafe { bindings::netdev_master_upper_dev_get_rcu(self.as_ptr()) };
        // SAFETY: A master that is unlinked may be freed only after it has been unregistered, which
        // waits for such sections.
        (!master.is_null()).then(|| unsafe { Self::from_raw(master) })
    }

    /// Tells those who use the device for themselves that it has become part of another one:
    /// netconsole sends by it no more.
    pub fn has_joined(&self, _rtnl: &Rtnl) {
        // SAFETY: The device is alive, and RTNL is held.
        unsafe { self.notify(bindings::netdev_cmd_NETDEV_JOIN) };
    }

    /// Tells all notifiers.
    ///
    /// # Safety
    ///
    /// RTNL must be held, and `event` be one without further information.
    unsafe fn notify(&self, event: bindings::netdev_cmd) {
        // SAFETY: The device is alive, and by the safety requirement.
        unsafe { bindings::call_netdevice_notifiers(event as c_ulong, self.as_ptr()) };
    }
}

/// A device of the driver `T`.
///
/// # Invariants
///
/// As [`NetDevice`]; the device was made by `T`'s [`LinkOps`](crate::link_ops::LinkOps), and the
/// `T` in its private area is initialised.
#[repr(transparent)]
pub struct Device<T: Driver>(NetDevice, PhantomData<T>);

// SAFETY: As for `NetDevice`; the counter is the same one. The `T` is dropped only when the last
// reference is gone.
unsafe impl<T: Driver> AlwaysRefCounted for Device<T> {
    fn inc_ref(&self) {
        self.0.inc_ref();
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: By the safety requirement there is a reference to give up.
        unsafe { NetDevice::dec_ref(obj.cast()) };
    }
}

impl<T: Driver> Deref for Device<T> {
    type Target = NetDevice;

    #[inline(always)]
    fn deref(&self) -> &NetDevice {
        &self.0
    }
}

impl<T: Driver> Device<T> {
    /// Borrows a device of this driver.
    ///
    /// # Safety
    ///
    /// As [`NetDevice::from_raw`]; the device must be one of this driver, with its private data
    /// initialised.
    #[inline(always)]
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut bindings::net_device) -> &'a Self {
        // SAFETY: By the safety requirement; the type is transparent to `net_device`.
        unsafe { &*ptr.cast() }
    }

    /// Where the private area of a device of this driver is.
    #[inline(always)]
    pub(crate) fn private_area(dev: *mut bindings::net_device) -> *mut T {
        dev.wrapping_byte_add(offset_of!(bindings::net_device, priv_))
            .cast()
    }

    /// `dev` as a device of this driver, if it is one. Not before it is registered.
    pub fn from_netdev(dev: &NetDevice) -> Option<&Self> {
        // SAFETY: Alive by the type invariant; set before anyone sees the device, then constant.
        let ops = unsafe { (*dev.as_ptr()).rtnl_link_ops };
        let ours = ptr::eq(ops, T::link_ops().as_ptr()) && dev.is_initialised();
        // SAFETY: Nobody else has this `LinkOps`, so the device was made by it. The private data
        // are initialised before the device is registered.
        ours.then(|| unsafe { Self::from_raw(dev.as_ptr()) })
    }

    /// The driver's data in this device.
    #[inline(always)]
    pub fn data(&self) -> Pin<&T> {
        // SAFETY: Initialised by the type invariant, and pinned: it neither moves nor is handed out
        // mutably before the device is freed.
        unsafe { Pin::new_unchecked(&*Self::private_area(self.as_ptr())) }
    }

    /// Counts a received frame of `octets`, for `ip -s link`. What a receive handler passes on is
    /// counted without it.
    #[inline(always)]
    pub fn count_received(&self, octets: u32, _context: &RcuBh) {
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

    /// Counts a transmitted frame of `octets`, for `ip -s link`.
    #[inline(always)]
    pub fn count_transmitted(&self, octets: u32, _context: &RcuBh) {
        const FIRST: usize = offset_of!(bindings::pcpu_sw_netstats, tx_packets);
        static_assert!(offset_of!(bindings::pcpu_sw_netstats, tx_bytes) == FIRST + 8);

        // SAFETY: As above.
        unsafe {
            let stats = (*self.as_ptr()).__bindgen_anon_2.tstats;
            if this_cpu_count::<FIRST>(stats.cast(), octets.into()).is_none() {
                helpers::dev_sw_netstats_tx_add(self.as_ptr(), 1, octets);
            }
        }
    }

    /// Tells the stack that the device can send, or that it cannot. In any context.
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

    /// Takes over the MAC address of another device, and tells everybody.
    pub fn steal_mac(&self, mac: MacAddr, _rtnl: &Rtnl) {
        self.write_mac(mac);
        // SAFETY: The device is alive; RTNL, which serialises these, is held.
        unsafe {
            (*self.as_ptr()).addr_assign_type = bindings::NET_ADDR_STOLEN as u8;
            self.notify(bindings::netdev_cmd_NETDEV_CHANGEADDR);
        }
    }

    /// Has whoever uses the device tell its neighbours where it is now: IPv4 and IPv6 by unasked
    /// ARP and neighbour messages, those stacked on it in turn.
    pub fn notify_peers(&self, _rtnl: &Rtnl) {
        // SAFETY: The device is alive, and RTNL is held.
        unsafe { self.notify(bindings::netdev_cmd_NETDEV_NOTIFY_PEERS) };
    }

    /// Has IPv4 and IPv6 report their multicast groups once more, for switches that learn from it
    /// where to send them.
    pub fn rejoin_groups(&self, _rtnl: &Rtnl) {
        // SAFETY: The device is alive, and RTNL is held.
        unsafe { self.notify(bindings::netdev_cmd_NETDEV_RESEND_IGMP) };
    }

    pub(crate) fn write_mac(&self, mac: MacAddr) {
        let octets = mac.octets();
        // SAFETY: The device is alive, and only its own driver, with RTNL held, comes here. An
        // Ethernet address has six octets.
        unsafe {
            bindings::dev_addr_mod(self.as_ptr(), 0, octets.as_ptr().cast(), octets.len());
        }
    }
}
