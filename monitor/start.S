/* The first bytes of the monitor's image: where kmod/switch.S calls. */
	.section .text.start, "ax"
	.globl btvm_monitor_start
	.hidden btvm_monitor_start
btvm_monitor_start:
	endbr64
	jmp	btvm_monitor_trap
	.section .note.GNU-stack, "", @progbits
