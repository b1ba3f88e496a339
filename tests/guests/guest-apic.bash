# Local APIC and I/O APIC (guest-images/bootsectors/apic.S). QEMU's PC has them always, btvm's by --apic.
image=build/guests/apic.img
btvm=(--run=--apic)
actions=(wait-for "apic: done" capture apic)
