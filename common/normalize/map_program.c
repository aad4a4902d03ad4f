/*
 * Sources that are jq programs: the simple object they return, read like a vendor's record, so
 * that a program says what is true of an event and never how OCSF wants it written. A member
 * that is misspelt is an error, one that has another form than it should counts as absent.
 */
#include "normalize/map_program.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/clock.h"
#include "model/finding.h"
#include "model/json_tree.h"
#include "model/raw.h"

#include "normalize/attack.h"
#include "normalize/ocsf_finding.h"
#include "normalize/record.h"

/* ---- reading members ---- */

const char *program_word(struct json_node *object, const char *name)
{
	const char *text = record_text(object, name);

	return text ? text : record_id(object, name);
}

uint64_t program_time(struct json_node *object, const char *name)
{
	static const double least_ms = 1e11, most_ms = 253402300799e3; /* 1973 and 9999 */
	const struct json_node *node = json_tree_get(object, name);

	if (!node || node->kind != JSON_NODE_NUMBER)
		return record_date(object, name);
	double number = strtod(node->text, NULL);
	if (number < least_ms)
		number *= 1000;
	return number >= 1 && number <= most_ms ? (uint64_t)number : 0;
}

bool program_known(const struct json_node *object, const char *name, const char *const *known,
		   struct err *err)
{
	for (const struct json_node *node = object->first; node; node = node->next) {
		const char *const *at = known;

		while (*at && strcmp(*at, node->name) != 0)
			at++;
		if (!*at)
			return err_set(err, ERR_PERMANENT,
				       "the program returned an unknown member %s%s%.60s", name,
				       name[0] ? "." : "", node->name);
	}
	return true;
}

/* ---- words for numbers ---- */

struct word {
	const char *text;
	int id;
};

/* 0 when it is none of them. */
static int word_id(struct json_node *object, const char *name, const struct word *words)
{
	const char *text = record_text(object, name);

	for (; text && words->text; words++) {
		if (strcasecmp(words->text, text) == 0)
			return words->id;
	}
	return 0;
}

static void read_outcome(struct json_node *object, struct ocsf_finding *finding)
{
	static const struct {
		const char *word;
		enum ocsf_disposition disposition_id;
		enum ocsf_action action_id;
	} outcomes[] = {
		{ "allowed", OCSF_LET_THROUGH, OCSF_ALLOWED },
		{ "blocked", OCSF_BLOCKED, OCSF_DENIED },
		{ "quarantined", OCSF_QUARANTINED, OCSF_DENIED },
		{ "isolated", OCSF_ISOLATED, OCSF_DENIED },
		{ "deleted", OCSF_DELETED, OCSF_DENIED },
		{ "restored", OCSF_RESTORED, OCSF_ALLOWED },
		{ "corrected", OCSF_CORRECTED, OCSF_MODIFIED },
		{ "uncorrected", OCSF_UNCORRECTED, OCSF_OBSERVED },
		{ "detected", OCSF_DETECTED, OCSF_OBSERVED },
	};
	static const struct word confidences[] = { { "low", OCSF_CONFIDENCE_LOW },
						   { "high", OCSF_CONFIDENCE_HIGH },
						   { 0 } };
	static const struct word statuses[] = { { "new", OCSF_NEW },
						{ "in_progress", OCSF_IN_PROGRESS },
						{ "suppressed", OCSF_SUPPRESSED },
						{ "resolved", OCSF_RESOLVED },
						{ 0 } };
	const char *word = record_text(object, "disposition");
	int status = word_id(object, "status", statuses);

	finding->disposition_text = word;
	finding->disposition_id = word ? OCSF_DISPOSITION_OTHER : 0;
	for (size_t i = 0; word && i < sizeof outcomes / sizeof outcomes[0]; i++) {
		if (strcasecmp(outcomes[i].word, word) != 0)
			continue;
		finding->disposition_id = outcomes[i].disposition_id;
		finding->action_id = outcomes[i].action_id;
	}
	finding->confidence_id =
	    (enum ocsf_confidence)word_id(object, "confidence", confidences);
	finding->status_id = status ? (enum ocsf_status)status : OCSF_NEW;
	finding->activity_id = finding->status_id == OCSF_RESOLVED ? OCSF_CLOSE : OCSF_CREATE;
}

