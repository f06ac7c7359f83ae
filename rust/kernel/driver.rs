// SPDX-License-Identifier: GPL-2.0

//! Drivers: what makes a device work.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    addr::MacAddr,
    device::{Device, NetDevice},
    ethtool::{self, LinkSettings},
    features::Features,
    link_ops::{self, LinkOps},
    netlink::{
        Attributes,
        ExtAck,
        Message, //
    },
    rcu::RcuBh,
    rtnl::Rtnl,
    rx_handler::RxHandler,
    skb::{SkBuff, Xmit},
    stats::LinkStats,
    upper::AddrLists,
    vlan::Vlan,
    xdp::{Frames, Program}, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop, //
};
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

    /// What [`Driver::configure`] may be asked for.
    fn settings() -> Option<link_ops::Settings> {
        None
    }

    /// `ip link set NAME type KIND SETTING…`, and of a new device `ip link add`. The policy has
    /// checked types, lengths and ranges. All of it is done, or nothing.
    ///
    /// # Errors
    ///
    /// An error takes a new device back.
    fn configure(
        _dev: &Device<Self>,
        _settings: Attributes<'_>,
        _extack: &mut ExtAck<'_>,
        _rtnl: &Rtnl,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Octets that are enough for what [`Driver::describe`] writes.
    const DESCRIPTION_SIZE: usize = 0;

    /// What link messages tell of the device beyond what they do of any, as `IFLA_INFO_XSTATS`,
    /// which those who do not know the kind pass over.
    fn describe(_dev: &Device<Self>, _message: &mut Message<'_>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The data of a new device of that MAC address, which is not registered yet.
    fn new(mac: MacAddr) -> impl PinInit<Self, Error>;

    /// Sends a frame, or drops it. Returns what its sender is told: of a frame that goes on to another
    /// device, what [`SkBuff::transmit`] has returned.
    fn transmit(dev: &Device<Self>, skb: SkBuff, context: &RcuBh) -> Xmit;

    /// The device is being set up: [`NetDevice::is_started`] is true already, and
    /// [`NetDevice::is_up`] is not yet.
    ///
    /// # Errors
    ///
    /// An error leaves it down; [`Driver::stop`] does not follow then.
    fn open(_dev: &Device<Self>, _rtnl: &Rtnl) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The device has been set down.
    fn stop(_dev: &Device<Self>, _rtnl: &Rtnl) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The registered device goes away. Ports left after this are released by the abstraction.
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

    /// The device is to receive the frames of another VLAN.
    ///
    /// # Errors
    ///
    /// Forbids whoever asks for it to use the VLAN. Nothing should be changed then.
    fn add_vlan(_dev: &Device<Self>, _vlan: Vlan, _rtnl: &Rtnl) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// It need not receive them any more.
    fn remove_vlan(_dev: &Device<Self>, _vlan: Vlan, _rtnl: &Rtnl) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Netpoll is about to send by the device: frames come with interrupts disabled then, in any
    /// context. Without this, it sends by the device as anybody does.
    ///
    /// # Errors
    ///
    /// Forbids it.
    fn set_up_netpoll(_dev: &Device<Self>, _rtnl: &Rtnl) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// It does so no more.
    fn end_netpoll(_dev: &Device<Self>, _rtnl: &Rtnl) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sees to what has been received and sent, for netpoll. Interrupts are disabled.
    fn poll(_dev: &Device<Self>, _context: &RcuBh) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// `ip link set PORT master DEVICE`.
    fn add_port(
        _dev: &Device<Self>,
        _port: &NetDevice,
        _extack: &mut ExtAck<'_>,
        _rtnl: &Rtnl,
    ) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// `ip link set PORT nomaster`.
    fn del_port(_dev: &Device<Self>, _port: &NetDevice, _rtnl: &Rtnl) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// `ip link set DEVICE xdp …`: has `program` see the frames that the device receives, instead of
    /// what did before; or none any more.
    ///
    /// # Errors
    ///
    /// An error leaves it as it was. There should be none without a program: nobody expects it.
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

    /// What was scheduled with [`Device::schedule_work`]. In process context, without a lock; never
    /// twice at a time for one device. The device is registered when this begins, and may be
    /// unregistered meanwhile: take RTNL and ask [`NetDevice::is_registered`] for what depends on
    /// it.
    fn work(_dev: &Device<Self>) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// What a [`Timer`](crate::timer::Timer) is for. In a softirq; never twice at a time for one
    /// timer. Says at which nanosecond of `CLOCK_MONOTONIC` it is due again: at once, if that is
    /// over, and never with `None`.
    fn timer(_dev: &Device<Self>, _context: &RcuBh) -> Option<u64> {
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
        ndo_open: if T::HAS_OPEN { Some(Self::open) } else { None },
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
        ndo_vlan_rx_add_vid: if T::HAS_ADD_VLAN {
            Some(Self::add_vlan)
        } else {
            None
        },
        ndo_vlan_rx_kill_vid: if T::HAS_REMOVE_VLAN {
            Some(Self::remove_vlan)
        } else {
            None
        },
        #[cfg(CONFIG_NETPOLL)]
        ndo_netpoll_setup: if T::HAS_SET_UP_NETPOLL {
            Some(Self::set_up_netpoll)
        } else {
            None
        },
        #[cfg(CONFIG_NETPOLL)]
        ndo_netpoll_cleanup: if T::HAS_END_NETPOLL {
            Some(Self::end_netpoll)
        } else {
            None
        },
        #[cfg(CONFIG_NETPOLL)]
        ndo_poll_controller: if T::HAS_POLL { Some(Self::poll) } else { None },
        // What queue a port takes is for the port to say.
        ndo_select_queue: if T::HAS_ADD_PORT {
            Some(Self::select_queue)
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
        ndo_bpf: if T::HAS_SET_PROGRAM {
            Some(Self::bpf)
        } else {
            None
        },
        ndo_xdp_xmit: if T::HAS_TRANSMIT_XDP {
            Some(Self::xdp_xmit)
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
        // SAFETY: As above.
        unsafe { Device::<T>::init_work(dev) };
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
    /// See [`Adapter`]. Called once after a successful `init`, when nobody refers to the device.
    unsafe extern "C" fn destroy(dev: *mut bindings::net_device) {
        // SAFETY: By the safety requirement.
        unsafe { Device::<T>::destroy_work(dev) };
        // SAFETY: Initialised by `init`, and used by nobody any more.
        unsafe { core::ptr::drop_in_place(Device::<T>::private_area(dev)) };
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn uninit(dev: *mut bindings::net_device) {
        // SAFETY: The device was initialised, and is being unregistered under RTNL.
        let (dev, rtnl) = unsafe { (Device::<T>::from_raw(dev), Rtnl::assume_held()) };
        // One that could not be registered is freed whoever refers to it, so nobody must.
        if !dev.may_be_kept() {
            return;
        }
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
        T::transmit(dev, skb, context).into_raw()
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn open(dev: *mut bindings::net_device) -> c_int {
        // SAFETY: A registered device, under RTNL.
        let (dev, rtnl) = unsafe { (Device::<T>::from_raw(dev), Rtnl::assume_held()) };
        from_result(|| T::open(dev, rtnl).map(|()| 0))
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
    unsafe extern "C" fn add_vlan(
        dev: *mut bindings::net_device,
        proto: bindings::__be16,
        id: u16,
    ) -> c_int {
        // SAFETY: A registered device, under RTNL.
        let (dev, rtnl) = unsafe { (Device::<T>::from_raw(dev), Rtnl::assume_held()) };
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
        // SAFETY: A registered device, under RTNL.
        let (dev, rtnl) = unsafe { (Device::<T>::from_raw(dev), Rtnl::assume_held()) };
        T::remove_vlan(dev, Vlan::from_raw(proto, id), rtnl);
        0
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    #[cfg(CONFIG_NETPOLL)]
    unsafe extern "C" fn set_up_netpoll(dev: *mut bindings::net_device) -> c_int {
        // SAFETY: A registered device, under RTNL.
        let (dev, rtnl) = unsafe { (Device::<T>::from_raw(dev), Rtnl::assume_held()) };
        from_result(|| T::set_up_netpoll(dev, rtnl).map(|()| 0))
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    #[cfg(CONFIG_NETPOLL)]
    unsafe extern "C" fn end_netpoll(dev: *mut bindings::net_device) {
        // SAFETY: A registered device, under RTNL.
        let (dev, rtnl) = unsafe { (Device::<T>::from_raw(dev), Rtnl::assume_held()) };
        T::end_netpoll(dev, rtnl);
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    #[cfg(CONFIG_NETPOLL)]
    unsafe extern "C" fn poll(dev: *mut bindings::net_device) {
        // SAFETY: A registered device. Netpoll calls this with interrupts disabled, in an RCU
        // read-side critical section.
        let (dev, context) = unsafe { (Device::<T>::from_raw(dev), RcuBh::assume()) };
        T::poll(dev, context);
    }

    /// Which of the device's own queues a frame takes, where the user has given it several: so that
    /// the number of the queue it was received by, which is kept in the same place, is there still
    /// when a port chooses one of its queues by it. The queues are all the same to the device.
    ///
    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn select_queue(
        dev: *mut bindings::net_device,
        skb: *mut bindings::sk_buff,
        _subordinate: *mut bindings::net_device,
    ) -> u16 {
        // SAFETY: A frame that is lent to us.
        let skb = unsafe { ManuallyDrop::new(SkBuff::from_raw(skb)) };
        // SAFETY: A registered device. The number may be changed meanwhile, and is read once.
        let queues = unsafe { (&raw const (*dev).real_num_tx_queues).read_volatile() };
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

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn bpf(
        dev: *mut bindings::net_device,
        request: *mut bindings::netdev_bpf,
    ) -> c_int {
        // SAFETY: A registered device, under RTNL; the request is valid.
        let (dev, rtnl, request) = unsafe {
            (
                Device::<T>::from_raw(dev),
                Rtnl::assume_held(),
                &mut *request,
            )
        };
        from_result(|| {
            if request.command != bindings::bpf_netdev_command_XDP_SETUP_PROG {
                return Err(EINVAL);
            }
            // SAFETY: This part of the union goes with the command. The program is null or valid;
            // `extack` is null, or this call's alone.
            let (program, mut extack) = unsafe {
                let setup = &request.__bindgen_anon_1.__bindgen_anon_1;
                (setup.prog, ExtAck::from_raw(setup.extack))
            };
            // SAFETY: As above.
            let own = unsafe { Program::from_raw(program) };
            T::set_program(dev, own, &mut extack, rtnl)?;
            if !program.is_null() {
                // The driver has a reference of its own; the caller's is given up with success.
                //
                // SAFETY: As above.
                unsafe { helpers::bpf_prog_put(program) };
            }
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    unsafe extern "C" fn xdp_xmit(
        dev: *mut bindings::net_device,
        len: c_int,
        frames: *mut *mut bindings::xdp_frame,
        flags: u32,
    ) -> c_int {
        // SAFETY: Frames are sent through registered devices, with bottom halves disabled, which is
        // an RCU read-side critical section. As far as it says so, they are the driver's from here
        // on.
        let (dev, mut frames, context) = unsafe {
            (
                Device::<T>::from_raw(dev),
                Frames::from_raw(frames, len, flags),
                RcuBh::assume(),
            )
        };
        from_result(|| {
            T::transmit_xdp(dev, &mut frames, context);
            frames.result()
        })
    }
}
