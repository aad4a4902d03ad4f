/* What was asked of a server by its name: DNS and HTTP. */
#include "model/json_writer.h"

#include "normalize/ocsf_writer.h"

static void put_query(struct ocsf_writer *writer)
{
	const struct ocsf_web *web = &writer->finding->web;
	struct buf *out = writer->out;

	if (!web->query_hostname)
		return;
	json_begin(out, "query", '{');
	ocsf_put(out, "hostname", web->query_hostname);
	ocsf_put_cut(out, "type", web->query_type, OCSF_ID_MAX_BYTES);
	json_end(out, '}');
	ocsf_observe(writer, "evidences[0].query.hostname", OCSF_OBSERVABLE_HOSTNAME,
		     web->query_hostname);
}

void ocsf_put_web(struct ocsf_writer *writer)
{
	const struct ocsf_web *web = &writer->finding->web;
	struct buf *out = writer->out;

	put_query(writer);
	size_t begun = json_begin(out, "http_request", '{');
	json_put_string(out, "http_method", web->http_method);
	ocsf_put(out, "user_agent", web->user_agent);
	ocsf_put(out, "referrer", web->referrer);
	json_end_unless_empty(out, begun, '}');
	if (!web->status)
		return;
	json_begin(out, "http_response", '{');
	json_put_int(out, "code", web->status);
	ocsf_put(out, "content_type", web->content_type);
	if (web->length > 0)
		json_put_int(out, "length", web->length);
	json_end(out, '}');
}

void ocsf_put_url_categories(const struct ocsf_writer *writer)
{
	const struct ocsf_finding *finding = writer->finding;
	struct buf *out = writer->out;

	if (finding->url_category_count == 0)
		return;
	json_begin(out, "categories", '[');
	for (size_t i = 0; i < finding->url_category_count; i++)
		ocsf_put_cut(out, NULL, finding->url_categories[i], OCSF_TITLE_MAX_BYTES);
	json_end(out, ']');
	json_begin(out, "category_ids", '[');
	for (size_t i = 0; i < finding->url_category_count; i++)
		json_put_int(out, NULL, finding->url_category_ids[i]);
	json_end(out, ']');
}
