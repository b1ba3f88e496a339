# A floppy of 720 KB: all of it read, its last track written.
image=build/guests/floppy-720.img
actions=(wait-for "floppy: done" capture floppy)
