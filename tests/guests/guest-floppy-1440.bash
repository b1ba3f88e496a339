# A floppy of 1440 KB: all of it read, its last track written.
image=build/guests/floppy-1440.img
actions=(wait-for "floppy: done" capture floppy)
