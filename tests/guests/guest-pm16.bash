# 16-bit protected mode as programs for the 286 use it (guest-images/bootsectors/pm16.S).
image=build/guests/pm16.img
actions=(wait-for "pm16: done" capture pm16)
