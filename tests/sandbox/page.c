/*
 * page: which page a browser gets, and the overview of everything the sandbox stands in for.
 */
#include "page.h"

#include <string.h>

#include "account.h"
#include "base/arena.h"
#include "base/buf.h"
#include "defender.h"
#include "html.h"
#include "ledger.h"
#include "mail.h"
#include "request.h"
#include "response.h"
#include "sandbox.h"
#include "secure_endpoint.h"
#include "servicenow.h"
#include "threat_response.h"
#include "umbrella.h"

enum { PAGE_MAX_BYTES = 32 * 1024 * 1024 };

static bool is(const char *text, const char *wanted)
{
	return strcmp(text, wanted) == 0;
}

/* Beside the list itself: the addresses that links in notes and mails use. */
static bool is_incident_page(const char *part)
{
	return !*part || is(part, "incident") || is(part, "incident.do") ||
	       is(part, "incident_list.do") || is(part, "nav_to.do") || is(part, "now");
}

/* The id of an entity is also its address: a browser that follows it gets the page. */
static bool is_person(const struct request *request)
{
	return !request->authorization && request->accept &&
	       strstr(request->accept, "text/html") &&
	       is(request_segment(request, 2), "incident");
}

bool page_serves(const struct request *request)
{
	const char *mount = request_segment(request, 0), *second = request_segment(request, 1);

	if (request->segments < 2 || is(mount, "mail"))
		return true;
	if (is(mount, servicenow_vendor.mount))
		return is_incident_page(request_segment(request, 2));
	if (!is(mount, threat_response_vendor.mount) || is(second, "iroh"))
		return false;
	return !is(second, "ctia") || is_person(request);
}

/* ---- the overview ------------------------------------------------------------------- */

struct tiles {
	struct buf *out;
	const struct vendor *vendor;
	unsigned count;
};

static void add_count(struct buf *out, const char *label, const json_t *summary,
		      const char *key)
{
	buf_addf(out, "<div><dt>%s</dt><dd>%" JSON_INTEGER_FORMAT "</dd></div>", label,
		 json_integer_value(json_object_get(summary, key)));
}

static void add_counts(struct buf *out, const struct vendor *vendor, const json_t *summary)
{
	buf_adds(out, "<dl>");
	if (vendor == &servicenow_vendor) {
		add_count(out, "incidents", summary, "incidents");
		add_count(out, "notes", summary, "journal_entries");
		add_count(out, "mails", summary, "emails");
	} else if (vendor == &threat_response_vendor) {
		add_count(out, "incidents", summary, "incidents");
		add_count(out, "sightings", summary, "sightings");
	} else if (vendor == &umbrella_vendor) {
		add_count(out, "records", summary, "events");
	} else if (vendor == &defender_vendor) {
		add_count(out, "alerts", summary, "alerts");
	} else {
		add_count(out, "events", summary, "events");
		add_count(out, "computers", summary, "computers");
		add_count(out, "isolated", summary, "isolated");
	}
	buf_adds(out, "</dl>");
}

static void add_tile(struct account *account, void *opaque)
{
	struct tiles *tiles = opaque;
	const struct vendor *vendor = account->vendor;
	bool linked = !vendor->add_events; /* a source has no page of its own */

	if (vendor != tiles->vendor || tiles->count++ >= 60)
		return;
	pthread_mutex_lock(&account->lock);
	json_t *summary = vendor->summarise(account);

	pthread_mutex_unlock(&account->lock);
	if (linked) {
		buf_addf(tiles->out, "<a class=\"card pad tile\" href=\"/%s/", vendor->mount);
		buf_add_url(tiles->out, account->name);
		buf_adds(tiles->out, "/\">");
	} else {
		buf_adds(tiles->out, "<div class=\"card pad tile\">");
	}
	buf_adds(tiles->out, "<h3>");
	html_text(tiles->out, account->name);
	buf_adds(tiles->out, "</h3>");
	add_counts(tiles->out, vendor, summary);
	buf_adds(tiles->out, linked ? "</a>" : "</div>");
	json_decref(summary);
}

static void add_section(struct sandbox *sandbox, const struct vendor *vendor, const char *title,
			struct buf *out)
{
	struct tiles tiles = { out, vendor, 0 };

	buf_addf(out, "<h2>%s</h2><div class=\"grid\">", title);
	registry_each(sandbox->registry, add_tile, &tiles);
	buf_adds(out, "</div>");
	if (tiles.count == 0)
		buf_adds(out,
			 "<p class=\"sub\">None yet: POST /_sandbox/accounts makes one.</p>");
	if (tiles.count > 60)
		buf_addf(out, "<p class=\"sub\">and %u more</p>", tiles.count - 60);
}

static void overview(struct sandbox *sandbox, struct buf *out)
{
	html_begin(out, "Sandbox", "");
	buf_addf(out,
		 "<h1>What the vendors hold</h1><p class=\"sub\">%llu calls answered since the "
		 "start. Open an instance to see its tickets as an analyst would, or <a "
		 "href=\"/machines\">the machines</a>.</p>",
		 (unsigned long long)ledger_last(sandbox->ledger));
	add_section(sandbox, &servicenow_vendor, "ServiceNow", out);
	add_section(sandbox, &threat_response_vendor, "Threat Response", out);
	add_section(sandbox, &secure_endpoint_vendor, "Secure Endpoint", out);
	add_section(sandbox, &umbrella_vendor, "Umbrella", out);
	add_section(sandbox, &defender_vendor, "Defender for Endpoint", out);
	buf_adds(out, "<h2>Mail</h2><p><a href=\"/mail/\">What was mailed</a></p>");
	html_end(out);
}

/* ---- which one ---------------------------------------------------------------------- */

