/* The stream `findings`: its fields, the names of severities, and the digest of group keys. */
#include "model/finding.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "model/envelope.h"
#include "model/policy.h"
#include "model/raw.h"

static const char format_version[] = "1";

enum { UID_MAX = 192, GROUP_SIZE = 16 };

size_t finding_encode(const struct finding *finding, struct arena *arena,
		      struct field *ret_fields)
{
	size_t count = 0;

	ret_fields[count++] = field_text("v", format_version);
	ret_fields[count++] = field_text("customer", finding->customer);
	ret_fields[count++] = field_text("source", finding->source);
	ret_fields[count++] = field_text("event_id", finding->event_id);
	ret_fields[count++] = field_text("uid", finding->uid);
	ret_fields[count++] = field_text("group", finding->group);
	if (finding->subject && *finding->subject)
		ret_fields[count++] = field_text("subject", finding->subject);
	ret_fields[count++] =
	    field_text("severity_id", envelope_decimal(arena, (uint64_t)finding->severity_id));
	ret_fields[count++] = field_text("time_ms", envelope_decimal(arena, finding->time_ms));
	ret_fields[count++] =
	    field_text("observed_ms", envelope_decimal(arena, finding->observed_ms));
	ret_fields[count++] = field_text("trace", finding->trace ? finding->trace : "");
	ret_fields[count++] = field_text("origin", origin_name(finding->origin));
	if (finding->policy && *finding->policy)
		ret_fields[count++] = field_text("policy", finding->policy);
	ret_fields[count++] =
	    (struct field){ "payload", finding->payload, finding->payload_size };
	return count;
}

static bool decode_group(const struct envelope *envelope, const char **ret_group,
			 struct err *err)
{
	if (!envelope_text(envelope, "group", GROUP_SIZE, ret_group, err))
		return false;
	if (strspn(*ret_group, "0123456789abcdef") != GROUP_SIZE)
		return err_set(err, ERR_PERMANENT, "%s: group must be %d hex digits",
			       envelope->what, GROUP_SIZE);
	return true;
}

/* Missing or empty: the event is a record of its own. */
static bool decode_subject(const struct envelope *envelope, const char **ret_subject,
			   struct err *err)
{
	const struct field *field = field_find(envelope->fields, envelope->count, "subject");

	*ret_subject = "";
	return !field || field->size == 0 ||
	       envelope_text(envelope, "subject", RAW_EVENT_ID_MAX, ret_subject, err);
}

static bool decode_severity(const struct envelope *envelope, int *ret_id, struct err *err)
{
	uint64_t number;

	if (!envelope_number(envelope, "severity_id", &number, err))
		return false;
	if (number > SEVERITY_FATAL && number != SEVERITY_OTHER)
		return err_set(err, ERR_PERMANENT, "%s: severity_id %" PRIu64 " is not OCSF's",
			       envelope->what, number);
	*ret_id = (int)number;
	return true;
}

/* Whether it is one is asked where it is obeyed (model/policy.h). */
static bool decode_policy(const struct envelope *envelope, const char **ret_policy,
			  struct err *err)
{
	const struct field *field = field_find(envelope->fields, envelope->count, "policy");

	return !field || field->size == 0 ||
	       envelope_text(envelope, "policy", POLICY_TEXT_MAX, ret_policy, err);
}

bool finding_decode(struct finding *ret_finding, const struct field *fields, size_t count,
		    struct err *err)
{
	const struct envelope envelope = { .what = "finding",
					   .fields = fields,
					   .count = count };
	const struct field *payload;

	*ret_finding = (struct finding){ 0 };
	if (!envelope_version(&envelope, format_version, err) ||
	    !envelope_customer(&envelope, &ret_finding->customer, err) ||
	    !envelope_source(&envelope, &ret_finding->source, err) ||
	    !envelope_text(&envelope, "event_id", RAW_EVENT_ID_MAX, &ret_finding->event_id,
			   err) ||
	    !envelope_text(&envelope, "uid", UID_MAX, &ret_finding->uid, err) ||
	    !decode_group(&envelope, &ret_finding->group, err) ||
	    !decode_subject(&envelope, &ret_finding->subject, err) ||
	    !decode_severity(&envelope, &ret_finding->severity_id, err) ||
	    !envelope_number(&envelope, "time_ms", &ret_finding->time_ms, err) ||
	    !envelope_number(&envelope, "observed_ms", &ret_finding->observed_ms, err) ||
	    !envelope_trace(&envelope, &ret_finding->trace, err) ||
	    !envelope_origin(&envelope, &ret_finding->origin, err) ||
	    !decode_policy(&envelope, &ret_finding->policy, err) ||
	    !envelope_payload(&envelope, FINDING_PAYLOAD_MAX, &payload, err))
		return false;
	ret_finding->payload = payload->value;
	ret_finding->payload_size = payload->size;
	return true;
}

static const struct {
	int id;
	const char *name;
} severities[] = {
	{ SEVERITY_UNKNOWN, "Unknown" }, { SEVERITY_INFORMATIONAL, "Informational" },
	{ SEVERITY_LOW, "Low" },	 { SEVERITY_MEDIUM, "Medium" },
	{ SEVERITY_HIGH, "High" },	 { SEVERITY_CRITICAL, "Critical" },
	{ SEVERITY_FATAL, "Fatal" },	 { SEVERITY_OTHER, "Other" },
};

const char *finding_severity_name(int severity_id)
{
	for (size_t i = 0; i < sizeof severities / sizeof severities[0]; i++) {
		if (severities[i].id == severity_id)
			return severities[i].name;
	}
	return "Other";
}

int finding_severity_parse(const char *text)
{
	for (size_t i = 0; i < sizeof severities / sizeof severities[0]; i++) {
		int id = severities[i].id;
		if (id >= SEVERITY_INFORMATIONAL && id <= SEVERITY_CRITICAL &&
		    strcasecmp(severities[i].name, text) == 0)
			return id;
	}
	return -1;
}

int finding_severity_rank(int severity_id)
{
	return severity_id >= SEVERITY_INFORMATIONAL && severity_id <= SEVERITY_FATAL
		   ? severity_id
		   : 0;
}

bool finding_is_minor(int severity_id, int minimum_severity)
{
	int rank = finding_severity_rank(severity_id);

	return rank > 0 && rank < minimum_severity;
}

void finding_digest(const char *const *parts, char *ret_hex)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	for (; *parts; parts++)
		crypto_hash_sha256_update(&state, (const unsigned char *)*parts,
					  strlen(*parts) + 1);
	crypto_hash_sha256_final(&state, digest);
	sodium_bin2hex(ret_hex, GROUP_SIZE + 1, digest, GROUP_SIZE / 2);
}
