# A floppy of 160 KB: all of it read, its last track written.
image=build/guests/floppy-160.img
actions=(wait-for "floppy: done" capture floppy)
