# SPDX-License-Identifier: GPL-2.0
#
# All entry points. Each prepares what it needs, see tools/lab/setup.sh. kbuild reads Kbuild.

SHELL := /bin/bash
LAB := tools/lab
# The kernel tree of the lab that `make modules` builds against.
TREE ?= stock
# The guests that `make test-guest` uses.
GUEST ?= stock debug uml
# The guests that `make test-peers` uses: debug has what Debian's kernel lacks.
PEERS ?= stock debug
export TEST SEED

# Builds the modules for a guest, or the tool. Prints one line, or on failure the log.
said_tools := trunkctl
said_floor := the floor of the benchmark
quietly = echo "$(or $(said_$(1)),modules for the $(1) guest)" && mkdir -p build/log && \
	{ $(LAB)/build $(1) > build/log/build-$(1).log 2>&1 || { cat build/log/build-$(1).log; exit 1; }; }

help: ## this list
	@echo "trunk: link trunking and spare-link failover for Linux"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 20
	@echo
	@echo "TEST=NAME           only tests whose name contains NAME, in guests and of the tools"
	@echo "GUEST=NAME          guest tests only in this guest: stock, debug or uml"
	@echo "SEED=N              seed of the tests' random numbers, instead of the first in tools/lab/seeds"
	@echo "SERIES=7.3          the series of Debian kernels"
	@echo "TRUNK_CACHE=DIR     where the lab keeps what it builds"
	@echo "ACCEL=kvm           run guests on hardware, without emulation"

demo: ## two trunks carry traffic, and links fail in three ways
	@$(LAB)/setup.sh stock && $(call quietly,stock) && $(LAB)/in-root $(LAB)/guest.py demo

demo-one-switch: ## a server, a switch and clients behind it, and links that fail
demo-two-switches: ## a server between two switches, and links and switches that fail
demo-plain-switch: ## a server and a silent virtual machine at a plain switch, beside bonding
demo-one-switch demo-two-switches demo-plain-switch:
	@$(LAB)/setup.sh stock && $(call quietly,stock) && $(call quietly,tools) && $(LAB)/in-root $(LAB)/guest.py demo $(@:demo-%=%)

shell: ## a prompt in a guest with the topology of the demo
	@$(LAB)/setup.sh stock && $(call quietly,stock) && $(call quietly,tools) && $(LAB)/in-root $(LAB)/guest.py shell

test: ## all tests
	@$(LAB)/setup.sh && $(LAB)/in-root $(LAB)/run-tests host kunit graft $(GUEST)

test-host: ## tests that need no kernel: cargo, formatting, lints, setup
	@$(LAB)/setup.sh && $(LAB)/in-root $(LAB)/run-tests host

test-kunit: ## KUnit tests, as a module and built in
	@$(LAB)/setup.sh kunit && $(LAB)/in-root $(LAB)/run-tests kunit graft

test-guest: ## tests of the module in guests
	@for guest in $(GUEST); do $(LAB)/setup.sh $$guest || exit; done && $(LAB)/in-root $(LAB)/run-tests $(GUEST)

# The guests `make explore` takes in turn, and for how long all in all.
EXPLORE = $(if $(filter file,$(origin GUEST)),uml stock debug,$(GUEST))
MINUTES ?= 10
explore: ## tests with new random numbers in each round; MINUTES=10
	@for guest in $(EXPLORE); do $(LAB)/setup.sh $$guest || exit; done && $(LAB)/in-root $(LAB)/run-tests explore $(MINUTES) $(EXPLORE)

mutants: ## changes of the core that its tests do not notice (hours); SHARE=1/8: an eighth of them; FILES="deal.rs …"
	@$(LAB)/setup.sh root && $(LAB)/in-root $(LAB)/mutants $(SHARE) $(FILES)

test-peers: ## the kernel's own tests of bonding and team, also on trunks; TEST=NAME, PEERS=stock
	@$(LAB)/setup.sh peers && $(call quietly,stock) && $(call quietly,tools)
	@case " $(PEERS) " in *" debug "*) $(LAB)/setup.sh debug && $(call quietly,debug) ;; esac
	@PEERS="$(PEERS)" $(LAB)/in-root $(LAB)/peers.py $(TEST)

