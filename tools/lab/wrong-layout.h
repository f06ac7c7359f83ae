/* SPDX-License-Identifier: GPL-2.0 */
/*
 * run-tests has bindgen include this first, so that it sees structures with a wrong layout.
 */
#undef CONFIG_XPS
