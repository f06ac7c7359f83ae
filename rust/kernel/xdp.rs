// SPDX-License-Identifier: GPL-2.0

//! XDP: programs that see a device's frames before the stack does, and frames that they send.
//!
//! C header: [`include/net/xdp.h`](srctree/include/net/xdp.h)

use crate::{
    device::{read_once, Device, NetDevice},
    netlink::ExtAck,
    rcu::RcuBh,
    rtnl::Rtnl,
    skb::EthHeader, //
};
use core::{
    ops::BitAnd,
    ptr::{self, NonNull},
};
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};
use netdev_bindings::{self as bindings, helpers};

/// A program, loaded and verified.
///
/// # Invariants
///
/// The pointer is that of a valid `bpf_prog`, a reference to which belongs to this value.
pub struct Program(NonNull<bindings::bpf_prog>);

// SAFETY: A program belongs to no thread, and is not changed any more once it is loaded.
unsafe impl Send for Program {}

// SAFETY: A program is not changed any more once it is loaded, but for its counter of references,
// which any thread may change.
unsafe impl Sync for Program {}

impl Program {
    /// Takes a reference to a program. `None` for null.
    ///
    /// # Safety
    ///
    /// `ptr` must be null, or a valid `bpf_prog`.
    pub(crate) unsafe fn from_raw(ptr: *mut bindings::bpf_prog) -> Option<Self> {
        let ptr = NonNull::new(ptr)?;
        // SAFETY: Valid by the safety requirement.
        unsafe { helpers::bpf_prog_inc(ptr.as_ptr()) };
        // INVARIANT: The reference just taken.
        Some(Self(ptr))
    }
}

impl Clone for Program {
    fn clone(&self) -> Self {
        // SAFETY: Valid by the type invariant.
        unsafe { helpers::bpf_prog_inc(self.0.as_ptr()) };
        // INVARIANT: The reference just taken.
        Self(self.0)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: By the type invariant there is a reference to give up.
        unsafe { helpers::bpf_prog_put(self.0.as_ptr()) };
    }
}

/// What a device can do with programs and their frames (`enum netdev_xdp_act`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct XdpFeatures(u32);

impl XdpFeatures {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Takes frames that programs send.
    const TRANSMIT: Self = Self(bindings::netdev_xdp_act_NETDEV_XDP_ACT_NDO_XMIT);
    /// Takes frames that programs send, and that are in several pieces.
    const TRANSMIT_PIECES: Self = Self(bindings::netdev_xdp_act_NETDEV_XDP_ACT_NDO_XMIT_SG);
    /// What an upper device may offer if its lower devices do: all but zero-copy and programs in
    /// hardware, which belong to the queues of one device.
    pub const UPPER: Self = Self(
        bindings::netdev_xdp_act_NETDEV_XDP_ACT_BASIC
            | bindings::netdev_xdp_act_NETDEV_XDP_ACT_REDIRECT
            | bindings::netdev_xdp_act_NETDEV_XDP_ACT_RX_SG
            | Self::TRANSMIT.0
            | Self::TRANSMIT_PIECES.0,
    );

    fn has(self, all: Self) -> bool {
        self & all == all
    }
}

impl BitAnd for XdpFeatures {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl NetDevice {
    /// Returns what the device can do now.
    pub fn xdp_features(&self) -> XdpFeatures {
        XdpFeatures(read_once!(self, xdp_features))
    }

    /// Returns whether its driver can run programs.
    pub fn runs_programs(&self) -> bool {
        self.ops().ndo_bpf.is_some()
    }

    /// Returns whether a program is attached to this device itself, in any mode. Programs of
    /// [`NetDevice::set_program`] do not count.
    pub fn has_program(&self, _rtnl: &Rtnl) -> bool {
        // SAFETY: The device is alive, and RTNL is held.
        unsafe { bindings::dev_xdp_prog_count(self.as_ptr()) != 0 }
    }

