// SPDX-License-Identifier: GPL-2.0

//! Receive handlers: what takes the frames a lower device receives.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    device::Device,
    driver::Driver,
    rcu::RcuBh,
    skb::{EthHeader, Received, SkBuff}, //
};
use core::{
    convert::Infallible,
    marker::PhantomData, //
};
use netdev_bindings as bindings;

/// What becomes of a received frame (`enum rx_handler_result`). It carries the frame, so that who
/// owns it and what is said of it cannot disagree.
pub enum RxResult {
    /// The handler has taken it.
    Consumed,
    /// The upper device has received it: it goes through the stack once more on its behalf.
    Another(Received),
    /// Only those get it who listen to exactly the device it arrived at.
    Exact(Received),
    /// It goes on as if there were no handler.
    Pass(Received),
}

/// Takes the frames that one lower device receives.
pub trait RxHandler: Send + Sync {
    /// The driver of the upper device.
    type Upper: Driver;

    /// The upper device.
    fn upper(&self) -> &Device<Self::Upper>;

    /// Does the upper device receive this frame, no question? Asked first, and what is not is given
    /// to [`RxHandler::receive`]. For the bulk of the frames this is all that happens here, so it
    /// should be short. What the host has sent by the lower device and loops back to itself goes on
    /// without either.
    fn passes(&self, skb: &Received) -> bool;

    /// Called for every other frame, on any CPU, and on several at once. Nobody else refers to the
    /// frame.
    fn receive(&self, skb: Received, context: &RcuBh) -> RxResult;
}

/// For drivers that have no lower devices.
pub struct NoPorts<T: Driver>(Infallible, PhantomData<T>);

impl<T: Driver> RxHandler for NoPorts<T> {
    type Upper = T;

    fn upper(&self) -> &Device<T> {
        match self.0 {}
    }

    fn passes(&self, _skb: &Received) -> bool {
        match self.0 {}
    }

    fn receive(&self, _skb: Received, _context: &RcuBh) -> RxResult {
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
    // SAFETY: By the safety requirement, there is a frame, which is the handler's until this
    // returns; a pointer to it is what `SkBuff` is.
    let skb = unsafe { &*pskb.cast::<SkBuff>() };
    if skb.is_shared() {
        // SAFETY: As for this function.
        unsafe { receive_shared::<H>(pskb) }
    } else {
        // SAFETY: As for this function, and nobody else refers to the frame.
        unsafe { receive_unshared::<H>(pskb) }
    }
}

/// The same for a frame that somebody else refers to, such as a packet socket: it is replaced.
///
/// # Safety
///
/// As [`receive`].
#[inline(never)] // Keeps the registers it needs off the other way.
unsafe fn receive_shared<H: RxHandler>(
    pskb: *mut *mut bindings::sk_buff,
) -> bindings::rx_handler_result_t {
    // SAFETY: As for this function: the frame is the handler's.
    if unsafe { SkBuff::replace_by_clone(pskb) } {
        // SAFETY: As for this function, and nobody else refers to the clone.
        unsafe { receive_unshared::<H>(pskb) }
    } else {
        bindings::rx_handler_result_RX_HANDLER_CONSUMED
    }
}

/// The same for a frame that nobody else refers to.
///
/// # Safety
///
/// As [`receive`].
#[inline(always)]
unsafe fn receive_unshared<H: RxHandler>(
    pskb: *mut *mut bindings::sk_buff,
) -> bindings::rx_handler_result_t {
    // SAFETY: As in `receive`.
    let skb = unsafe { &mut *pskb.cast::<SkBuff>() };
    // SAFETY: By the safety requirement; the field is set in a frame that was received. The pointer
    // to the handler is published before the handler is, and withdrawn a grace period after.
    let handler = unsafe {
        let dev = (**pskb)
            .__bindgen_anon_1
            .__bindgen_anon_1
            .__bindgen_anon_1
            .dev;
        &*core::ptr::read_volatile(&raw const (*dev).rx_handler_data).cast::<H>()
    };
    // These two are the bulk, and cost nothing that `passes` does not ask anyhow.
    let by_link = skb.is_for_other() || skb.is_for_host() || !skb.is_loopback();
    // SAFETY: It was received by an Ethernet device, or redirected here as if it were.
    if by_link && handler.passes(unsafe { Received::from_ref(skb) }) {
        another(handler, skb)
    } else {
        // SAFETY: As above. The frame is handed over, and what is left in `pskb` is not used any
        // more unless it is put back.
        unsafe { receive_other(pskb, handler) }
    }
}

/// Makes the frame one that the upper device has received.
#[inline(always)]
fn another<H: RxHandler>(handler: &H, skb: &mut SkBuff) -> bindings::rx_handler_result_t {
    // SAFETY: Handlers are called in an RCU read-side critical section with bottom halves disabled.
    let context = unsafe { RcuBh::assume() };
    let dev = handler.upper();
    // With its header, as a frame that is transmitted has it.
    let octets = skb.len().wrapping_add(size_of::<EthHeader>() as u32);
    // SAFETY: The device lives to the end of this RCU read-side critical section, as for any frame
    // that is being received.
    unsafe { skb.set_dev(dev) };
    dev.count_received(octets, context);
    bindings::rx_handler_result_RX_HANDLER_ANOTHER
}

/// What `receive` does with frames that need a closer look.
///
/// # Safety
///
/// `*pskb` is a valid frame that the caller gives up; it is valid again when this returns, unless
/// it says that the frame is consumed.
#[inline(never)]
unsafe fn receive_other<H: RxHandler>(
    pskb: *mut *mut bindings::sk_buff,
    handler: &H,
) -> bindings::rx_handler_result_t {
    // SAFETY: As in `another`.
    let context = unsafe { RcuBh::assume() };
    // SAFETY: By the safety requirement.
    let skb = unsafe { SkBuff::from_raw(*pskb) };
    if skb.is_loopback() {
        // It has come by no link, and has no Ethernet header.
        // SAFETY: `pskb` is valid for writes; the frame goes back to the caller.
        unsafe { *pskb = skb.into_raw() };
        return bindings::rx_handler_result_RX_HANDLER_PASS;
    }
    // SAFETY: It was received by an Ethernet device, or redirected here as if it were.
    let skb = unsafe { Received::from_frame(skb) };
    let (skb, result) = match handler.receive(skb, context) {
        RxResult::Consumed => return bindings::rx_handler_result_RX_HANDLER_CONSUMED,
        RxResult::Another(skb) => {
            let mut skb = skb.into_frame();
            let result = another(handler, &mut skb);
            (skb, result)
        }
        RxResult::Exact(skb) => (
            skb.into_frame(),
            bindings::rx_handler_result_RX_HANDLER_EXACT,
        ),
        RxResult::Pass(skb) => (
            skb.into_frame(),
            bindings::rx_handler_result_RX_HANDLER_PASS,
        ),
    };
    // SAFETY: `pskb` is valid for writes; the frame goes back to the caller.
    unsafe { *pskb = skb.into_raw() };
    result
}
