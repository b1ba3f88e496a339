# A floppy of 180 KB: all of it read, its last track written.
image=build/guests/floppy-180.img
actions=(wait-for "floppy: done" capture floppy)
