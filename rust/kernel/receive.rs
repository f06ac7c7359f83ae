// SPDX-License-Identifier: GPL-2.0

//! How the frames that a lower device receives get to its [`RxHandler`].
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    device::Device,
    driver::Driver,
    lower::Lower,
    rcu::RcuBh,
    rx_handler::{RxHandler, RxResult},
    skb::{EthHeader, Received, SkBuff}, //
};
use netdev_bindings as bindings;

/// Handles a frame, as the core's handler: gives it to the [`RxHandler`] of the port that has received
/// it.
///
/// # Safety
///
/// To be registered for an Ethernet device together with a pointer to a `Lower<T>` that stays valid
/// as long as the registration lasts, as does the link to its upper device. `*pskb` is a valid frame
/// that was received by that device.
pub(crate) unsafe extern "C" fn receive<T: Driver>(
    pskb: *mut *mut bindings::sk_buff,
) -> bindings::rx_handler_result_t {
    // SAFETY: By the safety requirement, there is a frame, which is the handler's until this
    // returns; a pointer to it is what `SkBuff` is.
    let skb = unsafe { &*pskb.cast::<SkBuff>() };
    if skb.is_shared() {
        // SAFETY: `pskb` is as the requirements of this function say.
        unsafe { receive_shared::<T>(pskb) }
    } else {
        // SAFETY: `pskb` is as the requirements of this function say, and the frame is not shared.
        unsafe { receive_unshared::<T>(pskb) }
    }
}

/// Replaces a frame to which there are other references, such as a packet socket's, by a clone, and
/// handles that.
///
/// # Safety
///
/// Those of [`receive`].
#[inline(never)] // The common path need not save the registers that this one uses.
unsafe fn receive_shared<T: Driver>(
    pskb: *mut *mut bindings::sk_buff,
) -> bindings::rx_handler_result_t {
    // SAFETY: By the safety requirement, the frame is the handler's, which gives it up.
    if unsafe { SkBuff::replace_by_clone(pskb) } {
        // SAFETY: The clone has been received as the frame was, and there is no other reference to it.
        unsafe { receive_unshared::<T>(pskb) }
    } else {
        bindings::rx_handler_result::RX_HANDLER_CONSUMED
    }
}

/// Handles a frame to which there is no other reference.
///
/// # Safety
///
/// Those of [`receive`]; and there is no other reference to the frame.
#[inline(always)]
unsafe fn receive_unshared<T: Driver>(
    pskb: *mut *mut bindings::sk_buff,
) -> bindings::rx_handler_result_t {
    // SAFETY: By the safety requirement, there is a frame, which is the handler's until this
    // returns; a pointer to it is what `SkBuff` is.
    let skb = unsafe { &mut *pskb.cast::<SkBuff>() };
    // SAFETY: The field is set in a frame that was received, to the device that has received it.
    let dev = unsafe {
        (**pskb)
            .__bindgen_anon_1
            .__bindgen_anon_1
            .__bindgen_anon_1
            .dev
    };
    // SAFETY: The device is alive. It has the pointer that was registered with this function: that is
    // published before the function is, and withdrawn a grace period after.
    let handler =
        unsafe { &*core::ptr::read_volatile(&raw const (*dev).rx_handler_data).cast::<Lower<T>>() };
    // SAFETY: The handler was registered when it was called, in an RCU read-side critical section.
    let upper = unsafe { handler.upper() };
    // Most frames are of the first two kinds, which `passes` tells apart anyway.
    let by_link = skb.is_for_other() || skb.is_for_host() || !skb.is_loopback();
    // SAFETY: It was received by an Ethernet device, or redirected here as if it were.
    if by_link && handler.passes(upper, unsafe { Received::from_ref(skb) }) {
        // SAFETY: This is called by the handler.
        unsafe { another(upper, skb) }
    } else {
        // SAFETY: The frame is handed over, and what is left in `pskb` is not used any more unless it
        // is put back. This is called by the handler.
        unsafe { receive_other(pskb, handler) }
    }
}

/// Makes the frame one that the upper device has received.
///
/// # Safety
///
/// To be called by the handler of a port that is linked to `upper`.
#[inline(always)]
unsafe fn another<T: Driver>(upper: &Device<T>, skb: &mut SkBuff) -> bindings::rx_handler_result_t {
    // SAFETY: Handlers are called in an RCU read-side critical section, with bottom halves disabled and
    // interrupts enabled.
    let context = unsafe { RcuBh::assume() };
    // With its header, as a frame that is transmitted has it.
    let octets = skb.len().wrapping_add(size_of::<EthHeader>() as u32);
    // SAFETY: The device lives to the end of this RCU read-side critical section, as for any frame
    // that is being received.
    unsafe { skb.set_dev(upper) };
    upper.count_received(octets, context);
    bindings::rx_handler_result::RX_HANDLER_ANOTHER
}

/// Handles a frame that needs a closer look.
///
/// # Safety
///
/// To be called by the handler of the port that `handler` is of. `*pskb` is a valid frame that the
/// caller gives up, received by an Ethernet device and not shared; it is valid again when this
/// returns, unless it says that the frame is consumed.
#[inline(never)]
unsafe fn receive_other<T: Driver>(
    pskb: *mut *mut bindings::sk_buff,
    handler: &Lower<T>,
) -> bindings::rx_handler_result_t {
    // SAFETY: Handlers are called in an RCU read-side critical section, with bottom halves disabled and
    // interrupts enabled.
    let context = unsafe { RcuBh::assume() };
    // SAFETY: By the safety requirement.
    let skb = unsafe { SkBuff::from_raw(*pskb) };
    if skb.is_loopback() {
        // No link has delivered it, and it has no Ethernet header.
        // SAFETY: `pskb` is valid for writes; the frame goes back to the caller.
        unsafe { *pskb = skb.into_raw() };
        return bindings::rx_handler_result::RX_HANDLER_PASS;
    }
    // SAFETY: It was received by an Ethernet device, or redirected here as if it were.
    let skb = unsafe { Received::from_frame(skb) };
    // SAFETY: The handler was registered when it was called, in an RCU read-side critical section.
    let upper = unsafe { handler.upper() };
    let (skb, result) = match handler.receive(upper, skb, context) {
        RxResult::Consumed => return bindings::rx_handler_result::RX_HANDLER_CONSUMED,
        RxResult::Another(skb) => {
            let mut skb = skb.into_frame();
            // SAFETY: This is called by the handler.
            let result = unsafe { another(upper, &mut skb) };
            (skb, result)
        }
        RxResult::Exact(skb) => (
            skb.into_frame(),
            bindings::rx_handler_result::RX_HANDLER_EXACT,
        ),
        RxResult::Pass(skb) => (
            skb.into_frame(),
            bindings::rx_handler_result::RX_HANDLER_PASS,
        ),
    };
    // SAFETY: `pskb` is valid for writes; the frame goes back to the caller.
    unsafe { *pskb = skb.into_raw() };
    result
}
