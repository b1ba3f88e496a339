/* The monitor's image, carried in the module and copied into each guest world. */
	.section .rodata
	.balign 4096
	.globl btvm_monitor_image, btvm_monitor_image_end
btvm_monitor_image:
	.incbin "monitor.bin"
	.balign 4096
btvm_monitor_image_end:
	.section .note.GNU-stack, "", @progbits
