// SPDX-License-Identifier: GPL-2.0

//! Messages of a family: their attributes read, and messages written.

use crate::netlink::{
    Attributes,
    Message, //
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull,
    slice, //
};
use kernel::prelude::*;
use netdev_bindings::{self as bindings, helpers};

/// An skb for a message that is not sent yet.
///
/// # Invariants
///
/// The pointer is that of a valid skb, which belongs to this value alone.
pub(super) struct Skb(NonNull<bindings::sk_buff>);

impl Skb {
    /// Makes room for a message of `size` bytes behind its headers, or somewhat more.
    pub(super) fn new(size: usize) -> Result<Self> {
        // Lengths in an skb are of 32 bits, and headers and alignment are added to this.
        if size > i32::MAX as usize / 2 {
            return Err(EMSGSIZE);
        }
        // SAFETY: An FFI call without requirements but that the context may sleep.
        let skb = unsafe { helpers::genlmsg_new(size, bindings::GFP_KERNEL) };
        // INVARIANT: A new skb.
        Ok(Self(NonNull::new(skb).ok_or(ENOMEM)?))
    }

    pub(super) fn raw(&self) -> NonNull<bindings::sk_buff> {
        self.0
    }

    pub(super) fn into_raw(self) -> *mut bindings::sk_buff {
        ManuallyDrop::new(self).0.as_ptr()
    }
}

impl Drop for Skb {
    fn drop(&mut self) {
        // SAFETY: The skb belongs to this value, by the type invariant.
        unsafe { helpers::nlmsg_free(self.0.as_ptr()) };
    }
}

/// Adds a message to `skb`: headers, and what `fill` writes. `finish` gets a pointer to what comes
/// after the headers. If `fill` fails, nothing stays.
///
/// # Safety
///
/// `skb` must be valid, and not used otherwise, and `family` must be valid.
#[expect(clippy::too_many_arguments)] // As many as a message has parts.
pub(super) unsafe fn write_message(
    skb: NonNull<bindings::sk_buff>,
    portid: u32,
    seq: u32,
    family: *const bindings::genl_family,
    flags: u32,
    cmd: u8,
    fill: impl FnOnce(&mut Message<'_>) -> Result,
    finish: impl FnOnce(*mut c_void),
) -> Result {
    let raw = skb.as_ptr();
    // SAFETY: By the safety requirement.
    let start = unsafe { bindings::genlmsg_put(raw, portid, seq, family, flags as c_int, cmd) };
    if start.is_null() {
        return Err(EMSGSIZE);
    }
    // SAFETY: By the safety requirement; a message was begun.
    fill(&mut unsafe { Message::from_raw(skb) })
        // SAFETY: `start` is from `genlmsg_put` above; `fill` can only add to what is there.
        .inspect_err(|_| unsafe { helpers::genlmsg_cancel(raw, start) })?;
    finish(start);
    // SAFETY: `start` is from `genlmsg_put` above; `fill` can only add to what is there.
    unsafe { helpers::genlmsg_end(raw, start) };
    Ok(())
}

/// Returns the attributes of the request that `info` is about.
///
/// # Safety
///
/// `info` must be that of a request, which stays valid for all of `'a`.
pub(super) unsafe fn attributes_of<'a>(info: *const bindings::genl_info) -> Attributes<'a> {
    // SAFETY: By the safety requirement.
    unsafe { attributes_of_message((*info).nlhdr) }
}

/// Returns the attributes of the request with that header.
///
/// # Safety
///
/// `header` must be that of a request that the core has checked, which stays valid for all of `'a`.
pub(super) unsafe fn attributes_of_message<'a>(
    header: *const bindings::nlmsghdr,
) -> Attributes<'a> {
    const HEADERS_LEN: usize = size_of::<bindings::nlmsghdr>() + size_of::<bindings::genlmsghdr>();

    // SAFETY: By the safety requirement. The core has checked that the length in the header is
    // right, and that there are both headers.
    let message =
        unsafe { slice::from_raw_parts(header.cast::<u8>(), (*header).nlmsg_len as usize) };
    Attributes::new(message.get(HEADERS_LEN..).unwrap_or(&[]))
}

#[kunit_tests(netdev_genl_message)]
mod tests {
    use super::*;
    use crate::netlink::Attribute;

    /// Writes a message into `skb`.
    fn write(skb: &Skb, fill: impl FnOnce(&mut Message<'_>) -> Result) -> Result {
        let family = bindings::genl_family::default();
        // SAFETY: The skb is the test's own, and of a family its id and version only are read.
        unsafe { write_message(skb.0, 5, 6, &family, 0, 9, fill, |_| ()) }
    }

    /// Returns all that is in `skb`.
    fn octets(skb: &Skb) -> &[u8] {
        // SAFETY: The skb is the test's own, with that many bytes.
        unsafe {
            let raw = skb.0.as_ref();
            slice::from_raw_parts(raw.data, raw.len as usize)
        }
    }

    /// Returns the attributes of the only message in `skb`, read as those of a request are.
    fn attributes(skb: &Skb) -> Attributes<'_> {
        let info = bindings::genl_info {
            nlhdr: octets(skb).as_ptr().cast(),
            ..pin_init::zeroed()
        };
        // SAFETY: The header is that of the message, which lives as long as the skb.
        unsafe { attributes_of(&info) }
    }

