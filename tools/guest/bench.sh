#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
exec python3 "${0%/*}/bench.py"
