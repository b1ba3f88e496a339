# GNU Mach and one task of our own, which prints three times and waits between by the kernel's clock.
image=build/guests/mach-floppy.img
memory=64
actions=(wait-for "start bootstrap: a Mach task speaking" wait-line "mach: done")
