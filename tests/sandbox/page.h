#ifndef SANDBOX_PAGE_H
#define SANDBOX_PAGE_H

#include <stdbool.h>
#include <stddef.h>

struct account;
struct buf;
struct request;
struct response;
struct sandbox;

/* Whether a GET is for a page and not for a vendor's API. */
bool page_serves(const struct request *request);
/* The pages for people: what an analyst sees in ServiceNow and in Threat Response. */
void page_serve(struct sandbox *sandbox, const struct request *request,
		struct response *response);

/* Every host of every customer, with its isolation. */
void page_machines(struct sandbox *sandbox, struct buf *out);

/* The account is locked. False when there is no such record. */
bool page_incidents(struct account *account, const struct request *request, struct buf *out);
bool page_incident(struct account *account, const char *id, struct buf *out);
bool page_threats(struct account *account, struct buf *out);
bool page_threat(struct account *account, const char *id, struct buf *out);
/* Appends a table row for each incident of which some sighting saw the value; how many. */
size_t page_add_seen(struct account *account, const char *value, struct buf *out);
/* Whether the organisation has that incident, by short or long id. */
bool page_has_threat(struct account *account, const char *id);

#endif
