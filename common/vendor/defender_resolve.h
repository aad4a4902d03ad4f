#ifndef VENDOR_DEFENDER_RESOLVE_H
#define VENDOR_DEFENDER_RESOLVE_H

#include <stdbool.h>

#include "base/err.h"

struct vendor_session;

/*
 * Resolving alerts: GET and PATCH /api/alerts/{id}. Facts: MicrosoftDocs/defender-docs
 * defender-endpoint/api/update-alert.md and alerts.md, which contradict each other about the
 * names of determinations (ConfirmedActivity and ConfirmedUserActivity, NotMalicious and
 * Clean); a client in the open found a third spelling (MicrosoftDocs/microsoft-365-docs#11228).
 * So a refusal of classification and determination is not the end: the alert is then resolved
 * without them.
 *
 * Every change moves the alert's lastUpdateTime, so it comes back with the next poll: the
 * comment is what tells it from news.
 */
struct defender_resolution {
	const char *classification; /* NULL: as it is */
	const char *determination;  /* NULL: as it is */
	const char *comment;
};

enum defender_resolved {
	DEFENDER_RESOLVED,
	DEFENDER_RESOLVED_PLAINLY, /* without classification and determination: refused */
	DEFENDER_WAS_RESOLVED,	   /* by somebody else; nothing was changed */
	DEFENDER_GONE,
	DEFENDER_FORBIDDEN, /* the app lacks Alert.ReadWrite.All; the account is not parked */
};

/* False with err when it is not known whether it is. Made again it changes nothing. */
bool defender_resolve(struct vendor_session *session, const char *alert_id,
		      const struct defender_resolution *resolution,
		      enum defender_resolved *ret_resolved, struct err *err);

/* What a verdict ("false_positive", "benign", "true_positive") is called there; NULL for both
 * when there is none. */
void defender_verdict(const char *verdict, const char **ret_classification,
		      const char **ret_determination);

#endif
