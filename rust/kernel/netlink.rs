// SPDX-License-Identifier: GPL-2.0

//! Netlink: the attributes of messages, read and written, and the reasons for which requests are
//! refused.
//!
//! C headers: [`include/net/netlink.h`](srctree/include/net/netlink.h),
//! [`include/linux/netlink.h`](srctree/include/linux/netlink.h)

use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    fmt::{self, Write},
    prelude::*, //
};
use netdev_bindings::{self as bindings, helpers};

/// The bytes of an attribute's header: length and type, of two bytes each, in the order of the host
/// (`struct nlattr`).
const HEADER_LEN: usize = 4;

/// The attributes of a message or of a nest, in order.
#[derive(Clone, Copy)]
pub struct Attributes<'a> {
    payload: &'a [u8],
    nest: Option<Attribute<'a>>,
}

impl<'a> Attributes<'a> {
    /// Reads the attributes in `payload`. They end before the first one whose length cannot be right.
    pub(crate) fn new(payload: &'a [u8]) -> Self {
        Self {
            payload,
            nest: None,
        }
    }

    /// Returns the last attribute of that type, as the kernel does where only one is meant.
    pub fn get(self, kind: u16) -> Option<Attribute<'a>> {
        self.iter().filter(|attr| attr.kind() == kind).last()
    }

    /// Does as [`Attributes::get`], for an attribute that must be there.
    ///
    /// # Errors
    ///
    /// `EINVAL`. The extended acknowledgement has the type of the attribute, the nest, and `reason`.
    pub fn require(
        self,
        kind: u16,
        reason: &'static CStr,
        extack: &mut ExtAck<'_>,
    ) -> Result<Attribute<'a>> {
        self.get(kind)
            .ok_or_else(|| extack.missing(kind, self.nest, reason))
    }

    /// Returns each attribute, in order.
    pub fn iter(self) -> impl Iterator<Item = Attribute<'a>> {
        let mut rest = self.payload;
        core::iter::from_fn(move || {
            let (attr, after) = Attribute::split_first(rest)?;
            rest = after;
            Some(attr)
        })
    }
}

/// An attribute of a message.
///
/// # Invariants
///
/// The whole of an attribute: a header, and as many bytes in all as the length in it says.
#[derive(Clone, Copy)]
pub struct Attribute<'a>(&'a [u8]);

impl<'a> Attribute<'a> {
    /// Returns the attribute that `octets` begins with, and the bytes after it and its padding. `None`
    /// if there is none, or if its length is more than `octets` has or less than a header.
    fn split_first(octets: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let &[low, high, _, _, ..] = octets else {
            return None;
        };
        let len = usize::from(u16::from_ne_bytes([low, high]));
        if len < HEADER_LEN {
            return None;
        }
        let attr = octets.get(..len)?;
        let after = octets.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        // INVARIANT: Just checked.
        Some((Self(attr), after))
    }

    /// Returns its type, without the bits that say how it is encoded.
    pub fn kind(self) -> u16 {
        const FLAGS: u16 = (bindings::NLA_F_NESTED | bindings::NLA_F_NET_BYTEORDER) as u16;

        match *self.0 {
            [_, _, low, high, ..] => u16::from_ne_bytes([low, high]) & !FLAGS,
            _ => 0,
        }
    }

    /// Returns what it holds.
    pub fn payload(self) -> &'a [u8] {
        self.0.get(HEADER_LEN..).unwrap_or(&[])
    }

    /// Returns a number of 32 bits. `None` if that is not what it holds.
    pub fn to_u32(self) -> Option<u32> {
        Some(u32::from_ne_bytes(self.payload().try_into().ok()?))
    }

    /// Returns a string with one NUL, at the end. `None` if that is not what it holds.
    pub fn to_cstr(self) -> Option<&'a CStr> {
        CStr::from_bytes_with_nul(self.payload()).ok()
    }

    /// Returns the attributes inside it.
    pub fn nest(self) -> Attributes<'a> {
        Attributes {
            payload: self.payload(),
            nest: Some(self),
        }
    }

    fn as_ptr(self) -> *const bindings::nlattr {
        self.0.as_ptr().cast()
    }
}

/// A message that is being written.
///
/// # Invariants
///
/// The pointer is that of an skb with a begun message at its end, not used otherwise for `'a`.
pub struct Message<'a>(NonNull<bindings::sk_buff>, PhantomData<&'a mut ()>);

