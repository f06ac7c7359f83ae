/* SPDX-License-Identifier: GPL-2.0 */
#include "test_progs.h"
