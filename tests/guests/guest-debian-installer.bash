# Debian's installer in text mode, from its CD-ROM to its first dialog and back from the next one.
image=build/guests/debian-installer.iso
memory=512 limit=240
actions=(wait-for "Select a language" wait-for "English" settle capture language
    key tab settle key tab settle key tab settle capture buttons)