impl Message<'_> {
    /// Continues the message at the end of `skb`.
    ///
    /// # Safety
    ///
    /// There must be a message. For as long as the result exists, `skb` must be valid, and not used
    /// otherwise.
    pub(crate) unsafe fn from_raw(skb: NonNull<bindings::sk_buff>) -> Self {
        // INVARIANT: By the safety requirement.
        Self(skb, PhantomData)
    }

    /// Adds an attribute.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if there is no room for it, here and in everything else that adds to a message.
    pub fn put(&mut self, kind: u16, payload: &[u8]) -> Result {
        // An attribute says its length in 16 bits.
        let len = u16::try_from(payload.len()).map_err(|_| EMSGSIZE)?;
        if len > u16::MAX - HEADER_LEN as u16 {
            return Err(EMSGSIZE);
        }
        // SAFETY: Valid by the type invariant; `payload` has that many bytes.
        to_result(unsafe {
            bindings::nla_put(
                self.0.as_ptr(),
                kind.into(),
                len.into(),
                payload.as_ptr().cast(),
            )
        })
    }

    /// Adds a number of 32 bits, if there is one: `value` is a number or an `Option`.
    pub fn put_u32(&mut self, kind: u16, value: impl Into<Option<u32>>) -> Result {
        match value.into() {
            Some(value) => self.put(kind, &value.to_ne_bytes()),
            None => Ok(()),
        }
    }

    /// Adds a number, in 32 bits if it fits and in 64 if not (`NLA_UINT`), if there is one: `value`
    /// is a number or an `Option`.
    pub fn put_uint(&mut self, kind: u16, value: impl Into<Option<u64>>) -> Result {
        match value.into().map(|value| (value, u32::try_from(value))) {
            Some((_, Ok(value))) => self.put_u32(kind, value),
            Some((value, Err(_))) => self.put(kind, &value.to_ne_bytes()),
            None => Ok(()),
        }
    }

    /// Adds a string, with the NUL at its end.
    pub fn put_str(&mut self, kind: u16, value: &CStr) -> Result {
        self.put(kind, value.to_bytes_with_nul())
    }

    /// Adds an attribute without content if the flag is `set`: its presence is what counts.
    pub fn put_flag(&mut self, kind: u16, set: bool) -> Result {
        match set {
            true => self.put(kind, &[]),
            false => Ok(()),
        }
    }

    /// Adds an attribute that holds what `fill` adds.
    ///
    /// # Errors
    ///
    /// Those of `fill`; `EMSGSIZE` also if it becomes longer than an attribute may be. Nothing of
    /// it stays then.
    pub fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Message<'_>) -> Result) -> Result {
        let skb = self.0.as_ptr();
        // SAFETY: Valid by the type invariant.
        let start = unsafe { helpers::nla_nest_start(skb, kind.into()) };
        if start.is_null() {
            return Err(EMSGSIZE);
        }
        fill(self)
            .and_then(|()| {
                // SAFETY: `start` is in the skb: `fill` can only add to what is there.
                let end = unsafe { helpers::nla_nest_end_safe(skb, start) };
                if end < 0 {
                    return Err(EMSGSIZE);
                }
                Ok(())
            })
            // SAFETY: `start` is in the skb: `fill` can only add to what is there.
            .inspect_err(|_| unsafe { helpers::nla_nest_cancel(skb, start) })
    }

    /// Does as [`Message::nest`], but returns `false` if there is no room: for lists that continue in
    /// another message.
    pub fn try_nest(
        &mut self,
        kind: u16,
        fill: impl FnOnce(&mut Message<'_>) -> Result,
    ) -> Result<bool> {
        match self.nest(kind, fill) {
            Ok(()) => Ok(true),
            Err(err) if err == EMSGSIZE => Ok(false),
            Err(err) => Err(err),
        }
    }
}

/// The extended acknowledgement of a request: where a refusal gives its reason in words.
///
/// # Invariants
///
/// The pointer, if any, is valid for reads and writes, and not used otherwise, for all of `'a`.
pub struct ExtAck<'a>(
    Option<NonNull<bindings::netlink_ext_ack>>,
    PhantomData<&'a mut ()>,
);