    #[test]
    fn what_is_written_is_read() -> Result {
        let skb = Skb::new(256)?;
        write(&skb, |m| {
            m.put_u32(1, 7)?;
            m.put_uint(2, 1 << 40)?;
            m.put_uint(3, 8)?;
            m.put_str(4, c"eth0")?;
            m.put_flag(5, true)?;
            m.put_flag(7, false)?;
            m.put_u32(7, None)?;
            m.put_uint(7, None)?;
            m.nest(6, |m| {
                m.put_u32(1, 10)?;
                m.nest(2, |m| m.put_u32(1, 11))
            })
        })?;
        let attrs = attributes(&skb);
        assert_eq!(attrs.iter().count(), 6);
        assert_eq!(attrs.get(1).and_then(Attribute::to_u32), Some(7));
        let wide = attrs.get(2).map(Attribute::payload);
        assert!(wide == Some(&(1u64 << 40).to_ne_bytes()));
        assert_eq!(attrs.get(3).and_then(Attribute::to_u32), Some(8));
        assert!(attrs.get(4).and_then(Attribute::to_cstr) == Some(c"eth0"));
        assert!(attrs.get(5).is_some_and(|attr| attr.payload().is_empty()));
        let nest = attrs.get(6).ok_or(EINVAL)?.nest();
        assert_eq!(nest.get(1).and_then(Attribute::to_u32), Some(10));
        let inner = nest.get(2).and_then(|attr| attr.nest().get(1));
        assert_eq!(inner.and_then(Attribute::to_u32), Some(11));
        Ok(())
    }

    #[test]
    fn what_fails_leaves_nothing() -> Result {
        let skb = Skb::new(256)?;
        let failed = write(&skb, |m| {
            m.put_u32(1, 7)?;
            m.nest(2, |m| {
                m.put_u32(1, 7)?;
                Err(EPERM)
            })
        });
        assert!(failed == Err(EPERM));
        assert!(octets(&skb).is_empty());

        write(&skb, |m| {
            m.put_u32(1, 7)?;
            let failed = m.nest(2, |m| {
                m.put_u32(1, 7)?;
                m.nest(2, |_| Err(EPERM))
            });
            assert!(failed == Err(EPERM));
            m.put_u32(3, 8)
        })?;
        assert!(attributes(&skb).iter().map(Attribute::kind).eq([1, 3]));
        Ok(())
    }

    #[test]
    fn a_list_that_does_not_fit_is_taken_back_as_a_whole() -> Result {
        let skb = Skb::new(256)?;
        let mut fitting = 0usize;
        write(&skb, |m| {
            while m.try_nest(2, |m| {
                m.put_u32(1, 7)?;
                m.put_u32(2, 8)
            })? {
                fitting = fitting.saturating_add(1);
            }
            Ok(())
        })?;
        assert!(fitting >= 256 / 20);
        let attrs = attributes(&skb);
        assert_eq!(attrs.iter().count(), fitting);
        assert!(attrs.iter().all(|nest| nest.nest().iter().count() == 2));

        // Other errors are not taken for that.
        let skb = Skb::new(256)?;
        let failed = write(&skb, |m| m.try_nest(2, |_| Err(EPERM)).map(|_| ()));
        assert!(failed == Err(EPERM));
        // A message that does not fit leaves those before it as they are.
        let skb = Skb::new(256)?;
        let mut whole = 0usize;
        while write(&skb, |m| m.put(1, &[0; 12])).is_ok() {
            whole = whole.saturating_add(16 + 4 + 16);
        }
        assert_eq!(octets(&skb).len(), whole);
        Ok(())
    }

    #[test]
    fn an_attribute_is_no_longer_than_its_length_can_say() -> Result {
        let skb = Skb::new(1 << 18)?;
        write(&skb, |m| {
            let mut count = 0u32;
            let failed = m.nest(2, |m| {
                while count < 1 << 13 {
                    m.put_u32(1, 7)?;
                    count = count.saturating_add(1);
                }
                Ok(())
            });
            // 8 bytes each, and the room of the skb is not the reason.
            assert!(failed == Err(EMSGSIZE));
            assert_eq!(count, 1 << 13);

            let payload = KVVec::from_elem(0u8, 0x1_0000, GFP_KERNEL)?;
            let longest = payload.get(..0xffff - 4).ok_or(EINVAL)?;
            for len in [0xffff - 3, 0xffff, 0x1_0000] {
                let longer = payload.get(..len).ok_or(EINVAL)?;
                assert!(m.put(3, longer) == Err(EMSGSIZE));
            }
            m.put(4, longest)
        })?;
        assert!(attributes(&skb).iter().map(Attribute::kind).eq([4]));
        Ok(())
    }
}
