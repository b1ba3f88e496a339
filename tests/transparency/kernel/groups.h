// The groups of lines, in the order they are run.
#pragma once

#include "base.h"

struct group {
    const char *name;
    void (*run)(void);
};
extern const struct group groups[];
extern const u32 group_count;
