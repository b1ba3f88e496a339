# A virtual-8086 monitor (guest-images/bootsectors/v86.S).
image=build/guests/v86.img
actions=(wait-for "v86: done" capture v86)