impl ExtAck<'_> {
    /// Wraps what a callback was given.
    ///
    /// # Safety
    ///
    /// `ptr` must be null, or valid for reads and writes, and not used otherwise, for the lifetime of
    /// the result.
    pub(crate) unsafe fn from_raw(ptr: *mut bindings::netlink_ext_ack) -> Self {
        // INVARIANT: By the safety requirement.
        Self(NonNull::new(ptr), PhantomData)
    }

    /// Makes one for a request whose sender gets no reason.
    pub const fn none() -> Self {
        // INVARIANT: No pointer.
        Self(None, PhantomData)
    }

    /// Does `request`, which no message has asked for, and returns its result and the reason it gave.
    pub fn keep<R>(request: impl FnOnce(&mut ExtAck<'_>) -> R) -> (R, Reason) {
        let mut raw = bindings::netlink_ext_ack::default();
        // SAFETY: Valid, and not used otherwise until the request is done. `R` cannot have this
        // lifetime, so the pointer does not leave by it.
        let result = request(&mut unsafe { ExtAck::from_raw(&mut raw) });
        let mut reason = Reason([0; REASON_SIZE]);
        if !raw._msg.is_null() {
            // SAFETY: A string in `raw`, which has not moved, or a static one; or one of a module that
            // was called, and cannot have been unloaded yet, as RTNL is held where modules are called.
            let text = unsafe { CStr::from_char_ptr(raw._msg) };
            let octets = reason.0.iter_mut().take(REASON_SIZE - 1);
            for (room, octet) in octets.zip(text.to_bytes()) {
                *room = *octet;
            }
        }
        (result, reason)
    }

    pub(crate) fn as_ptr(&mut self) -> *mut bindings::netlink_ext_ack {
        self.0.map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    /// Sets the reason and returns the error: `return Err(extack.refuse(EBUSY, c"it is up"))`.
    pub fn refuse(&mut self, error: Error, reason: &'static CStr) -> Error {
        if let Some(ptr) = self.0 {
            // SAFETY: Valid for writes by the type invariant. A static string outlives the message.
            unsafe { (*ptr.as_ptr())._msg = reason.as_char_ptr() };
        }
        error
    }

    /// Does as [`ExtAck::refuse`], unless a reason has been given already.
    pub fn refuse_weakly(&mut self, error: Error, reason: &'static CStr) -> Error {
        let given = self.0.is_some_and(|ptr| {
            // SAFETY: Valid for reads by the type invariant.
            let reason = unsafe { (*ptr.as_ptr())._msg };
            !reason.is_null()
        });
        if given {
            error
        } else {
            self.refuse(error, reason)
        }
    }

    /// Does as [`ExtAck::refuse`], with a formatted reason, and the attribute it is about:
    /// `extack.refuse_fmt(ERANGE, Some(bits), fmt!("bits: {n} is out of range 0..16"))`. The sender
    /// gets the first 79 bytes.
    pub fn refuse_fmt(
        &mut self,
        error: Error,
        attr: Option<Attribute<'_>>,
        reason: fmt::Arguments<'_>,
    ) -> Error {
        if let Some(ptr) = self.0 {
            // SAFETY: Valid for reads and writes, and not used otherwise, by the type invariant.
            let raw = unsafe { &mut *ptr.as_ptr() };
            // A reason that is too long is cut.
            let _ = Text::new(&mut raw._msg_buf).write_fmt(reason);
            raw._msg = (&raw const raw._msg_buf).cast();
            // The receiver compares the pointer with the bounds of the message, and no more.
            raw.bad_attr = attr.map_or(core::ptr::null(), Attribute::as_ptr);
            raw.policy = core::ptr::null();
        }
        error
    }

    /// Does as [`ExtAck::refuse`], for a missing attribute of type `kind`: in `nest`, or at the top of
    /// the message. The error is `EINVAL`.
    fn missing(&mut self, kind: u16, nest: Option<Attribute<'_>>, reason: &'static CStr) -> Error {
        if let Some(ptr) = self.0 {
            // SAFETY: Valid for writes by the type invariant. The pointer to the nest is compared
            // with the bounds of the message, and no more.
            unsafe {
                (*ptr.as_ptr()).miss_type = kind;
                (*ptr.as_ptr()).miss_nest = nest.map_or(core::ptr::null(), Attribute::as_ptr);
            }
        }
        self.refuse(EINVAL, reason)
    }
}

/// The bytes that a reason may have, with a NUL.
const REASON_SIZE: usize = bindings::NETLINK_MAX_FMTMSG_LEN as usize;

/// The reason of a refusal: a copy of it, empty if none was given.
///
/// # Invariants
///
/// The last byte is NUL.
pub struct Reason([u8; REASON_SIZE]);

impl Deref for Reason {
    type Target = CStr;

    fn deref(&self) -> &CStr {
        // By the type invariant there is always a NUL.
        CStr::from_bytes_until_nul(&self.0).unwrap_or(c"")
    }
}

/// Writes text into a buffer as far as there is room, and always a NUL after it.
struct Text<'a> {
    buffer: &'a mut [c_char],
    len: usize,
}

