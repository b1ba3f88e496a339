# GRUB 2's rescue CD-ROM: its menu and its command line, which reads the CD.
image=build/guests/grub-rescue.iso
actions=(wait-for "executed automatically" key c wait-last "grub>" type 'clear\n' wait-only "grub>" type 'ls /\n'
    wait-for "boot/ boot.catalog" wait-last "grub>" capture ls)
