#ifndef SANDBOX_SNOW_H
#define SANDBOX_SNOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "snow_rule.h"
#include "snow_table.h"
#include "token.h"

struct err;
struct request;
struct response;

struct snow_user {
	char *name; /* user_name */
	char *password;
	char *sys_id;
	char *full_name;
	char *roles; /* ",itil,admin," */
};

struct snow_client { /* an OAuth application */
	char *id;
	char *secret;
	char *user;  /* for client_credentials; "" for none */
	char *scope; /* "useraccount"; without it the Table API says 403 */
	bool client_credentials;
};

/* One instance. */
struct snow {
	struct snow_tables tables;
	struct snow_user *user;
	size_t users;
	struct snow_client *client;
	size_t clients;
	struct tokens tokens, refresh_tokens;
	uint64_t token_ms;
	uint64_t next_number;
	json_t *emails;
	json_t *outbound; /* calls of its business rules, oldest first */
	struct snow_rule rule;
	struct account *account; /* it is the state of */
	char *journal_roles;	 /* who may read sys_journal_field, ",admin,itil," */
	char *date_format;	 /* of display values: "yyyy-MM-dd" or "dd/MM/yyyy" */
	int64_t zone_minutes;	 /* of display values */
	bool old_wording;	 /* 401 as of 2021 */
	bool strict_queries;	 /* glide.invalid_query.returns_no_rows */
	bool data_policy;	 /* close code and notes are mandatory to resolve */
	bool closed_abort;	 /* a business rule stops changes to closed incidents */
	bool unique_correlation; /* a unique index on correlation_id */
	bool restrict_basic;	 /* basic auth needs role snc_basic_auth_api_access */
	uint64_t auto_close_ms;	 /* resolved becomes closed; 0: never */
	uint64_t rate_limit, rate_used, rate_started_ms; /* per hour; 0: none */
};

/* Where and for whom a call is served. */
struct snow_call {
	struct snow *snow;
	const struct snow_user *user;
	const struct request *request;
	struct response *response;
	const char *base; /* "http://host/snow/<instance>" */
	bool v1;
};

enum snow_display { SNOW_RAW, SNOW_DISPLAY, SNOW_ALL };

/* Tables and choices of a fresh instance. */
void snow_schema_apply(struct snow *snow);
void snow_add_user(struct snow *snow, const char *name, const char *password,
		   const char *full_name, const char *roles);
/* Applies settings of the control API; false with err at the first that makes no sense. */
bool snow_configure(struct snow *snow, const json_t *settings, struct err *err);
struct snow_user *snow_find_user(const struct snow *snow, const char *name);
bool snow_has_role(const struct snow_user *user, const char *role);

/* {"error": {message, detail}, "status": "failure"}; detail NULL is null. */
void snow_refuse(struct response *response, unsigned status, const char *message,
		 const char *detail);

/* Creates (row NULL) or changes a record as the body says; NULL when it was refused. */
struct snow_row *snow_write(const struct snow_call *call, struct snow_table *table,
			    struct snow_row *row, const json_t *body);
/* What time does by itself: closing what was resolved long enough. */
void snow_settle(struct snow *snow);

struct buf;
/* {"result": ...} of one record or of a list, with the call's sysparm settings. */
void snow_render_row(const struct snow_call *call, const struct snow_row *row, struct buf *out);
/* Entries of a journal column, newest first, each with its header line. */
void snow_render_journal(const struct snow *snow, const struct snow_row *row,
			 const char *element, struct buf *out);
/* What people see for a value: a label, a name, a local date. Caller frees. */
char *snow_display_text(const struct snow *snow, const struct snow_row *row, int column);

/* /api/now/... after the credentials were accepted. part is the index after "now[/vN]". */
void snow_serve_table(const struct snow_call *call, unsigned part);
void snow_serve_email(const struct snow_call *call, unsigned part);
/* /oauth_token.do */
void snow_serve_token(struct snow *snow, const char *instance, const struct request *request,
		      struct response *response);
/* Who a call is from; NULL with the 401 in response. */
const struct snow_user *snow_authenticate(struct snow *snow, const struct request *request,
					  struct response *response);
/* The 401 of the API, in the instance's wording (NULL: today's), and of the token endpoint. */
void snow_unauthorized(const struct snow *snow, struct response *response);
void snow_deny(struct response *response);

#endif
