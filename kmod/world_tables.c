// SPDX-License-Identifier: GPL-2.0
/* The guest world's GDT, IDTs and TSS, and the places of them in the switch context. */
#include <asm/desc_defs.h>
#include <asm/processor.h>
#include <asm/trapnr.h>

#include "btvm.h"

static void set_gate(btvm_u64 *idt, u16 code_segment, unsigned int vector, unsigned int ist)
{
	gate_desc *gate = (gate_desc *)&idt[2 * vector];
	const u64 handler = (u64)btvm_trap_stubs + 16 * vector;

	*gate = (gate_desc){
		.offset_low = handler & 0xffff,
		.segment = code_segment,
		.bits = { .ist = ist, .type = GATE_INTERRUPT, .dpl = 0, .p = 1 },
		.offset_middle = (handler >> 16) & 0xffff,
		.offset_high = handler >> 32,
	};
}

static void fill_idt(btvm_u64 *idt, u16 code_segment)
{
	unsigned int vector;

	for (vector = 0; vector < 256; vector++)
		set_gate(idt, code_segment, vector, 0);
	set_gate(idt, code_segment, 2, BTVM_IST_NMI);
	set_gate(idt, code_segment, 8, BTVM_IST_DOUBLE_FAULT);
	set_gate(idt, code_segment, 18, BTVM_IST_MACHINE_CHECK);
}

/* A TSS or LDT descriptor: two entries (SDM Vol. 3A 3.5, 7.2.3). */
static void set_system_descriptor(btvm_u64 *gdt, u16 selector, u64 type, u64 base, u16 limit)
{
	gdt[selector >> 3] = limit | (base & 0xffffff) << 16 | (0x80 | type) << 40 | (base >> 24 & 0xff) << 56;
	gdt[(selector >> 3) + 1] = base >> 32;
}

static void fill_tables(struct btvm_guest_world *world)
{
	const u64 kernel_code = 0x00af9b000000ffffull, kernel_data = 0x00cf93000000ffffull;
	const u64 user_tables = world->base + BTVM_AT_USER_TABLES;
	struct btvm_switch_context *context = world->context;
	const u64 type_ldt = 2, type_tss = 9;

	world->gdt[BTVM_SEL_KERNEL_CS >> 3] = kernel_code;
	world->gdt[BTVM_SEL_KERNEL_DS >> 3] = kernel_data;
	world->gdt[BTVM_SEL_LAST_CS >> 3] = kernel_code;
	set_system_descriptor(world->gdt, BTVM_SEL_TSS, type_tss, (u64)context->world_tss, sizeof(context->world_tss) - 1);
	set_system_descriptor(world->gdt, BTVM_SEL_USER_LDT, type_ldt,
			      user_tables + offsetof(struct btvm_user_tables, ldt), 0xffff);
	world->user_tables->gdt[BTVM_SEL_LAST_CS >> 3] = kernel_code;
	fill_idt(context->world_idt, BTVM_SEL_KERNEL_CS);
	fill_idt(world->user_tables->idt, BTVM_SEL_LAST_CS);
}

static void set_table(struct btvm_table_image *image, u64 base, u16 limit)
{
	memcpy(image->bytes, &limit, sizeof(limit));
	memcpy(image->bytes + 2, &base, sizeof(base));
}

void btvm_world_tables_fill(struct btvm_guest_world *world)
{
	struct btvm_switch_context *context = world->context;
	const u64 user_tables = world->base + BTVM_AT_USER_TABLES;
	struct x86_hw_tss *hw_tss = (struct x86_hw_tss *)context->world_tss;

	BUILD_BUG_ON(sizeof(struct x86_hw_tss) != sizeof(context->world_tss));
	fill_tables(world);
	hw_tss->sp0 = (u64)context + BTVM_CONTEXT_SIZE;
	hw_tss->ist[BTVM_IST_DOUBLE_FAULT - 1] = (u64)context->fault_stack + sizeof(context->fault_stack);
	hw_tss->ist[BTVM_IST_MACHINE_CHECK - 1] = (u64)context->fault_stack + sizeof(context->fault_stack);
	hw_tss->ist[BTVM_IST_NMI - 1] = (u64)context->nmi_stack + sizeof(context->nmi_stack);
	hw_tss->io_bitmap_base = sizeof(context->world_tss); /* beyond the limit: every port faults */

	context->world_gdt = world->gdt;
	context->user_tables_writable = world->base + BTVM_AT_USER_TABLES_WRITABLE;
	set_table(&context->world_gdtr, (u64)world->gdt, WORLD_GDT_SIZE - 1);
	set_table(&context->world_idtr, (u64)context->world_idt, sizeof(context->world_idt) - 1);
	set_table(&context->user_gdtr, user_tables + offsetof(struct btvm_user_tables, gdt), WORLD_GDT_SIZE - 1);
	set_table(&context->user_idtr, user_tables + offsetof(struct btvm_user_tables, idt),
		  sizeof(world->user_tables->idt) - 1);
	context->world_cr3 = world->root_physical;
	context->dr7 = 0x400;
	context->writable_selector = BTVM_SEL_KERNEL_DS;
	context->monitor_argument = world->base + BTVM_AT_WORLD;
}

void btvm_guest_world_use_int3(struct btvm_guest_world *world, bool on)
{
	gate_desc *gate = (gate_desc *)&world->context->world_idt[2 * X86_TRAP_BP];

	gate->bits.dpl = on ? 3 : 0;
}
