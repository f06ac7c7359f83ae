// SPDX-License-Identifier: GPL-2.0

//! What the C side calls of a driver: the operations of its devices.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

mod ethtool;
#[cfg(CONFIG_NETPOLL)]
mod netpoll;
mod xdp;

use self::ethtool::EthtoolAdapter;
use crate::{
    addr::MacAddr,
    addr_lists::AddrLists,
    device::{read_once, Device, NetDevice},
    driver::Driver,
    net::Net,
    netlink::ExtAck,
    rcu::RcuBh,
    rtnl::Rtnl,
    setup::Setup,
    skb::SkBuff,
    vlan::Vlan, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop, //
};
use kernel::{
    error::from_result,
    prelude::*, //
};
use netdev_bindings::{self as bindings, helpers};

/// Returns the device that an operation is for, and the evidence that RTNL is held.
///
/// # Safety
///
/// For all of `'a`, `dev` must be an initialised device of the driver `T`, and RTNL must be held.
unsafe fn under_rtnl<'a, T: Driver>(dev: *mut bindings::net_device) -> (&'a Device<T>, &'a Rtnl) {
    // SAFETY: By the safety requirement.
    let rtnl = unsafe { Rtnl::assume_held() };
    // SAFETY: By the safety requirement.
    (unsafe { Device::from_raw(dev) }, rtnl)
}

/// Returns a callback for operations in C, if the driver has what it calls.
pub(crate) const fn optional<F: Copy>(has: bool, callback: F) -> Option<F> {
    if has {
        Some(callback)
    } else {
        None
    }
}

/// The C side of a [`Driver`].
///
/// Each callback is for the operations of this driver's devices alone. What it is called with, and
/// under which locks, is what `struct net_device_ops` documents.
pub(crate) struct Adapter<T: Driver>(PhantomData<T>);

impl<T: Driver> Adapter<T> {
    /// What udev shows of the devices as `DEVTYPE`.
    const TYPE: bindings::device_type = bindings::device_type {
        name: kernel::str::as_char_ptr_in_const_context(T::KIND).cast(),
        ..pin_init::zeroed()
    };

