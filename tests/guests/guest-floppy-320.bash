# A floppy of 320 KB: all of it read, its last track written.
image=build/guests/floppy-320.img
actions=(wait-for "floppy: done" capture floppy)
