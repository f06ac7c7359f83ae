// SPDX-License-Identifier: GPL-2.0

//! Checks that bindgen has the layouts that the kernel's compiler has: libclang may be told other
//! options, or take another architecture for the kernel's.

use super::generated::*;
use core::mem::{offset_of, size_of};

mod c {
    include!(concat!(env!("NETDEV_BINDINGS"), "/layout_generated.rs"));
}

macro_rules! same_layout {
    ($($name:ident: $here:expr;)*) => {
        $(const _: () = assert!(
            $here == c::$name,
            concat!("bindgen and the kernel's compiler differ in ", stringify!($name)),
        );)*
    };
}

same_layout! {
    NET_DEVICE_SIZE: size_of::<net_device>();
    NET_DEVICE_PRIV: offset_of!(net_device, priv_);
    NET_DEVICE_NETDEV_OPS: offset_of!(net_device, netdev_ops);
    NET_DEVICE_STATE: offset_of!(net_device, state);
    NET_DEVICE_FLAGS: offset_of!(net_device, flags);
    NET_DEVICE_MTU: offset_of!(net_device, mtu);
    NET_DEVICE_REAL_NUM_TX_QUEUES: offset_of!(net_device, real_num_tx_queues);
    NET_DEVICE_RX_HANDLER_DATA: offset_of!(net_device, rx_handler_data);
    NET_DEVICE_REG_STATE: offset_of!(net_device, reg_state);
    NET_DEVICE_DEV_ADDR: offset_of!(net_device, dev_addr);
    NET_DEVICE_ADJ_LIST: offset_of!(net_device, adj_list);
    NET_DEVICE_RTNL_LINK_OPS: offset_of!(net_device, rtnl_link_ops);
    NET_DEVICE_PRIV_DESTRUCTOR: offset_of!(net_device, priv_destructor);
    NET_DEVICE_TSTATS: offset_of!(net_device, __bindgen_anon_2);

    SK_BUFF_SIZE: size_of::<sk_buff>();
    SK_BUFF_DEV: offset_of!(sk_buff, __bindgen_anon_1.__bindgen_anon_1.__bindgen_anon_1.dev);
    SK_BUFF_LEN: offset_of!(sk_buff, len);
    SK_BUFF_DATA_LEN: offset_of!(sk_buff, data_len);
    SK_BUFF_QUEUE_MAPPING: offset_of!(sk_buff, queue_mapping);
    SK_BUFF_PROTOCOL: offset_of!(sk_buff, __bindgen_anon_4) + offset_of!(Headers, protocol);
    SK_BUFF_PRIORITY: offset_of!(sk_buff, __bindgen_anon_4) + offset_of!(Headers, priority);
    SK_BUFF_MARK: offset_of!(sk_buff, __bindgen_anon_4) + offset_of!(Headers, __bindgen_anon_4);
    SK_BUFF_DATA: offset_of!(sk_buff, data);
    SK_BUFF_USERS: offset_of!(sk_buff, users);

    NET_DEVICE_OPS_SIZE: size_of::<net_device_ops>();
    NET_DEVICE_OPS_START_XMIT: offset_of!(net_device_ops, ndo_start_xmit);
    NET_DEVICE_OPS_XDP_XMIT: offset_of!(net_device_ops, ndo_xdp_xmit);
    ETHTOOL_OPS_SIZE: size_of::<ethtool_ops>();
    RTNL_LINK_OPS_SIZE: size_of::<rtnl_link_ops>();
    GENL_FAMILY_SIZE: size_of::<genl_family>();
    GENL_INFO_SIZE: size_of::<genl_info>();
    NETLINK_EXT_ACK_SIZE: size_of::<netlink_ext_ack>();
    NETLINK_CALLBACK_SIZE: size_of::<netlink_callback>();
    DELAYED_WORK_SIZE: size_of::<delayed_work>();
    HRTIMER_SIZE: size_of::<hrtimer>();
    NOTIFIER_BLOCK_SIZE: size_of::<notifier_block>();
    XDP_FRAME_SIZE: size_of::<xdp_frame>();
    XDP_FRAME_LEN: offset_of!(xdp_frame, len);
    NET_COOKIE: offset_of!(net, net_cookie);
    NET_DEV_BY_INDEX: offset_of!(net, dev_by_index);
    DEVICE_PARENT: offset_of!(device, parent);
    DEVICE_DRIVER: offset_of!(device, driver);
}

/// The fields that a copy of an skb begins with.
type Headers = sk_buff__bindgen_ty_4__bindgen_ty_2;
