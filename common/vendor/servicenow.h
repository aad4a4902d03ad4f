#ifndef VENDOR_SERVICENOW_H
#define VENDOR_SERVICENOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct arena;
struct vendor_session;

/*
 * ServiceNow Table API v2 (`/api/now/v2/table/...`), Basic or OAuth (`/oauth_token.do`, grants
 * client_credentials and password). Facts: ServiceNow product documentation, REST API reference
 * "Table API" and "Inbound REST API rate limiting", platform security "OAuth API request
 * parameters"; shapes of errors as clients in the open met them (demisto/content ServiceNowv2,
 * ansible-collections/servicenow.itsm, FXinnovation/alertmanager-webhook-servicenow).
 *
 * No cookies are kept: a session binds to one node of the instance. Only 200 or 201 with
 * complete JSON that has a "result" is success. Values are always raw (sys_ids, UTC), never
 * display values. Strings that are returned live in the arena.
 */

/* What the instance said, finer than err.kind. */
enum servicenow_outcome {
	SERVICENOW_OK,
	SERVICENOW_NOT_SENT,	 /* refused by our gate, or no connection */
	SERVICENOW_NO_ANSWER,	 /* sent; timed out or connection lost: ambiguous for a write */
	SERVICENOW_HIBERNATING,	 /* a sleeping developer instance: HTML with 200, 302 or 503 */
	SERVICENOW_LOGIN_PAGE,	 /* HTML or a redirect to single sign-on: account */
	SERVICENOW_TRUNCATED,	 /* 200 or 201 whose JSON breaks off: ambiguous for a write */
	SERVICENOW_ACCEPTED,	 /* 202: nothing is known to have happened; ambiguous */
	SERVICENOW_THROTTLED,	 /* 429, not processed */
	SERVICENOW_UNAUTHORIZED, /* 401: account */
	SERVICENOW_FORBIDDEN,	 /* 403: access list, role or scope: account */
	SERVICENOW_DATA_POLICY,	 /* 403: mandatory fields, see labels: account for a create,
				    permanent for a change of one record */
	SERVICENOW_BUSINESS_RULE, /* 403: aborted by a rule: account for a create, permanent for
				     a change of one record */
	SERVICENOW_NO_TABLE,	  /* 400 or 404: table, path or plug-in missing: account */
	SERVICENOW_BAD_REQUEST,	  /* other 400, 413: this record's own: permanent */
	SERVICENOW_NOT_FOUND,	  /* 404: gone or hidden from us, never proof of deletion */
	SERVICENOW_DUPLICATE,	  /* a unique index refused it: look up by our key */
	SERVICENOW_CANCELLED,	  /* "Transaction cancelled" (60 s quota): may be committed */
	SERVICENOW_SERVER_ERROR,  /* other 5xx: ambiguous for a write */
	SERVICENOW_UNEXPECTED,	  /* anything else */
};

const char *servicenow_outcome_name(enum servicenow_outcome outcome);

/* How the last call ended; in every function ret_answer may be NULL. */
struct servicenow_answer {
	enum servicenow_outcome outcome;
	const char *labels; /* DATA_POLICY: "Resolution code, Close notes"; else "" */
	const char *detail; /* the instance's own words, cut; "" when there are none */
};

enum servicenow_column_kind {
	SERVICENOW_TEXT,      /* compared as it is, line ends and outer blanks aside */
	SERVICENOW_REFERENCE, /* a sys_id: an unknown one is silently left empty */
	SERVICENOW_JOURNAL,   /* work_notes, comments: read back as "", not compared */
};

struct servicenow_column {
	const char *name;
	const char *value; /* NULL: the column is left out */
	enum servicenow_column_kind kind;
};

enum servicenow_difference {
	SERVICENOW_DROPPED, /* not in the answer: no such column, or no right to read it */
	SERVICENOW_EMPTIED, /* in the answer but empty: a reference or choice that is unknown */
	SERVICENOW_CHANGED, /* another value: a rule or a length limit of the instance */
};

struct servicenow_mismatch {
	const char *column;
	enum servicenow_column_kind kind;
	enum servicenow_difference difference;
	const char *value; /* what the instance has, "" when nothing */
};

/* A record that exists now, whether or not it is what was asked for. */
struct servicenow_created {
	const char *sys_id;
	const char *number;
	const struct servicenow_mismatch *mismatches;
	size_t mismatch_count;
};

/* POST /table/{table}. True when the record exists: look at the mismatches. */
bool servicenow_create(struct vendor_session *session, const char *table,
		       const struct servicenow_column *columns, size_t count,
		       struct arena *arena, struct servicenow_created *ret_created,
		       struct servicenow_answer *ret_answer, struct err *err);

/* Where a record is. */
struct servicenow_place {
	const char *table;
	const char *sys_id;
};

