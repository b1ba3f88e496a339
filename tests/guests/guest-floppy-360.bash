# A floppy of 360 KB: all of it read, its last track written.
image=build/guests/floppy-360.img
actions=(wait-for "floppy: done" capture floppy)