impl<'a> Text<'a> {
    fn new(buffer: &'a mut [c_char]) -> Self {
        if let Some(first) = buffer.first_mut() {
            *first = 0;
        }
        Self { buffer, len: 0 }
    }
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            // As a whole, and with the NUL.
            let mut octets = [0; 5];
            let len = c.encode_utf8(&mut octets).len();
            let octets = octets.get(..=len).ok_or(fmt::Error)?;
            let room = self.buffer.get_mut(self.len..).unwrap_or(&mut []);
            let room = room.get_mut(..=len).ok_or(fmt::Error)?;
            room.copy_from_slice(octets);
            self.len = self.len.saturating_add(len);
        }
        Ok(())
    }
}

#[kunit_tests(netdev_netlink)]
mod tests {
    use super::*;

    /// Returns the bytes of an attribute, padded as in a message.
    fn octets(kind: u16, len: u16, payload: &[u8]) -> Result<KVec<u8>> {
        let mut octets = KVec::new();
        octets.extend_from_slice(&len.to_ne_bytes(), GFP_KERNEL)?;
        octets.extend_from_slice(&kind.to_ne_bytes(), GFP_KERNEL)?;
        octets.extend_from_slice(payload, GFP_KERNEL)?;
        while octets.len() % 4 != 0 {
            octets.push(0, GFP_KERNEL)?;
        }
        Ok(octets)
    }

    #[test]
    fn attributes_come_in_order_and_the_last_of_a_type_counts() -> Result {
        let mut message = octets(1, 8, &7u32.to_ne_bytes())?;
        message.extend_from_slice(&octets(2, 6, b"x\0")?, GFP_KERNEL)?;
        message.extend_from_slice(&octets(1, 12, &(1u64 << 40).to_ne_bytes())?, GFP_KERNEL)?;
        message.extend_from_slice(&octets(3, 4, b"")?, GFP_KERNEL)?;

        let attrs = Attributes::new(&message);
        assert!(attrs.iter().map(Attribute::kind).eq([1, 2, 1, 3]));
        assert_eq!(attrs.get(1).and_then(Attribute::to_u32), None);
        let last = attrs.get(1).map(Attribute::payload);
        assert!(last == Some(&(1u64 << 40).to_ne_bytes()));
        let first = attrs.iter().next();
        assert_eq!(first.and_then(Attribute::to_u32), Some(7));
        assert!(attrs.get(2).and_then(Attribute::to_cstr) == Some(c"x"));
        assert!(attrs.get(3).is_some_and(|flag| flag.payload().is_empty()));
        assert!(attrs.get(4).is_none());
        Ok(())
    }

    #[test]
    fn what_an_attribute_does_not_hold_is_not_read() -> Result {
        for len in 0..12u16 {
            let message = octets(5, len.saturating_add(4), &[0xff; 12])?;
            let attr = Attributes::new(&message).get(5).ok_or(EINVAL)?;
            assert_eq!(attr.payload().len(), usize::from(len));
            assert_eq!(attr.to_u32().is_some(), len == 4);
            assert!(attr.to_cstr().is_none());
        }
        // A NUL in the midst of a string.
        let message = octets(5, 8, b"a\0b\0")?;
        assert!(Attributes::new(&message)
            .get(5)
            .is_some_and(|attr| attr.to_cstr().is_none()));
        Ok(())
    }

    #[test]
    fn nests_are_entered_and_flags_are_no_part_of_the_type() -> Result {
        let inner = octets(2, 8, &9u32.to_ne_bytes())?;
        let kind = bindings::NLA_F_NESTED as u16 | 6;
        let message = octets(kind, 12, &inner)?;
        let nest = Attributes::new(&message).get(6).map(Attribute::nest);
        let number = nest.and_then(|nest| nest.get(2)?.to_u32());
        assert_eq!(number, Some(9));
        Ok(())
    }

    #[test]
    fn lengths_that_cannot_be_end_the_list() -> Result {
        let good = octets(1, 8, &7u32.to_ne_bytes())?;
        // Shorter than a header, and longer than what is left.
        for len in [0, 1, 3, 9, 12, 0xffff] {
            let mut message = KVec::new();
            message.extend_from_slice(&good, GFP_KERNEL)?;
            message.extend_from_slice(&octets(2, len, &[0; 4])?, GFP_KERNEL)?;
            let attrs = Attributes::new(&message);
            assert_eq!(attrs.iter().count(), 1);
            assert!(attrs.get(2).is_none());
        }
        // A header that is cut off, or an attribute whose padding is.
        for cut in 0..good.len() {
            let cut = good.get(..cut).ok_or(EINVAL)?;
            assert_eq!(Attributes::new(cut).iter().count(), 0);
        }
        let odd = octets(1, 5, &[7])?;
        let unpadded = odd.get(..5).ok_or(EINVAL)?;
        assert_eq!(Attributes::new(unpadded).iter().count(), 1);
        Ok(())
    }

