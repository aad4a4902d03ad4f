#ifndef JQ_CONFINE_H
#define JQ_CONFINE_H

#include <stdbool.h>

/* Gives up, for good, what this process does not need: files, processes, the network, most of
 * memory, its life beyond its parent's. False, said on stderr, when the system refuses: then
 * nobody else's program may run here. */
bool confine(void);

#endif
