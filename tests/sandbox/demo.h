#ifndef SANDBOX_DEMO_H
#define SANDBOX_DEMO_H

#include <stdbool.h>

struct err;
struct sandbox;

/* Three customers, two ServiceNow instances, one Threat Response organisation with well-known
 * credentials, and events that go on trickling in. */
bool demo_start(struct sandbox *sandbox, struct err *err);
/* The accounts in a file, a JSON list. */
bool demo_apply(struct sandbox *sandbox, const char *path, struct err *err);

#endif
