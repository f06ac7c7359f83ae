/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Included before all else when run-tests has bindgen see structures as they are
 * not in this kernel.
 */
#undef CONFIG_XPS