    /// Makes the driver of a lower device run `program`, or none, in place of the one that an upper
    /// device has set before. It is not reported as a program of the lower device.
    ///
    /// # Errors
    ///
    /// Those of its driver; `extack` may say why. The program is the old one then.
    pub fn set_program(
        &self,
        program: Option<&Program>,
        extack: &mut ExtAck<'_>,
        _rtnl: &Rtnl,
    ) -> Result {
        // The driver's reference.
        let moved = program.cloned();
        let setup = bindings::netdev_bpf__bindgen_ty_1__bindgen_ty_1 {
            flags: 0,
            prog: moved
                .as_ref()
                .map_or(ptr::null_mut(), |program| program.0.as_ptr()),
            extack: extack.as_ptr(),
        };
        let mut request = bindings::netdev_bpf {
            command: bindings::bpf_netdev_command_XDP_SETUP_PROG,
            __bindgen_anon_1: bindings::netdev_bpf__bindgen_ty_1 {
                __bindgen_anon_1: setup,
            },
        };
        // SAFETY: The device is alive, RTNL is held, and the device's lock is taken inside. The
        // request is valid for the call.
        to_result(unsafe { bindings::dev_xdp_propagate(self.as_ptr(), &mut request) })?;
        core::mem::forget(moved);
        Ok(())
    }

    /// Hands frames over to be sent. Returns how many of them it has taken, from the first on.
    fn transmit_xdp(&self, frames: &mut [NonNull<XdpFrame>], flags: u32) -> usize {
        let features = self.xdp_features();
        // SAFETY: The frames are valid, and the caller's.
        let whole = |frame: &NonNull<XdpFrame>| !unsafe { frame.as_ref() }.has_pieces();
        if !features.has(XdpFeatures::TRANSMIT)
            || !features.has(XdpFeatures::TRANSMIT_PIECES) && !frames.iter().all(whole)
        {
            return 0;
        }
        let Some(transmit) = self.ops().ndo_xdp_xmit else {
            return 0;
        };
        let Ok(len) = c_int::try_from(frames.len()) else {
            return 0;
        };
        // SAFETY: The device is alive, and `Frames` is used where bottom halves are disabled. As
        // many pointers as said follow the first, to frames that the caller gives up as far as they
        // are taken.
        let taken = unsafe { transmit(self.as_ptr(), len, frames.as_mut_ptr().cast(), flags) };
        usize::try_from(taken).unwrap_or(0).min(frames.len())
    }
}

impl<T> Device<T> {
    /// Sets what the device can do with programs and their frames. Notifiers are called.
    pub fn set_xdp_features(&self, features: XdpFeatures, _rtnl: &Rtnl) {
        // SAFETY: The device is alive. Its own lock is taken inside; RTNL is held, under which those
        // of several devices may be, in any order.
        unsafe { bindings::xdp_set_features_flag(self.as_ptr(), features.0) };
    }
}

/// A frame that a program sends, with its Ethernet header.
///
/// # Invariants
///
/// A reference to an instance points to a valid `xdp_frame`, to which nobody writes.
#[repr(transparent)]
pub struct XdpFrame(Opaque<bindings::xdp_frame>);

impl XdpFrame {
    /// Returns the length in bytes, with the Ethernet header.
    #[expect(clippy::len_without_is_empty)]
    pub fn len(&self) -> u32 {
        // SAFETY: Valid by the type invariant.
        unsafe { helpers::xdp_get_frame_len(self.0.get()) }
    }

    fn has_pieces(&self) -> bool {
        // SAFETY: Valid by the type invariant.
        unsafe { helpers::xdp_frame_has_frags(self.0.get()) }
    }

    /// Returns the frame, or the first piece of one in several.
    pub fn linear(&self) -> &[u8] {
        // SAFETY: Valid by the type invariant: as many bytes as `len` says are at `data`.
        unsafe {
            let frame = self.0.get();
            core::slice::from_raw_parts((*frame).data.cast::<u8>(), (*frame).len as usize)
        }
    }

