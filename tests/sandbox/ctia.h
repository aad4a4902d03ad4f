#ifndef SANDBOX_CTIA_H
#define SANDBOX_CTIA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctim.h"
#include "index.h"

struct request;
struct response;

struct ctia_entity {
	enum ctim_type type;
	const char *name; /* "incident-<uuid>", the last part of its id */
	json_t *now;	  /* what GET shows */
	json_t *indexed;  /* what search shows until due_ms; NULL: nothing yet */
	uint64_t due_ms;  /* monotonic */
	uint64_t created_ms;
	bool deleted;
};

/* The private intelligence of one organisation. */
struct ctia {
	struct ctia_entity **entity[CTIM_TYPES]; /* oldest first */
	size_t count[CTIM_TYPES];
	struct index by_name;
	struct index by_external_id; /* "type external id" */
	uint64_t search_delay_ms;    /* an index refresh */
	const char *owner;	     /* borrowed: the client id */
};

void ctia_done(struct ctia *ctia);

/* /ctia/...: part is the index of the path part after "ctia". */
void ctia_serve(struct ctia *ctia, const struct request *request, unsigned part,
		struct response *response);

/* Stores a checked entity; refresh makes it searchable at once. body stays the caller's. */
struct ctia_entity *ctia_add(struct ctia *ctia, enum ctim_type type, const json_t *body,
			     const char *origin, bool refresh);
/* The first entity that search shows with that external id; NULL when there is none. */
struct ctia_entity *ctia_by_external_id(struct ctia *ctia, enum ctim_type type,
					const char *external_id);
/* By short or long id; NULL when unknown or deleted. */
struct ctia_entity *ctia_find(struct ctia *ctia, const char *id);
/* What search sees of an entity now; NULL for nothing. Borrowed. */
const json_t *ctia_indexed(struct ctia_entity *entity);

/* POST /ctia/bundle/import and the routes under /ctia/<type>/search. */
void ctia_import(struct ctia *ctia, const struct request *request, struct response *response);
void ctia_search(struct ctia *ctia, enum ctim_type type, const struct request *request,
		 bool count_only, struct response *response);

#endif