    #[test]
    fn no_octets_upset_the_reader() {
        let mut state = 1u32;
        let mut message = [0u8; 64];
        for _ in 0..2000 {
            for octet in &mut message {
                // xorshift32, and small numbers often: they make lengths that fit.
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                *octet = if state & 0x100 == 0 {
                    state as u8 & 0xf
                } else {
                    0
                };
            }
            let attrs = Attributes::new(&message);
            assert!(attrs.iter().count() <= 16);
            for attr in attrs.iter() {
                assert!(attr.payload().len() <= 60);
                assert!(attr.nest().iter().count() <= 15);
            }
        }
    }

    fn extack_text(raw: &bindings::netlink_ext_ack) -> &[u8] {
        let end = raw._msg_buf.iter().position(|&c| c == 0);
        raw._msg_buf.get(..end.unwrap_or(0)).unwrap_or(&[])
    }

    #[test]
    fn a_reason_is_put_together_and_cut_to_fit() -> Result {
        let message = octets(1, 8, &7u32.to_ne_bytes())?;
        let attr = Attributes::new(&message).get(1);
        let mut raw = bindings::netlink_ext_ack::default();
        // SAFETY: Valid, and used by nobody else until it is dropped.
        let mut extack = unsafe { ExtAck::from_raw(&mut raw) };
        let err = extack.refuse_fmt(ERANGE, attr, fmt!("bits: {} is out of range 0..16", 17));
        assert!(err == ERANGE);
        assert!(extack_text(&raw) == b"bits: 17 is out of range 0..16");
        assert!(core::ptr::eq(raw._msg, raw._msg_buf.as_ptr()));
        assert!(core::ptr::eq(raw.bad_attr.cast(), message.as_ptr()));

        // SAFETY: Valid, and the one before is not used any more.
        let mut extack = unsafe { ExtAck::from_raw(&mut raw) };
        // 1 + 2 n bytes: the last character that fits in part is left out.
        extack.refuse_fmt(EINVAL, None, fmt!("x{:é<100}", ""));
        assert_eq!(extack_text(&raw).len(), 79);
        assert!(core::str::from_utf8(extack_text(&raw)).is_ok());
        assert!(raw.bad_attr.is_null());

        // SAFETY: Valid, and the one before is not used any more.
        let mut extack = unsafe { ExtAck::from_raw(&mut raw) };
        extack.refuse_fmt(EINVAL, None, fmt!("{:é<100}", ""));
        assert_eq!(extack_text(&raw).len(), 78);

        // SAFETY: Valid, and the one before is not used any more.
        let mut extack = unsafe { ExtAck::from_raw(&mut raw) };
        extack.refuse_fmt(EINVAL, None, fmt!(""));
        assert!(extack_text(&raw).is_empty());
        Ok(())
    }

    #[test]
    fn the_reason_of_a_refusal_that_nobody_hears_is_kept() {
        let (err, reason) = ExtAck::keep(|extack| extack.refuse(EBUSY, c"it is up"));
        assert!(err == EBUSY && &*reason == c"it is up");
        let (_, reason) =
            ExtAck::keep(|extack| extack.refuse_fmt(EBUSY, None, fmt!("{:é<100}", "")));
        assert_eq!(reason.to_bytes().len(), 78);
        let (result, reason) = ExtAck::keep(|_| 7);
        assert!(result == 7 && reason.is_empty());
    }

    #[test]
    fn a_missing_attribute_is_named() -> Result {
        let message = octets(1, 8, &[0; 4])?;
        let nest = Attributes::new(&message).get(1);
        let mut raw = bindings::netlink_ext_ack::default();
        // SAFETY: Valid, and used by nobody else until it is dropped.
        let err = unsafe { ExtAck::from_raw(&mut raw) }.missing(3, nest, c"port.id: which?");
        assert!(err == EINVAL);
        assert_eq!(raw.miss_type, 3);
        assert!(core::ptr::eq(raw.miss_nest.cast(), message.as_ptr()));
        assert!(!raw._msg.is_null());
        // There is no place for a reason.
        assert!(ExtAck::none().missing(3, None, c"which?") == EINVAL);
        assert!(ExtAck::none().refuse_fmt(EPERM, nest, fmt!("no")) == EPERM);
        Ok(())
    }
}
