// SPDX-License-Identifier: GPL-2.0

//! Frames.
//!
//! The scope is a frame on its way through a device driver; netlink messages are another matter.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use crate::{
    addr::MacAddr,
    device::NetDevice,
    rcu::RcuBh, //
};
use core::{
    mem::ManuallyDrop,
    ptr::{self, NonNull},
};
use netdev_bindings::{self as bindings, helpers};

// Inline in kernels without tracepoints.
#[cfg(CONFIG_TRACEPOINTS)]
use netdev_bindings::consume_skb;
#[cfg(not(CONFIG_TRACEPOINTS))]
use netdev_bindings::helpers::consume_skb;

/// Why a frame is dropped (`enum skb_drop_reason`): what drop monitors show.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct DropReason(bindings::skb_drop_reason);

impl DropReason {
    /// No reason known.
    pub const NOT_SPECIFIED: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_NOT_SPECIFIED);
    /// There is no device ready to take it.
    pub const DEV_READY: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_DEV_READY);
    /// Its source is the receiver's own MAC address.
    pub const LOCAL_MAC: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_LOCAL_MAC);
    /// There is no memory for it.
    pub const NOMEM: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_NOMEM);
    /// It is shorter than its header.
    pub const PKT_TOO_SMALL: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_PKT_TOO_SMALL);
}

/// An Ethernet header without tags (IEEE 802.3-2018, 3.1.1).
#[repr(C)]
pub struct EthHeader {
    /// Destination.
    pub dst: MacAddr,
    /// Source.
    pub src: MacAddr,
    /// EtherType or length, big endian.
    pub proto: [u8; 2],
}

impl EthHeader {
    /// The source as [`MacAddr::to_u64`], by a single load.
    #[inline(always)]
    pub fn src_u64(&self) -> u64 {
        let [a, b, c, d, e, f] = *self.src.octets();
        let [g, h] = self.proto;
        // The two octets behind the address are loaded with it, and shifted out.
        u64::from_le_bytes([a, b, c, d, e, f, g, h]) << 16
    }
}

/// A frame, owned: dropping it frees it, sending consumes it.
///
/// # Invariants
///
/// The pointer is that of a valid `sk_buff` of which one reference belongs to this value.
#[repr(transparent)]
pub struct SkBuff(NonNull<bindings::sk_buff>);

impl SkBuff {
    /// Takes over a frame.
    ///
    /// # Safety
    ///
    /// `ptr` must be a valid `sk_buff`, a reference to which the caller gives up.
    #[inline(always)]
    pub(crate) unsafe fn from_raw(ptr: *mut bindings::sk_buff) -> Self {
        // INVARIANT: By the safety requirement.
        // SAFETY: A valid `sk_buff` is not at null.
        Self(unsafe { NonNull::new_unchecked(ptr) })
    }

    /// Hands the frame to C, which now owns it.
    #[inline(always)]
    pub(crate) fn into_raw(self) -> *mut bindings::sk_buff {
        ManuallyDrop::new(self).0.as_ptr()
    }

    #[inline(always)]
    fn as_ptr(&self) -> *mut bindings::sk_buff {
        self.0.as_ptr()
    }

    /// Length in octets, from where the data begins: with the MAC header on transmit, without on
    /// receive.
    #[inline(always)]
    #[expect(clippy::len_without_is_empty)]
    pub fn len(&self) -> u32 {
        // SAFETY: Valid by the type invariant.
        unsafe { (*self.as_ptr()).len }
    }

    /// The Ethernet header of a frame to be transmitted. `None` if the frame is shorter.
    #[inline(always)]
    pub fn tx_header(&mut self) -> Option<&EthHeader> {
        const LEN: u32 = size_of::<EthHeader>() as u32;

        let skb = self.as_ptr();
        // SAFETY: Valid by the type invariant.
        let linear = unsafe { (*skb).len.wrapping_sub((*skb).data_len) };
        if linear < LEN {
            // SAFETY: Valid by the type invariant; no reference into the data is alive, since
            // `self` is borrowed mutably.
            let pulled = unsafe { helpers::pskb_may_pull(skb, LEN) };
            if !pulled {
                return None;
            }
        }
        // SAFETY: At least `LEN` octets of linear data follow `data`, where the header of a frame
        // to be transmitted begins. `EthHeader` has alignment one and takes any octets.
        Some(unsafe { &*(*skb).data.cast::<EthHeader>() })
    }