static bool read_severity(struct json_node *object, struct ocsf_finding *finding,
			  struct err *err)
{
	const char *word = record_text(object, "severity");
	int64_t number = -1;

	if (word)
		number = strcasecmp(word, "fatal") == 0 ? SEVERITY_FATAL
							: finding_severity_parse(word);
	else
		record_int(object, "severity", &number);
	if (number < SEVERITY_UNKNOWN || number > SEVERITY_FATAL)
		return err_set(err, ERR_PERMANENT,
			       "the program's severity must be informational, low, medium, "
			       "high, critical or fatal, or 0 to 6");
	finding->severity_id = (int)number;
	finding->is_alert = number >= SEVERITY_MEDIUM;
	return true;
}

/* ---- its parts ---- */

static void read_product(const struct raw *raw, struct json_node *object, struct arena *arena,
			 struct ocsf_finding *finding)
{
	struct json_node *node = json_tree_get(object, "product");
	struct ocsf_product *product = arena_alloc(arena, sizeof *product);
	const char *name = record_text(object, "product");

	if (!name)
		name = record_text(node, "name");
	product->name = name ? name : raw->source;
	product->vendor_name = record_text(node, "vendor_name");
	if (!product->vendor_name)
		product->vendor_name = product->name;
	product->full_name = product->name;
	product->uid = raw->source;
	finding->product = product;
}

static void read_times(const struct raw *raw, struct json_node *object,
		       struct ocsf_finding *finding)
{
	finding->time_ms = program_time(object, "time");
	if (!finding->time_ms)
		finding->time_ms = raw->observed_ms;
	finding->start_ms = program_time(object, "start_time");
	finding->end_ms = program_time(object, "end_time");
	finding->created_ms = program_time(object, "created_time");
	finding->modified_ms = program_time(object, "modified_time");
	finding->first_seen_ms = program_time(object, "first_seen_time");
	finding->original_time = record_peek_text(object, "time");
}

static void read_texts(const struct raw *raw, struct json_node *object,
		       struct ocsf_finding *finding)
{
	finding->event_uid = raw->event_id;
	finding->uid = program_word(object, "uid");
	if (!finding->uid)
		finding->uid = raw->event_id;
	finding->title = record_text(object, "title");
	finding->description = record_text(object, "description");
	finding->message = record_text(object, "message");
	finding->event_code = program_word(object, "event_code");
	finding->correlation_uid = program_word(object, "correlation_uid");
	finding->subject = program_word(object, "subject");
	finding->tenant_uid = program_word(object, "tenant_uid");
	finding->src_url = record_text(object, "src_url");
	finding->remediation = record_text(object, "remediation");
	finding->feature = record_text(object, "feature");
	finding->comment = record_text(object, "comment");
	finding->log_name = record_text(object, "log_name");
}

static void read_types(struct json_node *object, struct ocsf_finding *finding)
{
	const struct json_node *list = json_tree_get(object, "types");
	const struct json_node *item =
	    list && list->kind == JSON_NODE_ARRAY ? list->first : NULL;

	finding->type = record_text(object, "type");
	for (; item; item = item->next) {
		if (item->kind != JSON_NODE_TEXT || item->size == 0)
			continue;
		if (!finding->type)
			finding->type = item->text;
		else if (strcmp(item->text, finding->type) != 0 &&
			 finding->more_type_count < OCSF_CATEGORIES_MAX)
			finding->more_types[finding->more_type_count++] = item->text;
	}
}

