// SPDX-License-Identifier: GPL-2.0

//! Receive handlers: what takes the frames a lower device receives.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    device::Device,
    driver::Driver,
    rcu::RcuBh,
    skb::SkBuff, //
};
use core::{
    convert::Infallible,
    marker::PhantomData, //
};
use netdev_bindings as bindings;

/// What becomes of a received frame (`enum rx_handler_result`). It carries the frame, so that who
/// owns it and what is said of it cannot disagree.
pub enum RxResult<'a, T: Driver> {
    /// The handler has taken it.
    Consumed,
    /// This device has received it, and it goes through the stack once more on its behalf.
    Another(SkBuff, &'a Device<T>),
    /// Only those get it who listen to exactly the device it arrived at.
    Exact(SkBuff),
    /// It goes on as if there were no handler.
    Pass(SkBuff),
}

/// Takes the frames that one lower device receives.
pub trait RxHandler: Send + Sync {
    /// The driver of the upper device.
    type Upper: Driver;

    /// Called for each frame, on any CPU, and on several at once. Nobody else refers to the frame.
    fn receive<'a>(&'a self, skb: SkBuff, context: &'a RcuBh) -> RxResult<'a, Self::Upper>;
}

/// For drivers that have no lower devices.
pub struct NoPorts<T: Driver>(Infallible, PhantomData<T>);

impl<T: Driver> RxHandler for NoPorts<T> {
    type Upper = T;

    fn receive<'a>(&'a self, _skb: SkBuff, _context: &'a RcuBh) -> RxResult<'a, T> {
        match self.0 {}
    }
}

/// The C side of an [`RxHandler`].
///
/// # Safety
///
/// To be registered for a device together with a pointer to an `H` that stays valid as long as the
/// registration lasts. `*pskb` is a valid frame that was received by that device, in a softirq.
pub(crate) unsafe extern "C" fn receive<H: RxHandler>(
    pskb: *mut *mut bindings::sk_buff,
) -> bindings::rx_handler_result_t {
    // SAFETY: Handlers are called in an RCU read-side critical section with bottom halves disabled.
    let context = unsafe { RcuBh::assume() };
    // SAFETY: By the safety requirement; the field is set in a frame that was received. The pointer
    // to the handler is published before the handler is, and withdrawn a grace period after.
    let handler = unsafe {
        let dev = (**pskb).__bindgen_anon_1.__bindgen_anon_1.__bindgen_anon_1.dev;
        &*core::ptr::read_volatile(&raw const (*dev).rx_handler_data).cast::<H>()
    };
    // SAFETY: The frame is the handler's until it is put back below.
    let skb = unsafe { SkBuff::from_raw(*pskb) };
    let Some(skb) = skb.unshare() else {
        return bindings::rx_handler_result_RX_HANDLER_CONSUMED;
    };

    // Goes back to the caller, along with what is to be done with the frame.
    let put_back = |skb: SkBuff, result| {
        // SAFETY: `pskb` is valid for writes.
        unsafe { *pskb = skb.into_raw() };
        result
    };
    match handler.receive(skb, context) {
        RxResult::Consumed => bindings::rx_handler_result_RX_HANDLER_CONSUMED,
        RxResult::Another(mut skb, dev) => {
            // SAFETY: `dev` lives to the end of this RCU read-side critical section, as for any
            // frame that is being received.
            unsafe { skb.set_dev(dev) };
            let octets = skb.len();
            let result = put_back(skb, bindings::rx_handler_result_RX_HANDLER_ANOTHER);
            dev.count_received(octets, context);
            result
        }
        RxResult::Exact(skb) => put_back(skb, bindings::rx_handler_result_RX_HANDLER_EXACT),
        RxResult::Pass(skb) => put_back(skb, bindings::rx_handler_result_RX_HANDLER_PASS),
    }
}
