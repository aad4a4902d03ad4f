#ifndef NORMALIZE_NORMALIZE_H
#define NORMALIZE_NORMALIZE_H

#include "base/err.h"
#include "model/finding.h"
#include "model/raw.h"

struct arena;

/* The default of TOCSIN_GROUPING: the vendor's correlation, then the file, then the kind of
 * threat. */
#define NORMALIZE_GROUPING                                                                     \
	"incidentId,detection_id,threat_hunting.incident_id,file.identity.sha256,"             \
	"cloud_ioc.short_description,detection,event_type_id"

/* What is set up once and then only read, by all threads. */
struct normalizer;

/* grouping: paths into the vendor's record, separated by commas; names joined by '.', items of
 * lists as [0]. The first that leads to a text or number decides what belongs together on one
 * host. NULL with err filled when it cannot be read. */
struct normalizer *normalizer_new(const char *grouping, struct err *err);
void normalizer_free(struct normalizer *normalizer);

/* Memory that one thread reuses from event to event. */
struct normalize_scratch;
struct normalize_scratch *normalize_scratch_new(void);
void normalize_scratch_free(struct normalize_scratch *scratch);

enum normalize_verdict {
	NORMALIZE_FINDING,
	NORMALIZE_SKIP,	  /* not for people: the fate says why */
	NORMALIZE_REFUSE, /* can never be read */
};

/*
 * One raw event becomes one OCSF finding, or a reason. Pure: no I/O and no clock, the same
 * bytes in give the same bytes out. What is in ret_finding is borrowed from raw or lives in the
 * arena.
 *
 * SKIP: ret_skip ("not a detection: Policy Update") lives in the arena. REFUSE: err (permanent)
 * says what is wrong.
 */
enum normalize_verdict normalize(const struct normalizer *normalizer, const struct raw *raw,
				 struct normalize_scratch *scratch, struct arena *arena,
				 struct finding *ret_finding, const char **ret_skip,
				 struct err *err);

/* Whether a source is mapped here, in C. */
bool normalize_knows(const char *source);

/* JSON that a source's jq program gave for one event. */
struct normalize_result {
	const char *text;
	size_t size;
};

/* As normalize(), for a source that is a jq program (docs/adding-a-source.md): result is null
 * or a text for what is none, a simple object, or an OCSF finding. */
enum normalize_verdict normalize_mapped(const struct normalizer *normalizer,
					const struct raw *raw,
					const struct normalize_result *result,
					struct normalize_scratch *scratch, struct arena *arena,
					struct finding *ret_finding, const char **ret_skip,
					struct err *err);

#endif
