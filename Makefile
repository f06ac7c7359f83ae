# SPDX-License-Identifier: GPL-2.0
#
# Every entry point. What it takes is made on the way, see tools/lab/setup.sh; what kbuild reads
# is Kbuild.

SHELL := /bin/bash
LAB := tools/lab
# The kernel tree of the lab that `make modules` builds against.
TREE ?= stock
# The guests `make test-guest` tests in.
GUEST ?= stock debug
export TEST

# Modules for a guest, said in one line unless they do not build.
quietly = echo "modules for the $(1) guest" && mkdir -p build/log && \
	{ $(LAB)/build $(1) > build/log/modules.log 2>&1 || { cat build/log/modules.log; exit 1; }; }

help: ## this list
	@echo "trunk: link trunking and spare-link failover for Linux"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16
	@echo
	@echo "TEST=NAME           those guest tests alone whose name contains NAME"
	@echo "GUEST=stock|debug   guest tests in this guest alone"
	@echo "SERIES=7.3          the series of Debian kernels"
	@echo "TRUNK_CACHE=DIR     where the lab keeps what it made"
	@echo "ACCEL=kvm           run guests on hardware, not by emulation"

demo: ## a trunk carries traffic and survives a pulled cable
	@$(LAB)/setup.sh stock && $(call quietly,stock) && $(LAB)/in-root $(LAB)/guest.py demo

shell: ## a prompt in a guest with the topology of the demo
	@$(LAB)/setup.sh stock && $(call quietly,stock) && $(LAB)/in-root $(LAB)/guest.py shell

test: ## all tests
	@$(LAB)/setup.sh && $(LAB)/in-root $(LAB)/run-tests host kunit graft $(GUEST)

test-host: ## tests that need no kernel: cargo, formatting, lints, set-up
	@$(LAB)/setup.sh && $(LAB)/in-root $(LAB)/run-tests host

test-kunit: ## KUnit tests, as module and built in
	@$(LAB)/setup.sh kunit && $(LAB)/in-root $(LAB)/run-tests kunit graft

test-guest: ## tests of the module in guests
	@for guest in $(GUEST); do $(LAB)/setup.sh $$guest || exit; done && $(LAB)/in-root $(LAB)/run-tests $(GUEST)

bench: ## what it costs, in instructions, beside bonding
	@$(LAB)/setup.sh stock && $(call quietly,stock) && $(LAB)/in-root $(LAB)/guest.py bench

setup: ## prepare all of the lab
	@$(LAB)/setup.sh

ifdef KDIR
MO ?= build/$(shell cat $(KDIR)/include/config/kernel.release 2>/dev/null)
modules:
	$(LAB)/kbuild $(KDIR) $(MO) modules
else
modules: ## build the modules; KDIR=DIR: against this kernel tree, not the lab's
	$(LAB)/setup.sh $(TREE)
	$(LAB)/build $(TREE) modules
endif

graft: ## put the project into the kernel source KSRC=DIR as drivers/net/trunk
	$(LAB)/graft $(KSRC)

clean: ## remove what was built
	rm -rf build tools/target

clean-cache: ## remove what the lab has made: build root and kernels
	@. $(LAB)/env.sh && set -x && rm -rf --one-file-system "$$cache"

.PHONY: help demo shell test test-host test-kunit test-guest bench setup modules graft clean clean-cache
