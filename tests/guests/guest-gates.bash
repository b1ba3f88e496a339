# Four rings (guest-images/bootsectors/gates.S).
image=build/guests/gates.img
actions=(wait-for "gates: done" capture gates)
