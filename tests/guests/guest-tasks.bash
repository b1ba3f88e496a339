# Hardware task switching (guest-images/bootsectors/tasks.S).
image=build/guests/tasks.img
actions=(wait-for "tasks: done" capture tasks)
