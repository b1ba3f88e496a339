# The commands people type. The work is done by CMake (hosted code), by Kbuild (the module) and by the scripts in
# tests/; each can be called without this file.
#
#   make            the userland, and the module if this machine has headers of its own kernel
#   make run        Linux from a floppy, inside the QEMU test host, in this terminal (IMAGE=... for another guest)
#   make test       every test but what takes hours; check-unit is the part that takes seconds

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
RELEASE := $(shell uname -r)
MAKEFLAGS += --no-print-directory
JOBS ?= $(shell nproc)
IMAGE ?= build/guests/linux-floppy.img
HASH := \#
# What the screen must show before `make run` without a terminal prints it.
UNTIL ?= $(if $(filter build/guests/grub-floppy.img,$(IMAGE)),grub>)$(if $(filter build/guests/linux-floppy%,$(IMAGE)),floppy:/$(HASH))
# MiB of the guest's memory, for those that need more than btvm-run gives them by itself
MEMORY ?= $(if $(filter %/debian-disk.img,$(IMAGE)),256)$(if $(filter %/debian-installer.iso,$(IMAGE)),512)
# More media for the Linux floppy to work on.
MEDIA ?= $(if $(filter build/guests/linux-floppy%,$(IMAGE)),--fdb=build/guests/data-floppy.img --hda=build/guests/data-disk.img)
PREFIX ?= /usr/local
KERNEL ?= standard
GUESTS = linux-floppy.img linux-floppy-1440.img data-floppy.img data-disk.img debian-disk.img debian-installer.iso tools-floppy.img \
	grub-legacy.img grub-rescue.iso mach-floppy.img $(FLOPPY_SIZES:%=floppy-%.img)