static bool read_analytic(struct json_node *object, struct ocsf_finding *finding,
			  struct err *err)
{
	static const char *const members[] = { "name", "uid", "type", "category", NULL };
	static const struct word types[] = { { "rule", OCSF_ANALYTIC_RULE },
					     { "behavioral", OCSF_ANALYTIC_BEHAVIORAL },
					     { "fingerprinting", OCSF_ANALYTIC_FINGERPRINTING },
					     { 0 } };
	struct json_node *node = json_tree_get(object, "analytic");

	if (!node || node->kind != JSON_NODE_OBJECT)
		return true;
	finding->analytic_name = record_text(node, "name");
	finding->analytic_uid = program_word(node, "uid");
	finding->analytic_category = record_text(node, "category");
	int type = word_id(node, "type", types);
	finding->analytic_type_id = type ? (enum ocsf_analytic_type)type : OCSF_ANALYTIC_RULE;
	return program_known(node, "analytic", members, err);
}

static void read_cves(struct json_node *object, struct ocsf_finding *finding)
{
	const struct json_node *list = json_tree_get(object, "cves");
	const struct json_node *item =
	    list && list->kind == JSON_NODE_ARRAY ? list->first : NULL;

	for (; item && finding->cve_count < OCSF_CVES_MAX; item = item->next) {
		if (item->kind == JSON_NODE_TEXT && strncmp(item->text, "CVE-", 4) == 0)
			finding->cves[finding->cve_count++] = item->text;
	}
}

/* The program's own word, else what found it; the host goes with either. */
static void read_group(struct json_node *object, struct ocsf_finding *finding)
{
	const struct {
		const char *name, *value;
	} keys[] = { { "group", program_word(object, "group") },
		     { "subject", finding->subject },
		     { "analytic", finding->analytic_uid },
		     { "analytic", finding->analytic_name } };

	for (size_t i = 0; i < sizeof keys / sizeof keys[0] && !finding->group_value; i++) {
		finding->group_name = keys[i].name;
		finding->group_value = keys[i].value;
	}
}

bool map_program(const struct raw *raw, struct json_node *object, struct json_node *record,
		 struct arena *arena, struct ocsf_finding *ret_finding, struct err *err)
{
	static const char *const members[] = { "title",
					       "severity",
					       "time",
					       "description",
					       "message",
					       "uid",
					       "type",
					       "types",
					       "event_code",
					       "product",
					       "status",
					       "disposition",
					       "confidence",
					       "start_time",
					       "end_time",
					       "created_time",
					       "modified_time",
					       "first_seen_time",
					       "correlation_uid",
					       "subject",
					       "tenant_uid",
					       "src_url",
					       "remediation",
					       "feature",
					       "comment",
					       "log_name",
					       "analytic",
					       "tactics",
					       "techniques",
					       "cves",
					       "group",
					       "host",
					       "user",
					       "process",
					       "file",
					       "url",
					       "source",
					       "destination",
					       "malware",
					       "observables",
					       "evidences",
					       "unmapped",
					       NULL };
	struct json_node *unmapped = json_tree_get(object, "unmapped");

	if (!program_known(object, "", members, err))
		return false;
	if (!record_peek_text(object, "title"))
		return err_set(err, ERR_PERMANENT, "the program gave no title");
	read_product(raw, object, arena, ret_finding);
	read_texts(raw, object, ret_finding);
	read_types(object, ret_finding);
	read_times(raw, object, ret_finding);
	read_outcome(object, ret_finding);
	read_cves(object, ret_finding);
	attack_read(ret_finding, json_tree_get(object, "tactics"),
		    json_tree_get(object, "techniques"));
	if (!read_severity(object, ret_finding, err) ||
	    !read_analytic(object, ret_finding, err) ||
	    !program_read_things(object, arena, ret_finding, err))
		return false;
	read_group(object, ret_finding);
	if (!ret_finding->message && ret_finding->hostname)
		ret_finding->message = arena_printf(arena, "%.400s on %.100s",
						    ret_finding->title, ret_finding->hostname);
	ret_finding->record =
	    unmapped && unmapped->kind == JSON_NODE_OBJECT ? unmapped : record;
	return true;
}
