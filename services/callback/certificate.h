#ifndef CALLBACK_CERTIFICATE_H
#define CALLBACK_CERTIFICATE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/file_stamp.h"
#include "base/metric.h"

struct httpd;

extern struct metric *const certificate_metrics[];

enum { CERTIFICATE_LOOK_MS = 1000 };

/* The files of the certificate that the service shows. They are renewed one after the other
 * while it runs: a pair that is not good is looked at again until it is, and what was shown is
 * shown. Of one thread. */
struct certificate {
	const char *certificate_file, *key_file; /* borrowed; NULL: no TLS */
	struct file_stamp stamps[2];		 /* of what is shown */
	struct err refused;			 /* the last look's */
	bool said;
};

/* Both texts for the start; NULL where no file is named. The key is to be wiped with
 * vault_wipe(). */
bool certificate_read(struct certificate *certificate, char **ret_certificate, char **ret_key,
		      struct err *err);
/* Says until when what the server shows is good. */
void certificate_started(const struct httpd *httpd);
/* Shows what is in the files, if they have changed. To be called every CERTIFICATE_LOOK_MS. */
void certificate_look(struct certificate *certificate, struct httpd *httpd);

#endif
