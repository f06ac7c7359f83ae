// SPDX-License-Identifier: GPL-2.0

//! Receive handlers: what takes the frames a lower device receives.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
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

/// Takes the frames that one lower device receives.
pub trait RxHandler: Send + Sync {
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
pub enum NoPorts {}

impl RxHandler for NoPorts {
    fn passes(&self, _skb: &Received) -> bool {
        match *self {}
    }

    fn receive(&self, _skb: Received, _context: &RcuBh) -> RxResult {
        match *self {}
    }
}
