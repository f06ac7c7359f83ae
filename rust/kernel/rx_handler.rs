// SPDX-License-Identifier: GPL-2.0

//! Receive handlers: what takes the frames a lower device receives.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    device::Device,
    rcu::RcuBh,
    skb::Received, //
};

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

/// Takes the frames that one lower device of a device of the driver `T` receives.
pub trait RxHandler<T>: Send + Sync {
    /// Returns whether `upper` receives this frame without a closer look. This is asked first; if not,
    /// the frame is given to [`RxHandler::receive`]. Most frames are only looked at here, so this
    /// should be short. A frame that the host has sent by the lower device and loops back to itself is
    /// given to neither.
    fn passes(&self, upper: &Device<T>, skb: &Received) -> bool;

    /// Called for every other frame, on any CPU, and on several at once. Nobody else refers to the
    /// frame.
    fn receive(&self, upper: &Device<T>, skb: Received, context: &RcuBh) -> RxResult;
}

/// For drivers that have no lower devices.
pub enum NoPorts {}

impl<T> RxHandler<T> for NoPorts {
    fn passes(&self, _upper: &Device<T>, _skb: &Received) -> bool {
        match *self {}
    }

    fn receive(&self, _upper: &Device<T>, _skb: Received, _context: &RcuBh) -> RxResult {
        match *self {}
    }
}
