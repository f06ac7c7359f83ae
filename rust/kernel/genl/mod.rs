// SPDX-License-Identifier: GPL-2.0

//! Generic netlink families whose operations are Rust functions.
//!
//! The family itself, its policies and its table of operations are in C, as they are generated from
//! the family's specification. [`genl_family!`](crate::genl_family) gives each of its operations a
//! function. What a function is handed has been validated by the policy.
//!
//! C header: [`include/net/genetlink.h`](srctree/include/net/genetlink.h)

mod deferred;
mod family;
mod message;
mod request;
mod socket;

pub use self::{
    deferred::Deferred,
    family::{Family, Registration},
    request::{doit, dumpit, Dump, Request},
    socket::{SocketId, SocketWatch, SocketsClosed}, //
};
pub use crate::netlink::{
    Attribute,
    Attributes,
    Message, //
};

/// For [`genl_family!`](crate::genl_family) alone.
#[doc(hidden)]
pub mod raw {
    pub use kernel::ffi::c_int;
    pub use netdev_bindings::{genl_family, genl_info, netlink_callback, sk_buff};
}

/// Declares a family, and the functions of its operations.
///
/// The first name is that of the static, and the second that of the `struct genl_family` in C. Then
/// come the names of the callbacks that C knows, and what they call:
/// `fn(&mut `[`Request`]`<'_>) -> Result` for `doit` and `fn(&mut `[`Dump`]`<'_>) -> Result` for
/// `dumpit`.
///
/// The symbols behind these names begin with `netdev_genl_family_`, `netdev_genl_doit_` and
/// `netdev_genl_dumpit_`. Nothing else in the kernel is called so: the C part of the family gives its
/// own names these prefixes, by a header with a line `#define NAME PREFIX_NAME` for each. So this
/// cannot take another symbol for a family, nor put a function in the place of another, nor a `dumpit`
/// in that of a `doit`: the module would not link.
///
/// ```ignore
/// netdev::genl_family! {
///     /// The family `sample`.
///     pub(crate) static FAMILY: sample_nl_family;
///     doit { sample_nl_item_get_doit => item_get; }
///     dumpit { sample_nl_item_get_dumpit => item_dump; }
/// }
/// ```
#[macro_export]
macro_rules! genl_family {
    (
        $(#[$meta:meta])*
        $vis:vis static $name:ident: $family:ident;
        doit { $($doit:ident => $do_handler:path;)* }
        dumpit { $($dumpit:ident => $dump_handler:path;)* }
    ) => {
        $(#[$meta])*
        $vis static $name: $crate::genl::Family = {
            extern "C" {
                #[link_name = concat!("netdev_genl_family_", stringify!($family))]
                static mut $family: $crate::genl::raw::genl_family;
            }
            // SAFETY: By its name, a family of this module's C part, which only the core changes.
            unsafe { $crate::genl::Family::from_raw(&raw mut $family) }
        };

        $(
            #[export_name = concat!("netdev_genl_doit_", stringify!($doit))]
            unsafe extern "C" fn $doit(
                skb: *mut $crate::genl::raw::sk_buff,
                info: *mut $crate::genl::raw::genl_info,
            ) -> $crate::genl::raw::c_int {
                // SAFETY: By its name, only the core calls this, for a request.
                unsafe { $crate::genl::doit(skb, info, $do_handler) }
            }
        )*

        $(
            #[export_name = concat!("netdev_genl_dumpit_", stringify!($dumpit))]
            unsafe extern "C" fn $dumpit(
                skb: *mut $crate::genl::raw::sk_buff,
                cb: *mut $crate::genl::raw::netlink_callback,
            ) -> $crate::genl::raw::c_int {
                // SAFETY: By its name, only the core calls this, for a part of a dump.
                unsafe { $crate::genl::dumpit(skb, cb, $dump_handler) }
            }
        )*
    };
}
