# Paging in its three forms (guest-images/bootsectors/paging.S).
image=build/guests/paging.img
actions=(wait-for "paging: done" capture paging)
