# A floppy of 1200 KB: all of it read, its last track written.
image=build/guests/floppy-1200.img
actions=(wait-for "floppy: done" capture floppy)