    /// Returns the Ethernet header. `None` if the frame is shorter.
    pub fn header(&self) -> Option<&EthHeader> {
        let (header, _) = self.linear().split_at_checked(EthHeader::LEN)?;
        // SAFETY: There are as many bytes as a header has; `EthHeader` has alignment one and takes any.
        Some(unsafe { &*header.as_ptr().cast::<EthHeader>() })
    }

    /// Returns the hash of the flow the frame belongs to: what [`SkBuff::flow_hash`](crate::skb::SkBuff)
    /// computes for a frame of these bytes in the namespace of `dev`, if it has to compute it.
    pub fn flow_hash(&self, dev: &NetDevice) -> u32 {
        let octets = self.linear();
        let Some(header) = self.header() else {
            return 0;
        };
        let mut keys = bindings::flow_keys::default();
        // SAFETY: The device is alive, and so is its namespace. There are as many bytes at `data`
        // as said, and the dissector is the one for such keys. Without an skb nothing else is read.
        unsafe {
            bindings::__skb_flow_dissect(
                helpers::dev_net(dev.as_ptr()),
                ptr::null(),
                &raw mut bindings::flow_keys_dissector,
                (&raw mut keys).cast(),
                octets.as_ptr().cast(),
                u16::from_ne_bytes(header.proto),
                size_of::<EthHeader>() as c_int,
                octets.len() as c_int,
                bindings::FLOW_DISSECTOR_F_STOP_AT_FLOW_LABEL,
            );
            bindings::flow_hash_from_keys(&mut keys)
        }
    }
}

/// The most frames that are handed over together: as many as the core hands over
/// (`DEV_MAP_BULK_SIZE`).
const RUN: usize = 16;

/// Frames that programs send by a device.
pub struct Frames<'a> {
    /// The device.
    dev: &'a NetDevice,
    frames: &'a mut [NonNull<XdpFrame>],
    flags: u32,
    sent: usize,
}

impl<'a> Frames<'a> {
    /// Takes over frames that are to be sent by `dev`; none has been sent yet.
    ///
    /// # Safety
    ///
    /// `first` must be followed by `len` pointers to valid frames, which are not used otherwise during
    /// `'a`, on a CPU with bottom halves disabled for all of `'a`.
    pub(crate) unsafe fn from_raw(
        dev: &'a NetDevice,
        first: *mut *mut bindings::xdp_frame,
        len: c_int,
        flags: u32,
    ) -> Self {
        let len = usize::try_from(len).unwrap_or(0);
        Self {
            dev,
            // SAFETY: By the safety requirement; `XdpFrame` is transparent to what they point to.
            frames: unsafe { core::slice::from_raw_parts_mut(first.cast(), len) },
            flags,
            sent: 0,
        }
    }

    /// Returns how many have been sent, which are the first ones; or `ENXIO` if there were some and none
    /// was sent.
    pub(crate) fn result(&self) -> Result<c_int> {
        match self.sent {
            0 if !self.frames.is_empty() => Err(ENXIO),
            sent => Ok(c_int::try_from(sent)?),
        }
    }

    /// Sends each frame by the device that `way` returns for it. Successive frames with the same device
    /// are sent together. A frame without a device, or one that its device does not take, holds up no
    /// other, and is left to the caller. The device that the frames were given to is not sent by: it
    /// would get them again, without end. For each frame that is taken, `taken` gets the value that `way`
    /// has returned with the device.
    pub fn send<'d, T: Copy>(
        &mut self,
        mut way: impl FnMut(&XdpFrame) -> Option<(&'d NetDevice, T)>,
        mut taken: impl FnMut(T),
        _context: &RcuBh,
    ) {
        let (mut start, mut end, mut left) = (0usize, 0usize, 0usize);
        let mut to: Option<&NetDevice> = None;
        let mut said = [const { None }; RUN];
        while let Some(frame) = self.frames.get(end) {
            // SAFETY: By the requirement of `from_raw`; this one has not been handed over yet.
            let (next, what) = way(unsafe { frame.as_ref() }).unzip();
            let full = end.wrapping_sub(start) == RUN;
            if full || next.map(NetDevice::as_ptr) != to.map(NetDevice::as_ptr) {
                left = self.send_run(start, end, left, to, &said, &mut taken);
                start = end;
                to = next;
            }
            if let Some(room) = said.get_mut(end.wrapping_sub(start)) {
                *room = what;
            }
            end = end.wrapping_add(1);
        }
        left = self.send_run(start, end, left, to, &said, &mut taken);

        // Those that are left are in front, where they overwrote those that are sent; they belong
        // behind them.
        self.sent = self.frames.len().saturating_sub(left);
        for index in (0..left).rev() {
            self.copy(index, self.sent.wrapping_add(index));
        }
    }

