/* SPDX-License-Identifier: GPL-2.0 */
/* The micro-benchmarks of more than one process or thread; see struct micro. */
#ifndef BTVM_BENCH_PROCESSES_H
#define BTVM_BENCH_PROCESSES_H

#include <stdint.h>

void run_forkexec(uint32_t count);
void run_process_switch(uint32_t count);
void run_thread_switch(uint32_t count);

#endif