/* The sys_id in "/nav_to.do?uri=incident.do?sys_id=..." and its relatives; "" for the list. */
static const char *incident_id(const struct request *request)
{
	const char *id = request_param(request, "sys_id"), *uri = request_param(request, "uri");
	const char *at = uri ? strstr(uri, "sys_id=") : NULL;

	if (id)
		return id;
	if (at)
		return arena_strndup(request->arena, at + 7, strcspn(at + 7, "&"));
	return is(request_segment(request, 2), "incident") ? request_segment(request, 3) : "";
}

static const char *record_id(const struct account *account, const struct request *request)
{
	return account->vendor == &servicenow_vendor ? incident_id(request)
						     : request_segment(request, 3);
}

/* The links of a list are relative, so its address must end in a slash. */
static bool misplaced(const struct request *request, const char *id)
{
	return !*id &&
	       (request->segments != 2 || request->path[strlen(request->path) - 1] != '/');
}

static bool serve_account(struct account *account, const struct request *request,
			  const char *id, struct buf *out)
{
	bool found;

	pthread_mutex_lock(&account->lock);
	if (account->vendor == &servicenow_vendor)
		found = *id ? page_incident(account, id, out)
			    : page_incidents(account, request, out);
	else
		found = *id ? page_threat(account, id, out) : page_threats(account, out);
	pthread_mutex_unlock(&account->lock);
	return found;
}

struct search {
	const char *id;	   /* of an incident, or */
	const char *value; /* of an observable */
	struct buf *out;
	struct account *found;
	size_t rows;
};

static void search_account(struct account *account, void *opaque)
{
	struct search *search = opaque;

	if (account->vendor != &threat_response_vendor || search->found)
		return;
	pthread_mutex_lock(&account->lock);
	if (search->value)
		search->rows += page_add_seen(account, search->value, search->out);
	else if (page_has_threat(account, search->id))
		search->found = account;
	pthread_mutex_unlock(&account->lock);
}

/* "type=value&type=value", each looked up in every organisation. */
static void investigate(struct sandbox *sandbox, const struct request *request, struct buf *out)
{
	const char *at = request_param(request, "q");

	html_begin(out, "Investigate", "Threat Response");
	buf_adds(out,
		 "<h1>Investigate</h1><p class=\"sub\">Incidents in which each of these was "
		 "seen</p>");
	for (unsigned i = 0; at && *at && i < 50; i++) {
		size_t size = strcspn(at, "&\n");
		const char *pair = request_decode(request->arena, at, size, false);
		const char *equals = strpbrk(pair, "=:");
		struct search search = { .value = equals ? equals + 1 : pair, .out = out };

		buf_adds(out, "<h2>");
		html_text(out, pair);
		buf_adds(out, "</h2><div class=\"card\"><table class=\"list\"><tbody>");
		registry_each(sandbox->registry, search_account, &search);
		buf_adds(out, "</tbody></table>");
		buf_adds(out,
			 search.rows ? "</div>" : "<div class=\"pad\">Nowhere.</div></div>");
		at += size;
		at += *at != '\0';
	}
	html_end(out);
}

/* From the address that is an entity's id to its page. */
static bool redirect_id(struct sandbox *sandbox, const struct request *request,
			struct response *response)
{
	struct search search = { .id = request_segment(request, 3) };

	registry_each(sandbox->registry, search_account, &search);
	if (!search.found)
		return false;
	response->status = 302;
	response_add_header(response, "Location", "/tr/%s/incident/%s", search.found->name,
			    strrchr(search.id, '/') ? strrchr(search.id, '/') + 1 : search.id);
	return true;
}

static void not_found(struct buf *out)
{
	html_begin(out, "Not found", "");
	buf_adds(out, "<div class=\"card empty\">There is nothing at this address. "
		      "<a href=\"/\">To the overview</a></div>");
	html_end(out);
}

static void serve_record(struct sandbox *sandbox, const struct request *request,
			 struct response *response)
{
	const struct vendor *vendor =
	    registry_mounted(sandbox->registry, request_segment(request, 0));
	struct account *account =
	    vendor && !vendor->add_events
		? registry_find(sandbox->registry, vendor, request_segment(request, 1))
		: NULL;
	const char *id = account ? record_id(account, request) : "";

	if (account && misplaced(request, id)) {
		response->status = 302;
		response_add_header(response, "Location", "/%s/%s/", vendor->mount,
				    account->name);
	} else if (!account || !serve_account(account, request, id, &response->body)) {
		buf_reset(&response->body);
		not_found(&response->body);
		response->status = 404;
	}
}

void page_serve(struct sandbox *sandbox, const struct request *request,
		struct response *response)
{
	const char *second = request_segment(request, 1);
	bool threat = is(request_segment(request, 0), threat_response_vendor.mount);

	response->body.max = PAGE_MAX_BYTES;
	bool mail = is(request_segment(request, 0), "mail");

	if (request->segments == 0)
		overview(sandbox, &response->body);
	else if (request->segments == 1 && is(request_segment(request, 0), "machines"))
		page_machines(sandbox, &response->body);
	else if (mail && page_mails(sandbox, request, &response->body))
		response->status = 200;
	else if (threat && is(second, "investigate"))
		investigate(sandbox, request, &response->body);
	else if (!threat || !is(second, "ctia") || !redirect_id(sandbox, request, response))
		serve_record(sandbox, request, response);
	response->content_type = "text/html;charset=utf-8";
	response_set_header(response, "Cache-Control", "no-store");
	response_set_header(response, "Content-Security-Policy",
			    "default-src 'none'; style-src 'unsafe-inline'; script-src "
			    "'unsafe-inline'; connect-src 'self'; img-src data:");
}
