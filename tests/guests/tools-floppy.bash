# Sourced by the guests on the tools floppy: SYSLINUX's menu, and one of its entries by its key.
image=build/guests/tools-floppy.img
menu=(wait-for "btvm tools floppy" wait-for "Power off" settle)