    const OPS: bindings::net_device_ops = bindings::net_device_ops {
        ndo_init: Some(Self::init),
        ndo_uninit: Some(Self::uninit),
        ndo_start_xmit: Some(Self::start_xmit),
        ndo_validate_addr: Some(bindings::eth_validate_addr),
        ndo_open: optional(T::HAS_OPEN, Self::open),
        ndo_stop: optional(T::HAS_STOP, Self::stop),
        ndo_get_stats64: optional(T::HAS_LINK_STATS, Self::link_stats),
        ndo_set_mac_address: if T::HAS_SET_MAC {
            Some(Self::set_mac)
        } else {
            Some(bindings::eth_mac_addr)
        },
        ndo_change_mtu: optional(T::HAS_CHANGE_MTU, Self::change_mtu),
        ndo_set_rx_mode: optional(T::HAS_SET_RX_MODE, Self::set_rx_mode),
        ndo_change_rx_flags: optional(T::HAS_CHANGE_RX_FLAGS, Self::change_rx_flags),
        ndo_vlan_rx_add_vid: optional(T::HAS_ADD_VLAN, Self::add_vlan),
        ndo_vlan_rx_kill_vid: optional(T::HAS_REMOVE_VLAN, Self::remove_vlan),
        #[cfg(CONFIG_NETPOLL)]
        ndo_netpoll_setup: optional(T::HAS_TRANSMIT_NETPOLL, Self::set_up_netpoll),
        #[cfg(CONFIG_NETPOLL)]
        ndo_netpoll_cleanup: optional(T::HAS_TRANSMIT_NETPOLL, Self::end_netpoll),
        #[cfg(CONFIG_NETPOLL)]
        ndo_poll_controller: optional(T::HAS_POLL, Self::poll),
        // The port chooses its queue itself.
        ndo_select_queue: optional(T::HAS_ADD_PORT, Self::select_queue),
        ndo_add_slave: optional(T::HAS_ADD_PORT, Self::add_port),
        ndo_del_slave: optional(T::HAS_DEL_PORT, Self::del_port),
        ndo_bpf: optional(T::HAS_SET_PROGRAM, Self::bpf),
        ndo_xdp_xmit: optional(T::HAS_TRANSMIT_XDP, Self::xdp_xmit),
        // The core adapts frames to what a port can do when the port gets them.
        ndo_features_check: optional(T::HAS_ADD_PORT, bindings::passthru_features_check),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// For `rtnl_link_ops` alone: `dev` is allocated and not registered.
    pub(crate) unsafe extern "C" fn setup(dev: *mut bindings::net_device) {
        // SAFETY: By the safety requirement.
        unsafe { bindings::ether_setup(dev) };
        // SAFETY: By the safety requirement, the device is not used otherwise.
        let raw = unsafe { &mut *dev };
        raw.netdev_ops = &Self::OPS;
        raw.ethtool_ops = &EthtoolAdapter::<T>::OPS;
        raw.dev.type_ = &Self::TYPE;
        raw.needs_free_netdev = true;
        raw.set_pcpu_stat_type(bindings::netdev_stat_type_NETDEV_PCPU_STAT_TSTATS);
        raw.priv_destructor = Some(Self::destroy);
        // SAFETY: By the safety requirement, the device is not used otherwise.
        let mut setup = unsafe { Setup::new(dev) };
        // `SkBuff` relies on this: there is no other reference to a frame that the driver gets.
        setup.change_flags(bindings::netdev_priv_flags_IFF_TX_SKB_SHARING, 0);
        if !T::HAS_TRANSMIT_NETPOLL {
            // Its frames come with interrupts disabled, which `transmit` is not made for.
            setup.change_flags(0, bindings::netdev_priv_flags_IFF_DISABLE_NETPOLL);
        }
        T::setup(&mut setup);
    }

    /// # Safety
    ///
    /// See [`Adapter`]. Called once, before anything but `setup`.
    unsafe extern "C" fn init(dev: *mut bindings::net_device) -> c_int {
        // SAFETY: Registration happens under RTNL.
        let rtnl = unsafe { Rtnl::assume_held() };
        // SAFETY: The device is set up.
        let netdev = unsafe { NetDevice::from_raw(dev) };
        // SAFETY: The device's locks are not taken yet.
        unsafe { helpers::netdev_lockdep_set_classes(dev) };
        // SAFETY: The device is one of the driver, and not used otherwise yet.
        unsafe { Device::<T>::init_work(dev) };
        // SAFETY: The device is one of the driver, and not used otherwise yet.
        unsafe { Device::<T>::init_timer(dev) };
        let data = T::new(netdev.mac(rtnl));
        // SAFETY: The private area has room for a `T` and its alignment, by `LinkOps::new`. It
        // does not move, and `destroy` drops what is in it exactly if this succeeds.
        match unsafe { data.__init(Device::<T>::private_area(dev)) } {
            Ok(()) => 0,
            Err(err) => err.to_errno(),
        }
    }

    /// # Safety
    ///
    /// See [`Adapter`]. Called once after a successful `init`, when there are no references to the
    /// device.
    unsafe extern "C" fn destroy(dev: *mut bindings::net_device) {
        // SAFETY: By the safety requirement.
        unsafe { Device::<T>::destroy_work(dev) };
        // SAFETY: Initialised by `init`, and not used any more.
        unsafe { core::ptr::drop_in_place(Device::<T>::private_area(dev)) };
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn uninit(dev: *mut bindings::net_device) {
        // SAFETY: The device was initialised, and its registration ends under RTNL.
        let (dev, rtnl) = unsafe { under_rtnl::<T>(dev) };
        // A device whose registration failed is freed even if there are references to it, so the driver
        // must not get to know it.
        if !dev.may_be_kept() {
            return;
        }
        dev.stop_timer(rtnl);
        if T::HAS_UNINIT {
            // SAFETY: The device's namespace ends after its devices have been unregistered.
            let net = unsafe { Net::from_raw(helpers::dev_net(dev.as_ptr())) };
            T::uninit(dev, net, rtnl);
        }
        dev.release_all(rtnl);
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    #[inline(never)] // There is one of it, into which `T::transmit` is inlined.
    unsafe extern "C" fn start_xmit(
        skb: *mut bindings::sk_buff,
        dev: *mut bindings::net_device,
    ) -> bindings::netdev_tx_t {
        // SAFETY: Frames are sent through registered devices.
        let dev = unsafe { Device::<T>::from_raw(dev) };
        // SAFETY: The frame is the driver's from here on. It is not shared, as `setup` has cleared the
        // flag that allows it.
        let skb = unsafe { SkBuff::from_raw(skb) };
        // SAFETY: Frames are sent under RCU with bottom halves disabled. Netpoll alone sends with
        // interrupts disabled, and uses the operations that `set_up_netpoll` gives the device.
        let context = unsafe { RcuBh::assume() };
        T::transmit(dev, skb, context).into_raw()
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn open(dev: *mut bindings::net_device) -> c_int {
        // SAFETY: Called for a registered device of the driver, with RTNL held.
        let (dev, rtnl) = unsafe { under_rtnl::<T>(dev) };
        from_result(|| T::open(dev, rtnl).map(|()| 0))
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn stop(dev: *mut bindings::net_device) -> c_int {
        // SAFETY: Called for a registered device of the driver, with RTNL held.
        let (dev, rtnl) = unsafe { under_rtnl::<T>(dev) };
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
        // SAFETY: `LinkStats` is transparent to what `stats` points to, which is not used otherwise.
        let (dev, stats) = unsafe { (Device::<T>::from_raw(dev), &mut *stats.cast()) };
        T::link_stats(dev, stats);
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn set_mac(dev: *mut bindings::net_device, addr: *mut c_void) -> c_int {
        // SAFETY: Called for a registered device of the driver, with RTNL held.
        let (dev, rtnl) = unsafe { under_rtnl::<T>(dev) };
        // SAFETY: `addr` is a socket address with as many bytes as the device's addresses have.
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
        // SAFETY: Called for a registered device of the driver, with RTNL held.
        let (netdev, rtnl) = unsafe { under_rtnl::<T>(dev) };
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
        // SAFETY: The lock of the address lists is held to the end of this call.
        let lists = unsafe { AddrLists::assume_locked(dev) };
        // SAFETY: RCU was locked above, and the lock of the address lists disables bottom halves.
        let context = unsafe { RcuBh::assume() };
        T::set_rx_mode(dev, lists, context);
        drop(rcu);
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn change_rx_flags(dev: *mut bindings::net_device, changed: c_int) {
        // SAFETY: Called for a registered device of the driver, with RTNL held.
        let (dev, rtnl) = unsafe { under_rtnl::<T>(dev) };
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
    unsafe extern "C" fn add_vlan(
        dev: *mut bindings::net_device,
        proto: bindings::__be16,
        id: u16,
    ) -> c_int {
        // SAFETY: Called for a registered device of the driver, with RTNL held.
        let (dev, rtnl) = unsafe { under_rtnl::<T>(dev) };
        from_result(|| T::add_vlan(dev, Vlan::from_raw(proto, id), rtnl).map(|()| 0))
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn remove_vlan(
        dev: *mut bindings::net_device,
        proto: bindings::__be16,
        id: u16,
    ) -> c_int {
        // SAFETY: Called for a registered device of the driver, with RTNL held.
        let (dev, rtnl) = unsafe { under_rtnl::<T>(dev) };
        T::remove_vlan(dev, Vlan::from_raw(proto, id), rtnl);
        0
    }

    /// Returns which of the device's own queues a frame takes, if the user has given it several. The
    /// frame keeps the number of the queue it was received by, which is stored in the same place: a port
    /// chooses one of its queues by that. The device's own queues are all alike.
    ///
    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn select_queue(
        dev: *mut bindings::net_device,
        skb: *mut bindings::sk_buff,
        _subordinate: *mut bindings::net_device,
    ) -> u16 {
        // SAFETY: A valid frame. It is only borrowed, so it is not dropped.
        let skb = unsafe { ManuallyDrop::new(SkBuff::from_raw(skb)) };
        // SAFETY: A registered device.
        let dev = unsafe { NetDevice::from_raw(dev) };
        let queues = read_once!(dev, real_num_tx_queues);
        let queue = skb.queue_mapping();
        if u32::from(queue) < queues {
            queue
        } else {
            0
        }
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn add_port(
        dev: *mut bindings::net_device,
        port: *mut bindings::net_device,
        extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        // SAFETY: Called for a registered device of the driver, with RTNL held.
        let (dev, rtnl) = unsafe { under_rtnl::<T>(dev) };
        // SAFETY: The port is a registered device, and stays one while RTNL is held.
        let port = unsafe { NetDevice::from_raw(port) };
        // SAFETY: `extack` is null, or this call's alone.
        let mut extack = unsafe { ExtAck::from_raw(extack) };
        from_result(|| T::add_port(dev, port, &mut extack, rtnl).map(|()| 0))
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn del_port(
        dev: *mut bindings::net_device,
        port: *mut bindings::net_device,
    ) -> c_int {
        // SAFETY: Called for a registered device of the driver, with RTNL held.
        let (dev, rtnl) = unsafe { under_rtnl::<T>(dev) };
        // SAFETY: The port is a registered device, and stays one while RTNL is held.
        let port = unsafe { NetDevice::from_raw(port) };
        from_result(|| T::del_port(dev, port, rtnl).map(|()| 0))
    }
}