bench: ## cost in instructions per packet, beside bonding and the floor
	@$(LAB)/setup.sh stock && $(call quietly,stock) && $(call quietly,floor) && $(LAB)/in-root $(LAB)/guest.py bench

bench-locks: ## time that interrupts and bottom halves are off while links fail
	@$(LAB)/setup.sh stock && $(call quietly,stock) && $(LAB)/in-root $(LAB)/guest.py bench locks

bench-failover: ## time until frames arrive again after a link failed, beside bonding and team
	@$(LAB)/setup.sh stock && $(call quietly,stock) && $(LAB)/in-root $(LAB)/guest.py bench failover

bench-probes: ## cost of tests on 64 links, each millisecond or two
	@$(LAB)/setup.sh stock && $(call quietly,stock) && $(LAB)/in-root $(LAB)/guest.py bench probes

bench-switches: ## time until clients of one or two switches get answers again, after each failure
	@$(LAB)/setup.sh stock && $(call quietly,stock) && $(call quietly,tools) && $(LAB)/in-root $(LAB)/guest.py bench switches

pictures: ## pictures of trunkctl, for Documentation/images
	@$(LAB)/setup.sh stock && $(call quietly,stock) && $(call quietly,tools) && $(LAB)/in-root $(LAB)/pictures.py

setup: ## prepare the whole lab
	@$(LAB)/setup.sh

ifdef KDIR
MO ?= build/$(shell cat $(KDIR)/include/config/kernel.release 2>/dev/null)
modules:
	$(LAB)/kbuild $(KDIR) $(MO) modules
else
modules: ## build the modules; KDIR=DIR: against this kernel tree instead of the lab's
	$(LAB)/setup.sh $(TREE)
	$(LAB)/build $(TREE) modules
endif

trunkctl: ## build the tool, build/cargo/release/trunkctl
	@$(LAB)/setup.sh root && $(LAB)/build tools

# The files to install are staged in the build root, where trunkctl runs.
PREFIX ?= /usr/local
STAGE := $(CURDIR)/build/stage
in_root_stage = $(LAB)/in-root env PREFIX=$(PREFIX) TRUNKCTL=build/cargo/release/trunkctl \
	PLUGIN=build/iproute2/link_trunk.so IPLIBDIR=$(or $(IPLIBDIR),/usr/lib/x86_64-linux-gnu/ip)

install: ## build and install, below PREFIX=/usr/local, /lib/modules and IPLIBDIR; DESTDIR=DIR, KDIR=DIR
	@$(LAB)/setup.sh stock && $(LAB)/build tools && rm -rf $(STAGE)
ifdef KDIR
	@$(LAB)/kbuild $(KDIR) $(MO) modules && $(LAB)/build plugin && $(in_root_stage) tools/install stage $(STAGE)
	@KDIR=$(KDIR) MO=$(CURDIR)/$(MO) tools/install stage $(STAGE)
else
	@$(call quietly,stock) && $(in_root_stage) MO=$(CURDIR)/build/stock \
		KDIR=$$(. $(LAB)/env.sh && tree stock) tools/install stage $(STAGE)
endif
	@DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) tools/install copy $(STAGE)
	@echo "installed; \`make uninstall' removes what $(DESTDIR)$(PREFIX)/share/trunk/installed lists"

uninstall: ## remove what was installed
	@DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) tools/install remove

deb: ## build the Debian packages trunk-dkms and trunkctl in build/deb
	@$(LAB)/setup.sh stock && $(LAB)/build tools && $(LAB)/build plugin && $(LAB)/in-root tools/packaging/deb

test-package: ## install the packages in a clean Debian 13, boot it twice in a guest, and test trunks there (long)
	@$(LAB)/setup.sh stock && $(MAKE) -s deb && $(LAB)/in-root tools/packaging/test-package

graft: ## copy the project into the kernel source KSRC=DIR as drivers/net/trunk
	$(LAB)/graft $(KSRC)

clean: ## remove what was built in the checkout
	rm -rf build tools/target

clean-cache: ## remove the cache of the lab: build root and kernels
	@. $(LAB)/env.sh && set -x && rm -rf --one-file-system "$$cache"

.PHONY: help demo demo-one-switch demo-two-switches shell test test-host test-kunit test-guest explore mutants test-peers bench bench-locks bench-failover bench-probes bench-switches pictures setup modules trunkctl install uninstall deb test-package graft clean clean-cache