/* PATCH /table/{table}/{sys_id}; the answer is compared in the same way (NULL: not wanted). */
bool servicenow_patch(struct vendor_session *session, const struct servicenow_place *place,
		      const struct servicenow_column *columns, size_t count,
		      struct arena *arena, struct servicenow_created *ret_changed,
		      struct servicenow_answer *ret_answer, struct err *err);

struct servicenow_value {
	const char *name;
	const char *value; /* "" when empty */
};

/* Values of one row, in the instance's order. A column that is absent was not readable. */
struct servicenow_record {
	const struct servicenow_value *values;
	size_t count;
};

/* NULL when the row has no such column. */
const char *servicenow_record_value(const struct servicenow_record *record, const char *column);
/* As impact and urgency are; 0 when there is no such column or it is no number. */
unsigned servicenow_record_number(const struct servicenow_record *record, const char *column);

/* GET /table/{table}/{sys_id}; fields is a comma-separated list. A 404 is true with ret_found
 * false; the record returned is checked to be the one asked for. */
bool servicenow_get(struct vendor_session *session, const struct servicenow_place *place,
		    const char *fields, struct arena *arena, bool *ret_found,
		    struct servicenow_record *ret_record, struct servicenow_answer *ret_answer,
		    struct err *err);

struct servicenow_query {
	const char *table;
	const char *query;  /* encoded query; the instance ignores parts it does not know, so
			       check every row */
	const char *fields; /* comma-separated, required */
	unsigned limit;	    /* rows, 1 to 1,000 */
	bool optional; /* an account error is this table's own and does not park the account */
	bool display_values; /* only for journal text: times in the user's zone and format */
};

bool servicenow_query(struct vendor_session *session, const struct servicenow_query *query,
		      struct arena *arena, struct servicenow_record **ret_records,
		      size_t *ret_count, struct servicenow_answer *ret_answer, struct err *err);

/* Rows whose correlation_id really is this (whole, or with prefix: starts with it), oldest
 * first. Rows but none of ours show that the instance ignored the query (a column that it lacks
 * or hides): that parks the account and is an account error, since "not found" would then mean
 * a duplicate. fields get sys_id, number, state and correlation_id in addition. */
struct servicenow_search {
	const char *table;
	const char *correlation_id; /* of A-Z a-z 0-9 : . _ - only */
	bool prefix;
	const char *and_query; /* further encoded query, NULL for none */
	const char *fields;    /* additional ones, NULL for none */
	unsigned limit;
};

bool servicenow_find(struct vendor_session *session, const struct servicenow_search *search,
		     struct arena *arena, struct servicenow_record **ret_records,
		     size_t *ret_count, struct servicenow_answer *ret_answer, struct err *err);

/* The work notes of a record: of sys_journal_field, or, because that table has rights of its
 * own and then looks empty, the record's displayed work_notes. NULL in ret_notes when neither
 * showed any: then that proves nothing. */
bool servicenow_notes(struct vendor_session *session, const struct servicenow_place *place,
		      struct arena *arena, const char **ret_notes,
		      struct servicenow_answer *ret_answer, struct err *err);

/* Whether one of them contains the marker. Who may not read notes finds none, and writes the
 * note again after an answer that never came: two notes are better than none. */
bool servicenow_note_exists(struct vendor_session *session,
			    const struct servicenow_place *place, const char *marker,
			    struct arena *arena, bool *ret_found,
			    struct servicenow_answer *ret_answer, struct err *err);

/* sys_id of the one operational configuration item of this name, NULL when there is none, more
 * than one, or no right to look: a ticket does without. */
bool servicenow_cmdb_ci(struct vendor_session *session, const char *name, struct arena *arena,
			const char **ret_sys_id, struct err *err);

/* Labels and values of a choice list (sys_choice), active ones, as columns label and value. */
bool servicenow_choices(struct vendor_session *session, const char *table, const char *element,
			struct arena *arena, struct servicenow_record **ret_records,
			size_t *ret_count, struct servicenow_answer *ret_answer,
			struct err *err);

/* The value of the instance's own close code that says verdict best
 * (servicenow_table_close_code()); NULL too when its choices are hidden from us. False: it is
 * not known now. */
bool servicenow_close_code(struct vendor_session *session, const char *table,
			   const char *verdict, struct arena *arena, const char **ret_code,
			   struct err *err);

/* Whether a record of that sys_id can be read: sys_user, core_company, sys_user_group, ... */
bool servicenow_exists(struct vendor_session *session, const char *table, const char *sys_id,
		       struct arena *arena, bool *ret_exists,
		       struct servicenow_answer *ret_answer, struct err *err);

/* Names of the roles of our own user (sys_user_has_role); empty also when they may not be read.
 */
bool servicenow_roles(struct vendor_session *session, struct arena *arena,
		      const char ***ret_roles, size_t *ret_count,
		      struct servicenow_answer *ret_answer, struct err *err);

/* 32 lower-case hex digits */
bool servicenow_sys_id_valid(const char *text);

#endif
