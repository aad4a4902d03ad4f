#ifndef CLI_TEMPLATE_USE_H
#define CLI_TEMPLATE_USE_H

#include <stdbool.h>
#include <stddef.h>

#include "ticket/template.h"

struct customer;

/* What a customer's tickets have values for, over all of its sources. Borrows from both. */
struct template_use {
	const char *table; /* where they are */
	const char *names[4 * TEMPLATE_COLUMNS_MAX];
	bool own[4 * TEMPLATE_COLUMNS_MAX]; /* an operator's template says so */
	size_t count;
};

void template_use_read(struct template_use *ret_use, const struct templates *templates,
		       const struct customer *customer);
bool template_use_has(const struct template_use *use, const char *column);

#endif
