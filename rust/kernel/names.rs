// SPDX-License-Identifier: GPL-2.0

//! The names of devices: each has one, and any number of alternative names.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    device::NetDevice,
    net::Net,
    rtnl::Rtnl, //
};
use core::{
    iter,
    mem::offset_of,
    ptr, //
};
use kernel::prelude::*;
use netdev_bindings as bindings;

/// The beginning of `struct netdev_name_node`, one name of a device. It is in `net/core/dev.h`, and
/// so in no header that modules can include.
#[repr(C)]
struct NameNode {
    hlist: bindings::hlist_node,
    list: bindings::list_head,
    dev: *mut bindings::net_device,
    name: *const c_char,
}

impl NetDevice {
    /// Returns the device in `net` that has this name, be it an alternative one.
    pub fn by_name<'a>(net: &'a Net, name: &CStr, _rtnl: &'a Rtnl) -> Option<&'a Self> {
        // SAFETY: The namespace is alive, the name ends with a NUL, and RTNL is held.
        let dev = unsafe { bindings::__dev_get_by_name(net.as_ptr(), name.as_char_ptr().cast()) };
        // SAFETY: Devices that can be found are registered, and stay so while RTNL is held.
        (!dev.is_null()).then(|| unsafe { Self::from_raw(dev) })
    }

    /// Returns the name of the device, then its alternative names. These do not change while RTNL is
    /// held.
    pub fn names<'a>(&'a self, rtnl: &'a Rtnl) -> impl Iterator<Item = &'a CStr> {
        let head = self.first_node(rtnl);
        // SAFETY: The node is valid while RTNL is held.
        let end = head.map(|head| unsafe { &raw const (*head).list });
        let mut at = end;
        let others = iter::from_fn(move || {
            // SAFETY: The nodes of a device make a ring, whose members are valid while RTNL is held.
            let next = unsafe { (*at?).next }.cast_const();
            if Some(next) == end {
                return None;
            }
            at = Some(next);
            let node = next.wrapping_byte_sub(offset_of!(NameNode, list));
            // SAFETY: What is in the ring beside the first node is such a node, and its name ends
            // with a NUL.
            Some(unsafe { CStr::from_char_ptr((*node.cast::<NameNode>()).name.cast()) })
        });
        Iterator::chain(iter::once(self.name(rtnl)), others)
    }

    /// Returns the node of the device's own name, which is the head of the ring of all of them.
    /// `None` if it is not laid out as expected: there are no alternative names then.
    fn first_node(&self, _rtnl: &Rtnl) -> Option<*const NameNode> {
        let raw = self.as_ptr();
        // SAFETY: Alive by the type invariant. The node is replaced only by a holder of RTNL.
        let node = unsafe { (*raw).name_node }.cast_const().cast::<NameNode>();
        if node.is_null() {
            return None;
        }
        // SAFETY: A name node has at least the size of `NameNode` in all kernels since there is one.
        let (dev, name) = unsafe { ((*node).dev, (*node).name) };
        // SAFETY: Only the address is computed.
        let own = unsafe { &raw const (*raw).name };
        // Where these two are as expected, so is what lies before them.
        (ptr::eq(dev, raw) && ptr::eq(name, own.cast())).then_some(node)
    }
}
