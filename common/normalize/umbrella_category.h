#ifndef NORMALIZE_UMBRELLA_CATEGORY_H
#define NORMALIZE_UMBRELLA_CATEGORY_H

#include <stdbool.h>

struct json_node;

/* One item of a record's `categories` or `policycategories`. */
struct umbrella_category {
	const char *id;	   /* digits, or NULL */
	const char *label; /* never NULL or empty */
	const char *type;  /* "security", "content" ...; NULL when absent */
	bool security;	   /* by its type, or because it is known to be one */
	int severity_id;   /* of a request of this category that was stopped; our choice */
	int url_id;	   /* OCSF url.category_ids */
};

/* False for what is no category. */
bool umbrella_category_read(struct json_node *item, struct umbrella_category *ret_category);

#endif
