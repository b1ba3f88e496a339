// ncurses with wide characters, without its lower-case macros (move, clear, erase, timeout...), which would
// reach into whatever is included after it.
#pragma once

#define NCURSES_WIDECHAR 1
#define NCURSES_NOMACROS 1
#include <curses.h>
#include <term.h>

// term.h names terminal capabilities by macros of everyday words; those that meet our names go.
#undef columns
#undef lines
#undef tab
#undef bell
#undef newline
