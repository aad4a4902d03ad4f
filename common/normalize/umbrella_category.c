/* Umbrella's categories: which speak of a threat, how bad it is, what OCSF calls them. */
#include "normalize/umbrella_category.h"

#include <string.h>
#include <strings.h>

#include "model/finding.h"
#include "model/json_tree.h"

#include "normalize/record.h"

/* OCSF 1.8.0 url.category_ids: 99 Other */
enum { URL_OTHER = 99 };

/* The first whose word occurs in the label counts. The API states no severity. */
static const struct {
	const char *word;
	int severity_id; /* 0: not a threat by itself */
	int url_id;
} labels[] = {
	{ "command and control", SEVERITY_HIGH, 44 },
	{ "malware", SEVERITY_HIGH, 43 },
	{ "phishing", SEVERITY_HIGH, 18 },
	{ "dns tunneling", SEVERITY_HIGH, URL_OTHER },
	{ "ransomware", SEVERITY_HIGH, 43 },
	{ "cryptomining", SEVERITY_MEDIUM, URL_OTHER },
	{ "potentially harmful", SEVERITY_LOW, 92 },
	{ "newly seen", SEVERITY_LOW, 92 },
	{ "dynamic dns", SEVERITY_LOW, 103 },
	{ "proxy/anonymizer", 0, 86 },
	{ "anonymizer", 0, 86 },
	{ "p2p", 0, 83 },
	{ "peer file transfer", 0, 83 },
	{ "hacking", 0, 17 },
	{ "pornography", 0, 1 },
	{ "adult", 0, 1 },
	{ "gambling", 0, 11 },
	{ "search engine", 0, 40 },
	{ "social network", 0, 55 },
	{ "file storage", 0, 56 },
	{ "webmail", 0, 52 },
};

bool umbrella_category_read(struct json_node *item, struct umbrella_category *ret_category)
{
	const char *label = record_peek_text(item, "label");
	const char *type = record_peek_text(item, "type");

	if (!label)
		return false;
	*ret_category = (struct umbrella_category){
		.id = record_id(item, "id"),
		.label = record_text(item, "label"),
		.type = type ? record_text(item, "type") : NULL,
		.url_id = URL_OTHER,
	};
	bool known = false;

	for (size_t i = 0; i < sizeof labels / sizeof labels[0] && !known; i++) {
		known = strcasestr(label, labels[i].word) != NULL;
		if (!known)
			continue;
		ret_category->severity_id = labels[i].severity_id;
		ret_category->url_id = labels[i].url_id;
	}
	ret_category->security =
	    type ? strcasecmp(type, "security") == 0 : ret_category->severity_id > 0;
	if (!ret_category->security)
		ret_category->severity_id = SEVERITY_INFORMATIONAL;
	else if (ret_category->severity_id == 0)
		ret_category->severity_id =
		    SEVERITY_MEDIUM; /* a threat of a kind unknown here */
	return true;
}
