#ifndef CALLBACK_LINK_FORM_H
#define CALLBACK_LINK_FORM_H

#include <stdbool.h>

#include "model/closure.h"
#include "net/httpd.h"

struct link;

/* The page behind a link: says what would happen, and asks. */
struct link_form {
	const struct link *link;
	const char *token;
	enum closure_verdict verdict; /* shown as chosen; VERDICT_NONE: none is */
	const char *wrong;	      /* what was wrong with the last answer; NULL */
	bool wrong_code;	      /* that was the code */
};

enum httpd_outcome link_form_answer(struct httpd_exchange *exchange, int status,
				    const struct link_form *form);

/* The page after it: 202; or 200 when the same had been said before. */
enum httpd_outcome link_form_answer_done(struct httpd_exchange *exchange, bool repeated,
					 const struct link *link, enum closure_verdict verdict);

#endif
