// SPDX-License-Identifier: GPL-2.0
/* Offsets for switch.S: compiled to assembly and turned into asm-offsets.h by Kbuild; never typed twice. */
#include <linux/kbuild.h>
#include <linux/stddef.h>

#include "../monitor/switch_context.h"

#define CTX(field) OFFSET(CTX_##field, btvm_switch_context, field)
#define FRAME(field) OFFSET(FRAME_##field, btvm_trap_frame, field)

int main(void);
int main(void)
{
	CTX(host_rsp); CTX(host_cr0); CTX(host_cr3); CTX(host_cr4); CTX(host_gdtr); CTX(host_idtr);
	CTX(host_ldt); CTX(host_tr); CTX(host_ds); CTX(host_es); CTX(host_fs); CTX(host_gs);
	CTX(host_fs_base); CTX(host_gs_base); CTX(host_efer); CTX(host_sysenter_cs);
	CTX(host_dr0); CTX(host_dr1); CTX(host_dr2); CTX(host_dr3); CTX(host_dr6); CTX(host_dr7);
	CTX(world_cr0); CTX(world_cr3); CTX(world_cr4); CTX(world_gdtr); CTX(world_idtr);
	CTX(user_gdtr); CTX(user_idtr); CTX(user_tables); CTX(hidden_part); CTX(user_tables_writable);
	CTX(dr); CTX(dr7); CTX(ds); CTX(es); CTX(fs); CTX(gs);
	CTX(writable_selector); CTX(monitor_entry); CTX(monitor_argument); CTX(pending); CTX(trap_cr2); CTX(trap_dr6); CTX(late_dr6);
	CTX(leave_reason); CTX(fault_frame); CTX(fault_cr2);
	CTX(world_gdt); CTX(frame);
	FRAME(vector); FRAME(error); FRAME(rip); FRAME(cs); FRAME(rflags); FRAME(rsp); FRAME(ss);
	DEFINE(FRAME_SIZE, sizeof(struct btvm_trap_frame));
	return 0;
}
