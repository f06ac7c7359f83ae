// SPDX-License-Identifier: GPL-2.0

//! Frames.
//!
//! These are frames on their way through a device driver, not netlink messages.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use crate::{
    addr::MacAddr,
    device::NetDevice,
    rcu::RcuBh, //
};
use core::{
    mem::ManuallyDrop,
    ops::Deref,
    ptr::{self, NonNull}, //
};
use kernel::prelude::*;
use netdev_bindings::{
    self as bindings,
    helpers,
    sk_buff__bindgen_ty_4__bindgen_ty_2 as Headers, //
};

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
    /// No drop: it has been used.
    const CONSUMED: Self = Self(bindings::skb_drop_reason_SKB_CONSUMED);
    /// No reason is known.
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
    /// Length in bytes.
    pub const LEN: usize = size_of::<Self>();

    /// Returns whether the source and the address of [number](MacAddr::to_u64) `mac` differ in `bits` of
    /// their numbers, which may be any of [`MacAddr::BITS`].
    #[inline(always)]
    pub fn src_differs(&self, mac: u64, bits: u64) -> bool {
        let [a, b, c, d, e, f] = *self.src.octets();
        let [g, h] = self.proto;
        // The two bytes behind the address are loaded with it, and not among the bits.
        (u64::from_le_bytes([a, b, c, d, e, f, g, h]) ^ mac) & bits != 0
    }
}

/// What has become of a frame that was given to a device (`netdev_tx_t`), for its sender.
///
/// # Invariants
///
/// `dev_xmit_complete()` holds for the value: the frame does not belong to its sender any more.
#[derive(Clone, Copy, PartialEq, Eq)]
#[must_use = "the sender of a frame gets it"]
#[repr(transparent)]
pub struct Xmit(c_int);

impl Xmit {
    /// The driver has sent the frame, or dropped it for a reason of its own.
    // INVARIANT: The first case of `dev_xmit_complete()`.
    pub const OK: Self = Self(bindings::netdev_tx::NETDEV_TX_OK.0);

    /// The device has no room for the frame, and has dropped it.
    // INVARIANT: A code of a queueing discipline.
    pub const REFUSED: Self = Self(bindings::NET_XMIT_DROP as c_int);

    /// Takes over a value.
    ///
    /// # Safety
    ///
    /// It must be what a function has returned that consumes a frame in any case: 0, a code of a
    /// queueing discipline (`NET_XMIT_*`) or a negative errno.
    #[inline(always)]
    pub(crate) unsafe fn from_raw(code: c_int) -> Self {
        // INVARIANT: By the safety requirement. The codes are less than `NET_XMIT_MASK`.
        Self(code)
    }

    /// Returns the value, for C.
    #[inline(always)]
    pub(crate) fn into_raw(self) -> bindings::netdev_tx_t {
        bindings::netdev_tx(self.0)
    }

    /// Returns whether the device has taken the frame. `NET_XMIT_CN` counts as taken, as everywhere
    /// in the kernel: it asks the sender to slow down, and does not say which frame was dropped.
    #[inline]
    pub fn is_taken(self) -> bool {
        self == Self::OK || self.0 == bindings::NET_XMIT_CN as c_int
    }
}

