// SPDX-License-Identifier: GPL-2.0

//! What the administrator of a device sets, or an upper device in the same way: address, MTU, up or
//! down.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    addr::MacAddr,
    device::{Device, NetDevice},
    netlink::ExtAck,
    rtnl::Rtnl, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};
use netdev_bindings::{self as bindings, helpers};

impl NetDevice {
    /// Gives the device another MAC address, as its administrator would.
    ///
    /// # Errors
    ///
    /// Those of its driver or of another user of the device; `extack` may say why.
    pub fn set_mac(&self, mac: MacAddr, extack: &mut ExtAck<'_>, _rtnl: &Rtnl) -> Result {
        let mut addr = bindings::__kernel_sockaddr_storage::default();
        // SAFETY: A socket address begins with the family, and then has more than six bytes. All
        // zeroes and any bytes are valid for both.
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

    /// Sets the largest payload, as the device's administrator would.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is out of the device's range, and those of its driver.
    pub fn set_mtu(&self, mtu: u32, _rtnl: &Rtnl) -> Result {
        let mtu = c_int::try_from(mtu)?;
        // SAFETY: The device is alive, and RTNL is held.
        to_result(unsafe { bindings::dev_set_mtu(self.as_ptr(), mtu) })
    }

    /// Sets the largest payload of a device that is being unregistered, or moved to another network
    /// namespace. Notifiers are not called, because they would begin to use it again.
    ///
    /// # Errors
    ///
    /// Those of its driver.
    pub fn set_mtu_silently(&self, mtu: u32, _rtnl: &Rtnl) -> Result {
        let mtu = c_int::try_from(mtu)?;
        // SAFETY: The device is alive, and its lock is not held where it is unregistered or moved.
        unsafe { helpers::netdev_lock_ops(self.as_ptr()) };
        // SAFETY: The device is alive, RTNL is held, and so is the device's lock.
        let err = unsafe { bindings::__netif_set_mtu(self.as_ptr(), mtu) };
        // SAFETY: The device's lock was taken by this function.
        unsafe { helpers::netdev_unlock_ops(self.as_ptr()) };
        to_result(err)
    }

    /// Brings the device up, as its administrator would.
    ///
    /// # Errors
    ///
    /// Those of its driver.
    pub fn open(&self, extack: &mut ExtAck<'_>, _rtnl: &Rtnl) -> Result {
        // SAFETY: The device is alive, and RTNL is held.
        to_result(unsafe { bindings::dev_open(self.as_ptr(), extack.as_ptr()) })
    }

    /// Brings the device down, as its administrator would.
    pub fn close(&self, _rtnl: &Rtnl) {
        // SAFETY: The device is alive, and RTNL is held.
        unsafe { bindings::dev_close(self.as_ptr()) };
    }

    /// Stops IPv6 from giving the device addresses of its own, or allows it again.
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
}

impl<T> Device<T> {
    /// Announces that the device is about to get another MAC address. Its users may refuse that.
    ///
    /// # Errors
    ///
    /// Those of its users; `extack` may say why.
    pub fn announce_mac(&self, mac: MacAddr, extack: &mut ExtAck<'_>, _rtnl: &Rtnl) -> Result {
        // SAFETY: The device is alive, and RTNL is held. An Ethernet address has six bytes.
        to_result(unsafe {
            bindings::netif_pre_changeaddr_notify(
                self.as_ptr(),
                mac.octets().as_ptr().cast(),
                extack.as_ptr(),
            )
        })
    }

    /// Takes over the MAC address of another device, and calls notifiers.
    pub fn steal_mac(&self, mac: MacAddr, _rtnl: &Rtnl) {
        self.write_mac(mac);
        // SAFETY: The device is alive, and holders of RTNL alone write this.
        unsafe { (*self.as_ptr()).addr_assign_type = bindings::NET_ADDR_STOLEN as u8 };
        // SAFETY: RTNL is held, and there is nothing more to say of this event.
        unsafe { self.notify(bindings::netdev_cmd_NETDEV_CHANGEADDR) };
    }

    /// Writes another MAC address into the device. With RTNL held.
    pub(crate) fn write_mac(&self, mac: MacAddr) {
        let octets = mac.octets();
        // SAFETY: The device is alive, and only its own driver, with RTNL held, comes here. An
        // Ethernet address has six bytes.
        unsafe {
            bindings::dev_addr_mod(self.as_ptr(), 0, octets.as_ptr().cast(), octets.len());
        }
    }
}
