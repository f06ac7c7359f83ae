// SPDX-License-Identifier: GPL-2.0

//! What XDP calls of a driver.
//!
//! C header: [`include/net/xdp.h`](srctree/include/net/xdp.h)

use super::{under_rtnl, Adapter};
use crate::{
    device::Device,
    driver::Driver,
    netlink::ExtAck,
    rcu::RcuBh,
    xdp::{Frames, Program}, //
};
use kernel::{
    error::from_result,
    prelude::*, //
};
use netdev_bindings::{self as bindings, helpers};

impl<T: Driver> Adapter<T> {
    /// # Safety
    ///
    /// See [`Adapter`].
    pub(super) unsafe extern "C" fn bpf(
        dev: *mut bindings::net_device,
        request: *mut bindings::netdev_bpf,
    ) -> c_int {
        // SAFETY: Called for a registered device of the driver, with RTNL held.
        let (dev, rtnl) = unsafe { under_rtnl::<T>(dev) };
        // SAFETY: The request is valid, and this call's alone.
        let request = unsafe { &mut *request };
        from_result(|| {
            if request.command != bindings::bpf_netdev_command_XDP_SETUP_PROG {
                return Err(EINVAL);
            }
            // SAFETY: This part of the union goes with the command.
            let setup = unsafe { &request.__bindgen_anon_1.__bindgen_anon_1 };
            let program = setup.prog;
            // SAFETY: `extack` is null, or this call's alone.
            let mut extack = unsafe { ExtAck::from_raw(setup.extack) };
            // SAFETY: The program is null or valid.
            let own = unsafe { Program::from_raw(program) };
            T::set_program(dev, own, &mut extack, rtnl)?;
            if !program.is_null() {
                // The driver has a reference of its own; the caller's is given up with success.
                //
                // SAFETY: The program is valid, and there is that reference.
                unsafe { helpers::bpf_prog_put(program) };
            }
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// See [`Adapter`].
    pub(super) unsafe extern "C" fn xdp_xmit(
        dev: *mut bindings::net_device,
        len: c_int,
        frames: *mut *mut bindings::xdp_frame,
        flags: u32,
    ) -> c_int {
        // SAFETY: Frames are sent through registered devices.
        let dev = unsafe { Device::<T>::from_raw(dev) };
        // SAFETY: As many frames as `len` says are the driver's from here on, as far as it says that
        // it has taken them. Bottom halves are disabled to the end of this call.
        let mut frames = unsafe { Frames::from_raw(dev, frames, len, flags) };
        // SAFETY: Frames are sent with bottom halves disabled and interrupts enabled, in an RCU
        // read-side critical section.
        let context = unsafe { RcuBh::assume() };
        from_result(|| {
            T::transmit_xdp(dev, &mut frames, context);
            frames.result()
        })
    }
}