/// An owned frame: dropping it frees it, sending consumes it.
///
/// # Invariants
///
/// The pointer is that of a valid `sk_buff`, a reference to which belongs to this value.
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
    pub(crate) fn as_ptr(&self) -> *mut bindings::sk_buff {
        self.0.as_ptr()
    }

    /// Returns the length in bytes, from where the data begins: with the MAC header on transmit, without
    /// it on receive.
    #[inline(always)]
    #[expect(clippy::len_without_is_empty)]
    pub fn len(&self) -> u32 {
        // SAFETY: Valid by the type invariant.
        unsafe { (*self.as_ptr()).len }
    }

    /// Returns the frame as far as it is in one piece, from where the data begins: with the MAC header
    /// on transmit.
    #[inline(always)]
    pub fn linear(&self) -> &[u8] {
        let skb = self.as_ptr();
        // SAFETY: Valid by the type invariant: as many bytes as are not in fragments follow `data`.
        unsafe {
            let len = (*skb).len.wrapping_sub((*skb).data_len);
            core::slice::from_raw_parts((*skb).data, len as usize)
        }
    }

    /// Moves at least the first `len` bytes into one piece. Returns whether they are in one piece now:
    /// they are not if the frame is shorter, or if there is no memory.
    #[inline]
    pub fn pull(&mut self, len: u32) -> bool {
        // SAFETY: Valid by the type invariant; no reference into the data is alive, since `self` is
        // borrowed mutably.
        unsafe { helpers::pskb_may_pull(self.as_ptr(), len) }
    }

    /// Returns the Ethernet header of a frame to be transmitted. `None` if the frame is shorter, or if
    /// the header is not in one piece, to which [`SkBuff::pull`] moves it.
    #[inline(always)]
    pub fn tx_header(&self) -> Option<&EthHeader> {
        let (header, _) = self.linear().split_at_checked(EthHeader::LEN)?;
        // SAFETY: So many bytes; `EthHeader` has alignment one and takes any.
        Some(unsafe { &*header.as_ptr().cast::<EthHeader>() })
    }

    /// Returns the EtherType: that of the outermost tag, if there is one in the data.
    #[inline(always)]
    pub fn protocol(&self) -> u16 {
        u16::from_be(self.headers().protocol)
    }

    /// Returns whether `protocol`, in network order, is its EtherType.
    #[inline(always)]
    pub fn is_of(&self, protocol: u16) -> bool {
        self.headers().protocol == protocol
    }

    /// Returns the ID of the VLAN to which the frame belongs by a tag that is kept beside its data. A tag
    /// with VLAN ID 0 has a priority alone (IEEE 802.1Q-2018, 9.6).
    pub fn vlan(&self) -> Option<u16> {
        // SAFETY: All views of the union are numbers.
        let tci = unsafe { self.headers().__bindgen_anon_2.__bindgen_anon_1.vlan_tci };
        let id = tci & bindings::VLAN_VID_MASK as u16;
        (id != 0).then_some(id)
    }

    /// Has the frame belong to the VLAN of customers of that ID, by a tag beside its data. A device that
    /// cannot write the tag itself gets it with the data.
    pub fn set_vlan(&mut self, id: u16) {
        let headers = self.headers_mut();
        headers.__bindgen_anon_2.__bindgen_anon_1.vlan_proto =
            (bindings::ETH_P_8021Q as u16).to_be();
        headers.__bindgen_anon_2.__bindgen_anon_1.vlan_tci = id & bindings::VLAN_VID_MASK as u16;
    }

    /// Returns the mark, which classifiers give to frames. 0 if it has none.
    #[inline(always)]
    pub fn mark(&self) -> u32 {
        // SAFETY: The other view of the union is a number too, of the same size, and out of use
        // once a frame is finished.
        unsafe { self.headers().__bindgen_anon_4.mark }
    }

    /// Makes a frame to be transmitted, with the priority of network control. `octets` are its first
    /// bytes, from the destination on. Zeroes follow until it has at least `least` bytes, and as many as
    /// Ethernet demands. In any context.
    ///
    /// `None` if there is no memory, no whole header in `octets`, or more than 65,535 bytes.
    pub fn new_frame(octets: &[u8], least: usize) -> Option<Self> {
        const HEADER_LEN: c_int = size_of::<EthHeader>() as c_int;

        let (header, _) = octets.split_at_checked(size_of::<EthHeader>())?;
        let &[.., high, low] = header else {
            return None;
        };
        let len = u16::try_from(octets.len().max(least)).ok()?;
        let padded = u32::from(len).max(bindings::ETH_ZLEN);

        // SAFETY: An FFI call without requirements.
        let skb = unsafe {
            helpers::alloc_skb(
                bindings::LL_MAX_HEADER.saturating_add(padded),
                bindings::GFP_ATOMIC,
            )
        };
        // INVARIANT: A new frame.
        let mut skb = Self(NonNull::new(skb)?);
        // SAFETY: The frame is valid and without data, and there is room for this and the data.
        unsafe { helpers::skb_reserve(skb.as_ptr(), bindings::LL_MAX_HEADER as c_int) };
        // SAFETY: The frame is valid, and there is room for `padded` bytes.
        let data = unsafe { bindings::skb_put(skb.as_ptr(), padded).cast::<u8>() };
        // SAFETY: There are `padded` bytes from `data` on, which are not used otherwise yet.
        unsafe { ptr::write_bytes(data, 0, padded as usize) };
        // SAFETY: There are at least as many bytes as those given from `data` on, since `padded` is no
        // less. They are not used otherwise yet.
        unsafe { ptr::copy_nonoverlapping(octets.as_ptr(), data, octets.len()) };
        // SAFETY: The frame is valid, and its header is at the beginning of its data.
        unsafe { helpers::skb_reset_mac_header(skb.as_ptr()) };
        // SAFETY: The frame is valid, and as many bytes as a header has are at the beginning of its
        // data.
        unsafe { helpers::skb_set_network_header(skb.as_ptr(), HEADER_LEN) };
        let headers = skb.headers_mut();
        headers.protocol = u16::from_ne_bytes([high, low]);
        headers.priority = bindings::TC_PRIO_CONTROL;
        Some(skb)
    }

    /// Makes an empty frame with room for so many bytes, for messages of netlink. The context may
    /// sleep.
    pub(crate) fn with_room(len: u32) -> Option<Self> {
        // SAFETY: An FFI call without requirements but the context.
        let skb = unsafe { helpers::alloc_skb(len, bindings::GFP_KERNEL) };
        // INVARIANT: A new frame.
        NonNull::new(skb).map(Self)
    }

    /// Copies what a received frame holds behind its Ethernet header into `buf`, as far as there is
    /// room, and returns the copy. It is empty if the processor cannot read the frame.
    pub fn copy_payload<'b>(&self, buf: &'b mut [u8]) -> &'b [u8] {
        let room = u32::try_from(buf.len()).unwrap_or(u32::MAX);
        let len = self.len().min(room).min(c_int::MAX as u32);
        let Some(buf) = buf.get_mut(..len as usize) else {
            return &[];
        };
        // SAFETY: Valid by the type invariant; both have `len` bytes.
        let err = unsafe {
            bindings::skb_copy_bits(self.as_ptr(), 0, buf.as_mut_ptr().cast(), len as c_int)
        };
        if err == 0 {
            buf
        } else {
            &[]
        }
    }

    /// Returns the hash of the flow the frame belongs to, if it has one over addresses and ports: of its
    /// sender, or of the device it was received by.
    #[inline(always)]
    pub fn hash(&self) -> Option<u32> {
        let headers = self.headers();
        (headers.l4_hash() != 0).then_some(headers.hash)
    }

    /// Makes `hash` the hash of the flow the frame belongs to, computed by software. It need not be
    /// computed again after this.
    #[inline(always)]
    pub fn set_hash(&mut self, hash: u32) {
        let headers = self.headers_mut();
        headers.hash = hash;
        headers.set_sw_hash(1);
    }

    /// Returns the hash of the flow the frame belongs to: the same for all its frames, in one direction.
    /// The kernel's flow dissector computes it unless the frame has one.
    #[inline]
    pub fn flow_hash(&mut self) -> u32 {
        // SAFETY: Valid by the type invariant.
        unsafe { helpers::skb_get_hash(self.as_ptr()) }
    }

    /// Returns whether there are other references to the frame.
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
        // SAFETY: `pskb` is valid for reads and writes, by the safety requirement.
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

    /// Returns the fields that a copy of the frame begins with.
    #[inline(always)]
    fn headers(&self) -> &Headers {
        // SAFETY: Valid by the type invariant; both views of the union are the same.
        unsafe { (*self.as_ptr()).__bindgen_anon_4.headers.as_ref() }
    }

    fn headers_mut(&mut self) -> &mut Headers {
        // SAFETY: Valid by the type invariant, and `self` is borrowed mutably; both views of the union
        // are the same.
        unsafe { (*self.as_ptr()).__bindgen_anon_4.headers.as_mut() }
    }

    #[inline(always)]
    fn pkt_type(&self) -> u32 {
        self.headers().pkt_type().into()
    }

    /// Returns whether the frame was received for the device it arrived at, by its MAC address.
    #[inline(always)]
    pub fn is_for_host(&self) -> bool {
        self.pkt_type() == bindings::PACKET_HOST
    }

    /// Returns whether the frame was received for a single station other than the device it arrived at.
    #[inline(always)]
    pub fn is_for_other(&self) -> bool {
        self.pkt_type() == bindings::PACKET_OTHERHOST
    }

    /// Returns whether the frame was sent by this host, which loops it back to itself.
    #[inline(always)]
    pub(crate) fn is_loopback(&self) -> bool {
        self.pkt_type() == bindings::PACKET_LOOPBACK
    }

    /// Returns the queue the frame was received by, plus one; or the queue it is to be sent by. 0 if
    /// neither is known.
    pub(crate) fn queue_mapping(&self) -> u16 {
        // SAFETY: Valid by the type invariant.
        unsafe { (*self.as_ptr()).queue_mapping }
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

    /// Hands the frame to `dev` for transmission, through its queueing discipline. Not on behalf of
    /// netpoll, which has interrupts disabled:
    /// [`Lower::transmit_netpoll`](crate::lower::Lower::transmit_netpoll) is for that.
    #[inline(always)]
    pub fn transmit(mut self, dev: &NetDevice, _context: &RcuBh) -> Xmit {
        // SAFETY: `dev` is alive, and the core takes care of it once it is given the frame.
        unsafe { self.set_dev(dev) };
        // SAFETY: The frame is handed over, in an RCU read-side critical section with bottom halves
        // disabled. The function consumes it in any case.
        unsafe { Xmit::from_raw(bindings::__dev_queue_xmit(self.into_raw(), ptr::null_mut())) }
    }

    /// Drops the frame for a reason. In any context.
    #[inline]
    pub fn drop_for(self, reason: DropReason) {
        // SAFETY: The reference is given up; the function is made for any context.
        unsafe { bindings::dev_kfree_skb_any_reason(self.into_raw(), reason.0) };
    }

    /// Frees a frame that has been used: this is no drop. In any context.
    #[inline]
    pub fn consume(self) {
        self.drop_for(DropReason::CONSUMED);
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

/// A frame that an Ethernet device has received.
///
/// # Invariants
///
/// At least as many bytes as an Ethernet header has stand before its data: received frames are made
/// with `NET_SKB_PAD` bytes there. They are its header if a link has delivered it: `eth_type_trans` has
/// pulled it, and removing a tag moves it up. If it was redirected from a device without such headers
/// (`act_mirred`), they are any bytes.
#[repr(transparent)]
pub struct Received(SkBuff);

impl Received {
    /// Takes over a frame.
    ///
    /// # Safety
    ///
    /// The invariants of the type must hold.
    pub(crate) unsafe fn from_frame(skb: SkBuff) -> Self {
        // INVARIANT: By the safety requirement.
        Self(skb)
    }

    /// Borrows a frame.
    ///
    /// # Safety
    ///
    /// The invariants of the type must hold.
    #[inline(always)]
    pub(crate) unsafe fn from_ref(skb: &SkBuff) -> &Self {
        // SAFETY: The type is transparent to `SkBuff`.
        // INVARIANT: By the safety requirement.
        unsafe { &*ptr::from_ref(skb).cast() }
    }

    /// Returns the Ethernet header.
    #[inline(always)]
    pub fn header(&self) -> &EthHeader {
        // SAFETY: Valid by the type invariants. `EthHeader` has alignment one and takes any bytes.
        unsafe { &*(*self.as_ptr()).data.cast::<EthHeader>().sub(1) }
    }

    /// Makes it a frame that was received for the device it arrived at.
    pub fn set_for_host(&mut self) {
        self.0
            .headers_mut()
            .set_pkt_type(bindings::PACKET_HOST as u8);
    }

    /// Returns the frame, of which no invariant is known any more.
    pub fn into_frame(self) -> SkBuff {
        self.0
    }
}

impl Deref for Received {
    type Target = SkBuff;

    #[inline(always)]
    fn deref(&self) -> &SkBuff {
        &self.0
    }
}

#[kunit_tests(netdev_skb)]
mod tests {
    use super::*;

    #[test]
    fn a_new_frame_is_what_it_was_given_and_padded() -> Result {
        let mut octets = [0u8; 100];
        for (octet, number) in octets.iter_mut().zip(1u8..) {
            *octet = number;
        }
        for (len, least) in [
            (14, 0),
            (15, 9),
            (59, 60),
            (60, 61),
            (61, 70),
            (100, 99),
            (82, 180),
        ] {
            let given = octets.get(..len).ok_or(EINVAL)?;
            let skb = SkBuff::new_frame(given, least).ok_or(ENOMEM)?;
            assert_eq!(skb.len() as usize, len.max(least).max(60));
            assert_eq!(skb.protocol(), 0x0d0e);
            assert_eq!(skb.mark(), 0);
            assert!(!skb.is_shared());
            let header = skb.tx_header().ok_or(EINVAL)?;
            assert!(header.dst == MacAddr::new([1, 2, 3, 4, 5, 6]));
            let src = MacAddr::new([7, 8, 9, 10, 11, 12]);
            assert!(header.src == src);
            let other = MacAddr::new([7, 8, 9, 10, 11, 13]);
            assert!(!header.src_differs(src.to_u64(), MacAddr::BITS));
            assert!(header.src_differs(other.to_u64(), MacAddr::BITS));
            assert!(header.src_differs(header.dst.to_u64(), MacAddr::BITS));
            assert!(!header.src_differs(other.to_u64(), 0));

            // As one that was received: without its header.
            let raw = skb.into_raw();
            // SAFETY: The test's own, with at least that many bytes of data.
            let skb = unsafe {
                (*raw).data = (*raw).data.add(14);
                (*raw).len = (*raw).len.saturating_sub(14);
                SkBuff::from_raw(raw)
            };
            // SAFETY: Its header is in front of its data now.
            let skb = unsafe { Received::from_frame(skb) };
            assert!(skb.header().dst == MacAddr::new([1, 2, 3, 4, 5, 6]));
            let mut all = [0xffu8; 200];
            let payload = skb.copy_payload(&mut all);
            assert_eq!(payload.len(), len.max(least).max(60).saturating_sub(14));
            let (written, padding) = payload.split_at(len.saturating_sub(14));
            assert!(given.get(14..) == Some(written));
            assert!(padding.iter().all(|&octet| octet == 0));
            assert!(Some(skb.copy_payload(&mut [0; 20])) == payload.get(..20));
            assert!(skb.copy_payload(&mut []).is_empty());
        }
        Ok(())
    }

    #[test]
    fn a_frame_is_taken_if_the_device_says_so_or_warns() {
        let code = |code: i32| Xmit(code);
        assert!(Xmit::OK.is_taken());
        assert!(code(bindings::NET_XMIT_CN as i32).is_taken());
        assert!(!Xmit::REFUSED.is_taken());
        assert!(!code(ENOMEM.to_errno()).is_taken());
    }

    #[test]
    fn a_frame_is_in_the_vlan_it_is_given() -> Result {
        let mut skb = SkBuff::new_frame(&[0; 60], 0).ok_or(ENOMEM)?;
        assert_eq!(skb.vlan(), None);
        for (id, vlan) in [(7, Some(7)), (4_095, Some(4_095)), (0, None), (4_096, None)] {
            skb.set_vlan(id);
            assert_eq!(skb.vlan(), vlan);
        }
        Ok(())
    }

    #[test]
    fn a_frame_keeps_the_hash_it_is_given() -> Result {
        let mut skb = SkBuff::new_frame(&[0; 60], 0).ok_or(ENOMEM)?;
        assert_eq!(skb.hash(), None);
        skb.set_hash(0xdead_beef);
        // Computed by software, it need not be over ports.
        assert_eq!(skb.hash(), None);
        assert_eq!(skb.flow_hash(), 0xdead_beef);
        Ok(())
    }

    #[test]
    fn what_is_no_frame_is_not_made_one() -> Result {
        for len in 0..14 {
            let octets = [0u8; 13];
            assert!(octets
                .get(..len)
                .is_some_and(|octets| SkBuff::new_frame(octets, 0).is_none()));
        }
        let octets = KVVec::from_elem(0u8, 0x1_0000, GFP_KERNEL)?;
        assert!(SkBuff::new_frame(&octets, 0).is_none());
        assert!(SkBuff::new_frame(&[0; 60], 0x1_0000).is_none());
        let longest = octets.get(..0xffff).ok_or(EINVAL)?;
        let skb = SkBuff::new_frame(longest, 0).ok_or(ENOMEM)?;
        assert_eq!(skb.len(), 0xffff);
        Ok(())
    }
}
