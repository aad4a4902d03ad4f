#ifndef NORMALIZE_OCSF_WRITER_H
#define NORMALIZE_OCSF_WRITER_H

#include "normalize/ocsf_finding.h"
#include "normalize/ocsf_url.h"

/* What the parts of ocsf_finding.h share. */

enum {
	OCSF_TEXT_MAX_BYTES = 4096,
	OCSF_TITLE_MAX_BYTES = 512,
	OCSF_ID_MAX_BYTES = 256,
	OCSF_OBSERVABLES_MAX = 24,
};

struct ocsf_observable {
	const char *name; /* path of the attribute */
	int type_id;
	const char *value;
};

struct ocsf_writer {
	const struct ocsf_finding *finding;
	struct arena *arena;
	struct buf *out;
	struct ocsf_observable observables[OCSF_OBSERVABLES_MAX];
	size_t observable_count;
};

/* OCSF 1.8.0 observable.type_id */
enum {
	OCSF_OBSERVABLE_HOSTNAME = 1,
	OCSF_OBSERVABLE_IP = 2,
	OCSF_OBSERVABLE_MAC = 3,
	OCSF_OBSERVABLE_USER_NAME = 4,
	OCSF_OBSERVABLE_EMAIL = 5,
	OCSF_OBSERVABLE_URL = 6,
	OCSF_OBSERVABLE_FILE_NAME = 7,
	OCSF_OBSERVABLE_HASH = 8,
	OCSF_OBSERVABLE_FILE_PATH = 45,
	OCSF_OBSERVABLE_REG_PATH = 46,
	OCSF_OBSERVABLE_DEVICE_UID = 47,
};
/* An enum's captions; the list ends with a NULL. */
struct ocsf_caption {
	int id;
	const char *text;
};

const char *ocsf_caption(const struct ocsf_caption *captions, int id);
/* The id and its text sibling. */
void ocsf_put_id(struct buf *out, const char *id_name, const char *text_name,
		 const struct ocsf_caption *captions, int id);
/* At most max bytes, cut between two characters. */
void ocsf_put_cut(struct buf *out, const char *name, const char *text, size_t max);
void ocsf_put(struct buf *out, const char *name, const char *text);
/* Remembers a value that was just written at path, a literal. A value that was cut differs from
 * the attribute's and is no observable. */
void ocsf_observe(struct ocsf_writer *writer, const char *path, int type_id, const char *value);

/* ocsf_evidence.c, shared with ocsf_evidence_list.c: objects with all they need. */
void ocsf_put_file(struct buf *out, const char *name, const struct ocsf_file *file);
void ocsf_put_user(struct buf *out, const char *name, const struct ocsf_user *user,
		   bool with_type);
void ocsf_put_process(struct buf *out, const char *name, const struct ocsf_process *process,
		      bool with_file);
void ocsf_put_url_parts(struct buf *out, const char *url, struct ocsf_url *ret_parts,
			struct arena *arena);
/* Captions of enum ocsf_verdict; 99 has none. */
const char *ocsf_verdict_caption(int id);
/* ocsf_evidence_list.c: evidences[] of a source that lists them. */
void ocsf_put_evidence_list(struct ocsf_writer *writer);
/* ocsf_evidence.c: evidences[], malware[], and the actor at the top. */
void ocsf_put_evidence(struct ocsf_writer *writer);
void ocsf_put_malware(const struct ocsf_writer *writer);
void ocsf_put_actor(struct ocsf_writer *writer);
/* ocsf_web.c: the attributes of evidences[] and of its url. */
void ocsf_put_web(struct ocsf_writer *writer);
void ocsf_put_url_categories(const struct ocsf_writer *writer);
/* ocsf_device.c: device and resources[]. */
void ocsf_put_device(struct ocsf_writer *writer);
void ocsf_put_resources(const struct ocsf_writer *writer);

#endif