    /// The Ethernet header of a frame received by an Ethernet device, whose data begins behind it.
    #[inline(always)]
    pub fn rx_header(&self) -> &EthHeader {
        // SAFETY: Valid by the type invariant. The header of a frame that an Ethernet device
        // received stands right before its data: `eth_type_trans` pulled it, and removing a tag
        // moves it up.
        unsafe { &*(*self.as_ptr()).data.cast::<EthHeader>().sub(1) }
    }

    /// Hash of the flow the frame belongs to: the same for all its frames, in one direction.
    #[inline]
    pub fn flow_hash(&mut self) -> u32 {
        // SAFETY: Valid by the type invariant.
        unsafe { helpers::skb_get_hash(self.as_ptr()) }
    }

    /// Does anybody else refer to the frame?
    #[inline(always)]
    pub(crate) fn is_shared(&self) -> bool {
        // SAFETY: Valid by the type invariant. The counter is one of the atomics that C reads with
        // a plain volatile load.
        let users = unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).users.refs.counter) };
        users != 1
    }

    /// Replaces a shared frame by a clone of its own. If there is no memory for it, the frame is
    /// freed, and this is `false`.
    ///
    /// # Safety
    ///
    /// `*pskb` must be a valid frame, a reference to which the caller gives up for the new one.
    #[inline(always)]
    pub(crate) unsafe fn replace_by_clone(pskb: *mut *mut bindings::sk_buff) -> bool {
        // Through the raw pointer, so that nothing but `pskb` is kept over the calls.
        //
        // SAFETY: By the safety requirement.
        let clone = unsafe { bindings::skb_clone(*pskb, bindings::GFP_ATOMIC) };
        // SAFETY: As above.
        let shared = unsafe { ptr::replace(pskb, clone) };
        if clone.is_null() {
            // SAFETY: The reference is given up.
            unsafe { bindings::dev_kfree_skb_any_reason(shared, DropReason::NOMEM.0) };
            return false;
        }
        // SAFETY: The reference is given up.
        unsafe { consume_skb(shared) };
        true
    }

    #[inline(always)]
    fn pkt_type(&self) -> u32 {
        // SAFETY: Valid by the type invariant.
        unsafe {
            (*self.as_ptr())
                .__bindgen_anon_4
                .headers
                .as_ref()
                .pkt_type()
        }
        .into()
    }

    /// Was the frame received for the very device it arrived at, by its MAC address?
    #[inline(always)]
    pub fn is_for_host(&self) -> bool {
        self.pkt_type() == bindings::PACKET_HOST
    }

    /// Was the frame received for a single station, but not for the device it arrived at?
    #[inline(always)]
    pub fn is_for_other(&self) -> bool {
        self.pkt_type() == bindings::PACKET_OTHERHOST
    }

    /// Makes `dev` the device the frame belongs to.
    ///
    /// # Safety
    ///
    /// `dev` must live as long as the frame does, or to the end of the RCU read-side critical
    /// section in which all further processing happens.
    #[inline(always)]
    pub(crate) unsafe fn set_dev(&mut self, dev: &NetDevice) {
        // SAFETY: Valid by the type invariant.
        unsafe {
            (*self.as_ptr())
                .__bindgen_anon_1
                .__bindgen_anon_1
                .__bindgen_anon_1
                .dev = dev.as_ptr()
        };
    }

    /// Hands the frame to `dev` for transmission, through its queueing discipline.
    #[inline(always)]
    pub fn transmit(mut self, dev: &NetDevice, _context: &RcuBh) {
        // SAFETY: `dev` is alive, and the core takes care of it once it is given the frame.
        unsafe { self.set_dev(dev) };
        // SAFETY: The frame is handed over. The context is one in which this may be called.
        unsafe { bindings::__dev_queue_xmit(self.into_raw(), ptr::null_mut()) };
    }

    /// Drops the frame for a reason. In any context.
    #[inline]
    pub fn drop_for(self, reason: DropReason) {
        // SAFETY: The reference is given up; the function is made for any context.
        unsafe { bindings::dev_kfree_skb_any_reason(self.into_raw(), reason.0) };
    }

    /// Disposes of a frame that has done its work: no drop.
    #[inline]
    pub fn consume(self) {
        // SAFETY: The reference is given up.
        unsafe { consume_skb(self.into_raw()) };
    }
}

impl Drop for SkBuff {
    fn drop(&mut self) {
        // SAFETY: The reference belongs to this value and ends here; any context will do.
        unsafe {
            bindings::dev_kfree_skb_any_reason(self.as_ptr(), DropReason::NOT_SPECIFIED.0);
        }
    }
}