    /// Sends the frames from `start` to before `end`. The first `left` pointers are those of frames that
    /// have not been sent so far; returns how many there are now. `taken` gets the values in `said` of
    /// the frames that are sent.
    fn send_run<T: Copy>(
        &mut self,
        start: usize,
        end: usize,
        mut left: usize,
        to: Option<&NetDevice>,
        said: &[Option<T>],
        taken: impl FnMut(T),
    ) -> usize {
        let flags = self.flags;
        let to = to.filter(|to| !to.is(self.dev));
        let sent = match (to, self.frames.get_mut(start..end)) {
            (Some(dev), Some(run)) if !run.is_empty() => dev.transmit_xdp(run, flags),
            _ => 0,
        };
        said.iter().take(sent).copied().flatten().for_each(taken);
        for index in start.wrapping_add(sent)..end {
            self.copy(index, left);
            left = left.wrapping_add(1);
        }
        left
    }

    /// Writes the pointer at `from` to `to`, too.
    fn copy(&mut self, from: usize, to: usize) {
        if let Some(frame) = self.frames.get(from).copied() {
            if let Some(place) = self.frames.get_mut(to) {
                *place = frame;
            }
        }
    }
}

#[kunit_tests(netdev_xdp)]
mod tests {
    use super::*;
    use crate::rcu::read_lock_bh;
    use kernel::alloc::flags::__GFP_ZERO;

    /// Takes all frames.
    ///
    /// # Safety
    ///
    /// None.
    unsafe extern "C" fn take_all(
        _dev: *mut bindings::net_device,
        len: c_int,
        _frames: *mut *mut bindings::xdp_frame,
        _flags: u32,
    ) -> c_int {
        len
    }

    #[test]
    fn frames_do_not_return_to_the_device_they_are_given_to() -> Result {
        let ops = bindings::net_device_ops {
            ndo_xdp_xmit: Some(take_all),
            ..pin_init::zeroed()
        };
        let device = || -> Result<KBox<bindings::net_device>> {
            let zeroed = KBox::<bindings::net_device>::new_uninit(GFP_KERNEL | __GFP_ZERO)?;
            // SAFETY: A device is numbers, and pointers that may be null.
            let mut device = unsafe { zeroed.assume_init() };
            device.netdev_ops = &ops;
            device.xdp_features = XdpFeatures::TRANSMIT.0;
            Ok(device)
        };
        let (mut own, mut other) = (device()?, device()?);
        // SAFETY: Not registered, but nobody asks for more than its operations and features.
        let own = unsafe { NetDevice::from_raw(&raw mut *own) };
        // SAFETY: Not registered, but nobody asks for more than its operations and features.
        let other = unsafe { NetDevice::from_raw(&raw mut *other) };
        let mut frame: bindings::xdp_frame = pin_init::zeroed();

        for (to, sent) in [(own, Err(ENXIO)), (other, Ok(2))] {
            let mut list = [&raw mut frame; 2];
            // SAFETY: Two pointers to a frame that nobody else uses.
            let mut frames = unsafe { Frames::from_raw(own, list.as_mut_ptr(), 2, 0) };
            frames.send(|_| Some((to, ())), |()| (), &read_lock_bh());
            assert!(frames.result() == sent);
        }
        Ok(())
    }
}
