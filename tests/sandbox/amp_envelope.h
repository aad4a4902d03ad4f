#ifndef SANDBOX_AMP_ENVELOPE_H
#define SANDBOX_AMP_ENVELOPE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct amp_state;
struct buf;
struct request;
struct response;

enum { AMP_PAGE_MAX = 500 };

struct amp_page {
	uint64_t offset, limit, total, count;
};

/* Secure Endpoint's error envelope. */
void amp_error(const struct request *request, struct response *response, unsigned status,
	       const char *description, const char *detail);
void amp_not_found(const struct request *request, struct response *response, const char *what);

/* limit and offset of the query; false when refused. */
bool amp_read_page(const struct request *request, struct response *response,
		   struct amp_page *page);
/* Everything before the rows: {"version", "metadata": {links, results}, "data":[ */
void amp_begin_page(struct buf *out, const struct request *request,
		    const struct amp_page *page);
/* One page of rows. Takes the reference. */
void amp_answer_list(const struct request *request, struct response *response, json_t *rows);
/* {"data": object}. Takes the reference. */
void amp_answer_object(const struct request *request, struct response *response, json_t *data);

/* Whether a parameter is `wanted` or `wanted[]`. */
bool amp_is_param(const char *name, const char *wanted);
bool amp_same_text(const json_t *object, const char *key, const char *value);

/* The routes, each in a file with its subject. */
void amp_serve_events(struct amp_state *state, const struct request *request,
		      struct response *response);
void amp_serve_event_types(const struct request *request, struct response *response);
void amp_serve_computers(struct amp_state *state, const struct request *request,
			 struct response *response);
void amp_serve_computer(struct amp_state *state, const struct request *request,
			struct response *response);
void amp_serve_groups(struct amp_state *state, const struct request *request,
		      struct response *response);

#endif
