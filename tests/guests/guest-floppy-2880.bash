# A floppy of 2880 KB: all of it read, its last track written.
image=build/guests/floppy-2880.img
actions=(wait-for "floppy: done" capture floppy)