FLOPPY_SIZES := 160 180 320 360 720 1200 1440 2880
BOOT_SECTORS := $(basename $(notdir $(wildcard guest-images/bootsectors/*.S)))

.PHONY: all run test check-unit bench bench-quick deps userland guests all-guests module module-here module-test-host install clean \
	format format-check

all: userland module-here

# --- what must be installed first ---

deps:
	@tests/host/install-packages

# --- building ---

userland: build/hosted/CMakeCache.txt
	@echo "== building the userland"
	@cmake --build build/hosted -j$(JOBS) | sed -u '/Built target/d'

build/hosted/CMakeCache.txt:
	@echo "== configuring the userland"
	@mkdir -p build
	@cmake -S . -B build/hosted -DBTVM_TESTS=OFF -DCMAKE_INSTALL_PREFIX=$(PREFIX) \
	    >build/hosted.log 2>&1 || { cat build/hosted.log; rm -f $@; exit 1; }

# For the kernel that runs here; `make` goes on without it when there are no headers to build against.
module-here:
	@if [ -e /lib/modules/$(RELEASE)/build/Makefile ]; then $(MAKE) module; \
	else echo "== no headers of this machine's kernel ($(RELEASE)): btvm.ko is not built; 'make run' does not need it"; fi

module:
	@kmod/build-module /lib/modules/$(RELEASE)/build build/module/$(RELEASE)
	@cp build/module/$(RELEASE)/btvm.ko btvm.ko

# For the kernel of the test host (KERNEL=standard or cloud).
module-test-host:
	@release=$$(tests/host/kernels.py version $(KERNEL)) && \
	kmod/build-module "$$(tests/host/kernels.py kdir $(KERNEL))" "build/module/$$release"

# What `make run` and the tests need; the others are made when asked for: `make build/guests/NAME.img`, or all of
# them by `make all-guests`. Each recipe keeps what it fetched or compiled in build/guests/cache. See docs/guests.md.
guests: $(addprefix build/guests/,grub-floppy.img pm_loop.img linux-floppy.img linux-floppy-1440.img data-disk.img tools-floppy.img \
	grub-legacy.img mach-floppy.img floppy-160.img debian-disk.img debian-installer.iso)

all-guests: guests $(GUESTS:%=build/guests/%)

build/guests/grub-floppy.img: $(wildcard guest-images/grub-floppy/*)
	@echo "== making the GRUB floppy"
	@guest-images/grub-floppy/build $@

$(BOOT_SECTORS:%=build/guests/%.img) &: $(wildcard guest-images/bootsectors/*)
	@echo "== making the boot sector floppies"
	@guest-images/bootsectors/build build/guests

recipe = guest-images/debian-packages $(wildcard guest-images/$(1)/* guest-images/$(1)/*/*)

build/guests/linux-floppy.img: $(call recipe,linux-floppy)
	@echo "== making the Linux floppy (2.88 MB)"
	@guest-images/linux-floppy/build 2880 $@

build/guests/linux-floppy-1440.img: $(call recipe,linux-floppy)
	@echo "== making the small Linux floppy (1.44 MB)"
	@guest-images/linux-floppy/build 1440 $@

build/guests/data-floppy.img build/guests/data-disk.img &: guest-images/partition-table $(call recipe,data-disks)
	@echo "== making the data floppy and disk"
	@guest-images/data-disks/build build/guests

build/guests/debian-disk.img: guest-images/partition-table $(call recipe,debian-disk)
	@echo "== making the Debian disk"
	@guest-images/debian-disk/build $@

build/guests/bench-floppy.img build/guests/bench-disk.img &: guest-images/partition-table guest-images/linux-floppy/build-kernel \
		guest-images/linux-floppy/kernel.config $(call recipe,bench-disk)
	@echo "== making the benchmark guest"
	@guest-images/bench-disk/build build/guests

build/guests/debian-installer.iso: $(call recipe,debian-installer)
	@echo "== making the Debian installer's CD-ROM"
	@guest-images/debian-installer/build $@

build/guests/tools-floppy.img: $(call recipe,tools-floppy)
	@echo "== making the floppy with memtest86+, HDT, iPXE and GRUB Invaders"
	@guest-images/tools-floppy/build $@

$(FLOPPY_SIZES:%=build/guests/floppy-%.img) &: $(wildcard guest-images/floppy-sizes/*) guest-images/bootsectors/boot.inc
	@echo "== making floppies of all sizes"
	@guest-images/floppy-sizes/build build/guests

build/guests/grub-legacy.img build/guests/grub-rescue.iso &: $(call recipe,grub-legacy)
	@echo "== making GRUB Legacy's floppy and GRUB 2's rescue CD-ROM"
	@guest-images/grub-legacy/build build/guests

build/guests/mach-floppy.img: $(call recipe,mach-floppy)
	@echo "== making the GNU Mach floppy"
	@guest-images/mach-floppy/build $@

# --- running ---

run: deps userland module-test-host $(filter build/%,$(IMAGE) $(foreach medium,$(MEDIA),$(lastword $(subst =, ,$(medium)))))
	@tests/host/run-guest --kernel $(KERNEL) $(if $(UNTIL),--until '$(UNTIL)') $(if $(MEMORY),--memory $(MEMORY)) $(MEDIA:%=--medium %) $(IMAGE)

# --- testing ---

test: deps guests
	@tests/run-all

# What takes long and finds little that the others do not.
test-long: deps guests
	@tests/run-all --long

check-unit: deps
	@tests/run-all unit-quick

format-check: deps
	@tests/run-all format

format:
	@git ls-files -co --exclude-standard '*.cc' '*.hh' | xargs -r clang-format -i

# About an hour, and less than ten minutes. Parts of them: bench/run --help
bench: $(addprefix build/guests/,grub-floppy.img linux-floppy.img pm_loop.img dirty_pages.img debian-disk.img)
bench bench-quick: deps userland module-test-host build/guests/bench-floppy.img
	@tests/host/install-packages bench
	@bench/run $(if $(filter bench-quick,$@),--quick costs suite)

# --- the rest ---

install: userland
	cmake --install build/hosted
	@if [ -e btvm.ko ]; then \
	    install -D -m 644 btvm.ko $(DESTDIR)/lib/modules/$(RELEASE)/extra/btvm.ko && \
	    { [ -n "$(DESTDIR)" ] || depmod; }; \
	else echo "no btvm.ko for this kernel: not installed"; fi

clean:
	rm -rf build btvm.ko
