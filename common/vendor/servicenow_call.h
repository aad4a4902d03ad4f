#ifndef VENDOR_SERVICENOW_CALL_H
#define VENDOR_SERVICENOW_CALL_H

#include <stdbool.h>

#include "base/buf.h"
#include "vendor/servicenow_reply.h"

struct arena;
struct vendor_session;

/* One call of the Table API while it is made; the inside of servicenow.h. */
struct servicenow_call {
	const char *what;
	const char *method; /* NULL: GET */
	enum servicenow_act act;
	bool optional; /* see struct vendor_request */
	struct buf url;
	struct buf body;
	bool first_param;
	struct servicenow_reply reply;
};

/* sys_id NULL: the table as a whole. */
void servicenow_call_init(struct servicenow_call *call, const struct vendor_session *session,
			  const char *table, const char *sys_id);
void servicenow_call_param(struct servicenow_call *call, const char *name, const char *value);
/* True when reply holds a result. Fills ret_answer (NULL is fine) from the reply. */
bool servicenow_call_run(struct servicenow_call *call, struct vendor_session *session,
			 struct arena *arena, struct servicenow_answer *ret_answer,
			 struct err *err);
void servicenow_call_done(struct servicenow_call *call);

/* For what only shows when a result is looked at: fills answer and err. */
bool servicenow_call_refuse(struct servicenow_answer *ret_answer,
			    enum servicenow_outcome outcome, enum err_kind kind,
			    const char *text, struct err *err);

/* A column's value as text in the arena: "" for null, the sys_id of a reference. */
const char *servicenow_value_text(const json_t *value, struct arena *arena);
void servicenow_record_read(const json_t *object, struct arena *arena,
			    struct servicenow_record *ret_record);

#endif
