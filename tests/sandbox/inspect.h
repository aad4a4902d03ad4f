#ifndef SANDBOX_INSPECT_H
#define SANDBOX_INSPECT_H

#include <jansson.h>

/* The observables of a text, each once, as [{"value", "type"}]; new reference. */
json_t *inspect_text(const char *text);

#endif
