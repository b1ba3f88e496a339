#include "groups.h"

#define GROUPS(G)                                                                                                      \
    G(flags)                                                                                                           \
    G(paging_rights)                                                                                                   \
    G(paging_rights_pae)                                                                                               \
    G(paging_bits)                                                                                                     \
    G(paging_bits_pae)                                                                                                 \
    G(paging_shapes)                                                                                                   \
    G(paging_shapes_pae)                                                                                               \
    G(faults)                                                                                                          \
    G(resume)                                                                                                          \
    G(selectors)                                                                                                       \
    G(gates)                                                                                                           \
    G(segments)                                                                                                        \
    G(tasks)                                                                                                           \
    G(debug)                                                                                                           \
    G(v86)                                                                                                             \
    G(code)                                                                                                            \
    G(interrupts)                                                                                                      \
    G(fpu)                                                                                                             \
    G(instructions)                                                                                                    \
    G(cpu)

#define DECLARE(name) void group_##name(void);
#define ENTRY(name) {#name, group_##name},
GROUPS(DECLARE)
const struct group groups[] = {GROUPS(ENTRY)};
const u32 group_count = COUNT(groups);
