#ifndef SANDBOX_GENERATE_H
#define SANDBOX_GENERATE_H

#include <jansson.h>
#include <stdint.h>

struct err;
struct registry;
struct timer;

/* Makes Secure Endpoint events that look real, at a given rate. */
struct generator;

struct generator *generator_new(struct registry *registry, struct timer *timer);
void generator_free(struct generator *generator); /* after the timer was stopped */

/* Starts a job from the control API; its id, 0 with err filled. */
uint64_t generator_add(struct generator *generator, const json_t *spec, struct err *err);
/* Ends every job. */
void generator_stop(struct generator *generator);
json_t *generator_list(struct generator *generator);

#endif
