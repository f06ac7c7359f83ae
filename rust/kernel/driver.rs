// SPDX-License-Identifier: GPL-2.0

//! Drivers: what makes a device work.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    addr::MacAddr,
    device::{Device, NetDevice},
    ethtool::{self, LinkSettings},
    features::Features,
    link_ops::LinkOps,
    netlink::ExtAck,
    rcu::RcuBh,
    rtnl::Rtnl,
    rx_handler::RxHandler,
    skb::SkBuff,
    stats::LinkStats,
    upper::AddrLists, //
};
use core::marker::PhantomData;
use kernel::{
    error::{from_result, VTABLE_DEFAULT_ERROR},
    prelude::*, //
};
use netdev_bindings::{self as bindings, helpers};

/// A driver of virtual Ethernet devices, made by `ip link add NAME type KIND`. A value of the type
/// is the driver's data in one device: it lives in the device's private area, from the registration
/// of the device until nobody refers to the device any more.
///
/// Callbacks run on any CPU and, but for those that are handed an [`Rtnl`], several at once: hence
/// `Send`, `Sync` and shared references everywhere.
#[vtable]
pub trait Driver: Send + Sync + Sized + 'static {
    /// Name of the kind.
    const KIND: &'static CStr;

    /// Names of the figures of [`Driver::statistics`].
    const STATISTICS: &'static [&'static CStr] = &[];

    /// The driver's data of a port, for a driver of master devices.
    /// [`NoPorts`](crate::rx_handler::NoPorts) for any other.
    type Port: RxHandler<Upper = Self>;

    /// The one static of this driver.
    fn link_ops() -> &'static LinkOps<Self>;

    /// Says what sort of device it is.
    fn setup(setup: &mut Setup);

    /// The data of a new device, which is not registered yet.
    fn new(dev: &NetDevice, rtnl: &Rtnl) -> impl PinInit<Self, Error>;

    /// Sends a frame, or drops it.
    fn transmit(dev: &Device<Self>, skb: SkBuff, context: &RcuBh);

    /// The device has been set down.
    fn stop(_dev: &Device<Self>, _rtnl: &Rtnl) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The device goes away. Ports left after this are released by the abstraction.
    fn uninit(_dev: &Device<Self>, _rtnl: &Rtnl) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Completes the figures that `ip -s link` shows. Those of [`Device::count_received`] and
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

    /// The addresses that the device wants to receive have changed. Bottom halves are disabled.
    fn set_rx_mode(_dev: &Device<Self>, _lists: AddrLists<'_, Self>, _rcu: &RcuBh) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The device has become promiscuous or ceased to be, or the same with all multicast: `Some` is
    /// what has changed.
    fn change_rx_flags(
        _dev: &Device<Self>,
        _promiscuous: Option<bool>,
        _all_multicast: Option<bool>,
        _rtnl: &Rtnl,
    ) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// `ip link set PORT master DEVICE`.
    fn add_port(
        _dev: &Device<Self>,
        _port: &NetDevice,
        _extack: &mut ExtAck,
        _rtnl: &Rtnl,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// `ip link set PORT nomaster`.
    fn del_port(_dev: &Device<Self>, _port: &NetDevice, _rtnl: &Rtnl) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// What `ethtool DEVICE` shows.
    fn link_settings(_dev: &Device<Self>, _rtnl: &Rtnl) -> LinkSettings {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// What `ethtool -S DEVICE` shows: a figure for each name.
    fn statistics(_dev: &Device<Self>, _figures: &mut [u64]) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// A device that is being set up: an Ethernet device, with what is said here added.
pub struct Setup(*mut bindings::net_device);

impl Setup {
    fn raw(&mut self) -> &mut bindings::net_device {
        // SAFETY: `Adapter::setup` makes an instance for a device nobody else knows of yet.
        unsafe { &mut *self.0 }
    }

    fn change_flags(
        &mut self,
        clear: bindings::netdev_priv_flags,
        set: bindings::netdev_priv_flags,
    ) {
        // SAFETY: Both views of the union are the same bits.
        let fast = unsafe { &mut self.raw().__bindgen_anon_1.__bindgen_anon_1 };
        let flags = fast.priv_flags() & !(clear as c_ulong) | set as c_ulong;
        fast.set_priv_flags(flags);
    }

    /// Frames are not queued, and are sent on any number of CPUs at once.
    pub fn queueless(&mut self) -> &mut Self {
        self.change_flags(0, bindings::netdev_priv_flags_IFF_NO_QUEUE);
        // SAFETY: Both views of the union are the same bits.
        unsafe { self.raw().__bindgen_anon_1.__bindgen_anon_1.set_lltx(1) };
        self
    }

    /// The frames given to the device go on to another one: they must not be shared, and keep their
    /// route for its sake. It filters no addresses itself.
    pub fn stacked(&mut self) -> &mut Self {
        self.change_flags(
            bindings::netdev_priv_flags_IFF_XMIT_DST_RELEASE
                | bindings::netdev_priv_flags_IFF_TX_SKB_SHARING,
            bindings::netdev_priv_flags_IFF_UNICAST_FLT,
        );
        self
    }

    /// The MAC address may be changed while the device is up.
    pub fn live_address_change(&mut self) -> &mut Self {
        self.change_flags(0, bindings::netdev_priv_flags_IFF_LIVE_ADDR_CHANGE);
        self
    }

    /// The device stays in the network namespace it was made in.
    pub fn netns_immutable(&mut self) -> &mut Self {
        self.raw().set_netns_immutable(1);
        self
    }

    /// It has no carrier until told otherwise.
    pub fn no_carrier(&mut self) -> &mut Self {
        // SAFETY: The device is allocated, and not registered yet.
        unsafe { bindings::netif_carrier_off(self.0) };
        self
    }

    /// The largest MTU there may be, in octets.
    pub fn max_mtu(&mut self, mtu: u32) -> &mut Self {
        self.raw().max_mtu = mtu;
        self
    }

    /// Begins with a random MAC address.
    pub fn random_mac(&mut self) -> &mut Self {
        // SAFETY: The device is allocated, and not registered yet.
        unsafe { helpers::eth_hw_addr_random(self.0) };
        self
    }

    /// What the device can do, all of which the user may switch off.
    pub fn features(&mut self, features: Features) -> &mut Self {
        let dev = self.raw();
        dev.hw_features |= features.0;
        dev.features |= features.0;
        self
    }
}

/// The C side of a [`Driver`].
///
/// Every callback is for the operations of this driver's devices alone: what they are called with,
/// and under which locks, is what `struct net_device_ops` documents.
pub(crate) struct Adapter<T: Driver>(PhantomData<T>);

impl<T: Driver> Adapter<T> {
    const OPS: bindings::net_device_ops = bindings::net_device_ops {
        ndo_init: Some(Self::init),
        ndo_uninit: Some(Self::uninit),
        ndo_start_xmit: Some(Self::start_xmit),
        ndo_validate_addr: Some(bindings::eth_validate_addr),
        ndo_stop: if T::HAS_STOP { Some(Self::stop) } else { None },
        ndo_get_stats64: if T::HAS_LINK_STATS {
            Some(Self::link_stats)
        } else {
            None
        },
        ndo_set_mac_address: if T::HAS_SET_MAC {
            Some(Self::set_mac)
        } else {
            Some(bindings::eth_mac_addr)
        },
        ndo_change_mtu: if T::HAS_CHANGE_MTU {
            Some(Self::change_mtu)
        } else {
            None
        },
        ndo_set_rx_mode: if T::HAS_SET_RX_MODE {
            Some(Self::set_rx_mode)
        } else {
            None
        },
        ndo_change_rx_flags: if T::HAS_CHANGE_RX_FLAGS {
            Some(Self::change_rx_flags)
        } else {
            None
        },
        ndo_add_slave: if T::HAS_ADD_PORT {
            Some(Self::add_port)
        } else {
            None
        },
        ndo_del_slave: if T::HAS_DEL_PORT {
            Some(Self::del_port)
        } else {
            None
        },
        // Frames that a port cannot take as they are, the core makes fit at the port.
        ndo_features_check: if T::HAS_ADD_PORT {
            Some(bindings::passthru_features_check)
        } else {
            None
        },
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// For `rtnl_link_ops` alone: `dev` is allocated and not registered.
    pub(crate) unsafe extern "C" fn setup(dev: *mut bindings::net_device) {
        // SAFETY: By the safety requirement.
        unsafe { bindings::ether_setup(dev) };
        // SAFETY: By the safety requirement, nobody else uses the device.
        let raw = unsafe { &mut *dev };
        raw.netdev_ops = &Self::OPS;
        raw.ethtool_ops = &ethtool::Adapter::<T>::OPS;
        raw.needs_free_netdev = true;
        raw.set_pcpu_stat_type(bindings::netdev_stat_type_NETDEV_PCPU_STAT_TSTATS);
        raw.priv_destructor = Some(Self::destroy);
        T::setup(&mut Setup(dev));
    }

    /// # Safety
    ///
    /// See [`Adapter`]. Called once, before anything but `setup`.
    unsafe extern "C" fn init(dev: *mut bindings::net_device) -> c_int {
        // SAFETY: Registration happens under RTNL, and the device is set up.
        let (netdev, rtnl) = unsafe { (NetDevice::from_raw(dev), Rtnl::assume_held()) };
        // SAFETY: Nobody takes the device's locks yet.
        unsafe { helpers::netdev_lockdep_set_classes(dev) };
        let data = T::new(netdev, rtnl);
        // SAFETY: The private area has the size of `T` and its alignment, by `LinkOps::new`. It
        // does not move, and `destroy` drops what is in it exactly if this succeeds.
        match unsafe { data.__init(Device::<T>::private_area(dev)) } {
            Ok(()) => 0,
            Err(err) => err.to_errno(),
        }
    }

    /// # Safety
    ///
    /// See [`Adapter`]. Called once after a successful `init`, when nobody refers to the device.
    unsafe extern "C" fn destroy(dev: *mut bindings::net_device) {
        // SAFETY: Initialised by `init`, and used by nobody any more.
        unsafe { core::ptr::drop_in_place(Device::<T>::private_area(dev)) };
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn uninit(dev: *mut bindings::net_device) {
        // SAFETY: The device was initialised, and is being unregistered under RTNL.
        let (dev, rtnl) = unsafe { (Device::<T>::from_raw(dev), Rtnl::assume_held()) };
        if T::HAS_UNINIT {
            T::uninit(dev, rtnl);
        }
        dev.release_all(rtnl);
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn start_xmit(
        skb: *mut bindings::sk_buff,
        dev: *mut bindings::net_device,
    ) -> bindings::netdev_tx_t {
        // SAFETY: Frames are sent through registered devices, under RCU with bottom halves or
        // interrupts disabled, and are the driver's from here on.
        let (dev, skb, context) = unsafe {
            (
                Device::<T>::from_raw(dev),
                SkBuff::from_raw(skb),
                RcuBh::assume(),
            )
        };
        T::transmit(dev, skb, context);
        bindings::netdev_tx_NETDEV_TX_OK
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn stop(dev: *mut bindings::net_device) -> c_int {
        // SAFETY: A registered device, under RTNL.
        let (dev, rtnl) = unsafe { (Device::<T>::from_raw(dev), Rtnl::assume_held()) };
        T::stop(dev, rtnl);
        0
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn link_stats(
        dev: *mut bindings::net_device,
        stats: *mut bindings::rtnl_link_stats64,
    ) {
        // SAFETY: A registered device, with the counters this function sums up; `stats` is valid.
        unsafe { bindings::dev_get_tstats64(dev, stats) };
        // SAFETY: `LinkStats` is transparent to what `stats` points to, and nobody else uses it.
        let (dev, stats) = unsafe { (Device::<T>::from_raw(dev), &mut *stats.cast()) };
        T::link_stats(dev, stats);
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn set_mac(dev: *mut bindings::net_device, addr: *mut c_void) -> c_int {
        // SAFETY: A registered device, under RTNL.
        let (dev, rtnl) = unsafe { (Device::<T>::from_raw(dev), Rtnl::assume_held()) };
        // SAFETY: `addr` is a socket address with as many octets as the device's addresses have.
        let mac = MacAddr::new(unsafe {
            let sa_data = &raw const (*addr.cast::<bindings::sockaddr>()).sa_data;
            sa_data.cast::<[u8; 6]>().read()
        });
        from_result(|| {
            if !mac.is_valid_station() {
                return Err(EADDRNOTAVAIL);
            }
            T::set_mac(dev, mac, rtnl)?;
            dev.write_mac(mac);
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn change_mtu(dev: *mut bindings::net_device, mtu: c_int) -> c_int {
        // SAFETY: A registered device, under RTNL.
        let (netdev, rtnl) = unsafe { (Device::<T>::from_raw(dev), Rtnl::assume_held()) };
        from_result(|| {
            let mtu = u32::try_from(mtu)?;
            T::change_mtu(netdev, mtu, rtnl)?;
            // SAFETY: The device is alive; others read the MTU in one piece.
            unsafe { core::ptr::write_volatile(&raw mut (*dev).mtu, mtu) };
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn set_rx_mode(dev: *mut bindings::net_device) {
        // SAFETY: A registered device.
        let dev = unsafe { Device::<T>::from_raw(dev) };
        let rcu = kernel::sync::rcu::read_lock();
        // SAFETY: The lock of the address lists is held, and it disables bottom halves; RCU was
        // locked above.
        let (lists, context) = unsafe { (AddrLists::assume_locked(dev), RcuBh::assume()) };
        T::set_rx_mode(dev, lists, context);
        drop(rcu);
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn change_rx_flags(dev: *mut bindings::net_device, changed: c_int) {
        // SAFETY: A registered device, under RTNL.
        let (dev, rtnl) = unsafe { (Device::<T>::from_raw(dev), Rtnl::assume_held()) };
        let changed = |flag: u32| changed as u32 & flag != 0;
        T::change_rx_flags(
            dev,
            changed(bindings::net_device_flags_IFF_PROMISC).then(|| dev.is_promiscuous(rtnl)),
            changed(bindings::net_device_flags_IFF_ALLMULTI).then(|| dev.is_all_multicast(rtnl)),
            rtnl,
        );
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn add_port(
        dev: *mut bindings::net_device,
        port: *mut bindings::net_device,
        extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        // SAFETY: Registered devices, under RTNL; `extack` is null, or this call's alone.
        let (dev, port, mut extack, rtnl) = unsafe {
            (
                Device::<T>::from_raw(dev),
                NetDevice::from_raw(port),
                ExtAck::from_raw(extack),
                Rtnl::assume_held(),
            )
        };
        from_result(|| T::add_port(dev, port, &mut extack, rtnl).map(|()| 0))
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn del_port(
        dev: *mut bindings::net_device,
        port: *mut bindings::net_device,
    ) -> c_int {
        // SAFETY: Registered devices, under RTNL.
        let (dev, port, rtnl) = unsafe {
            (
                Device::<T>::from_raw(dev),
                NetDevice::from_raw(port),
                Rtnl::assume_held(),
            )
        };
        from_result(|| T::del_port(dev, port, rtnl).map(|()| 0))
    }
}
