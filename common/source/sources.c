/* Every source that this build can poll: one row each. */
#include "source/source.h"

#include <string.h>

extern const struct source_driver source_secure_endpoint;
extern const struct source_driver source_umbrella;
extern const struct source_driver source_defender;

static const struct source_driver *const drivers[] = {
	&source_secure_endpoint,
	&source_umbrella,
	&source_defender,
};

enum { DRIVERS = sizeof(drivers) / sizeof(drivers[0]) };

const struct source_driver *source_find(const char *name)
{
	for (size_t i = 0; i < DRIVERS; i++) {
		if (strcmp(drivers[i]->name, name) == 0)
			return drivers[i];
	}
	return NULL;
}

const struct source_driver *source_at(size_t index)
{
	return index < DRIVERS ? drivers[index] : NULL;
}
