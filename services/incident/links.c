/* Signing what people click, and what they type. */
#include "links.h"

#include <stddef.h>

#include "base/log.h"
#include "model/customer.h"
#include "model/incident.h"

#define FIELD(member) .offset = offsetof(struct links, member)

const struct conf_option links_options[] = {
	{ "TOCSIN_LINK_KEY_FILE", CONF_PATH, FIELD(key_file), NULL,
	  .help = "private keys that sign links and make codes; none: nothing is signed" },
	{ "TOCSIN_PUBLIC_URL", CONF_URL, FIELD(public_url), NULL,
	  .help =
	      "where people and ServiceNow reach the callback; none: mails carry no links" },
	{ 0 },
};

bool links_open(struct links *links, const char *installation, struct err *err)
{
	links->installation = installation;
	if (links->key_file) {
		links->keys = link_keys_open_private(links->key_file, err);
		return links->keys != NULL;
	}
	if (links->public_url)
		return err_set(err, ERR_PERMANENT,
			       "TOCSIN_PUBLIC_URL needs TOCSIN_LINK_KEY_FILE, which signs the "
			       "links (`tocsin keygen` makes it)");
	return true;
}

void links_close(struct links *links)
{
	link_keys_free(links->keys);
	links->keys = NULL;
}

const char *links_token(const struct links *links, enum link_purpose purpose,
			const struct incident *incident, const struct customer *customer,
			uint64_t expires_ms, bool needs_code, struct arena *arena)
{
	struct link link = {
		.purpose = purpose,
		.needs_code = needs_code,
		.partition = customer->partition,
		.expires_ms = expires_ms,
		.installation = links->installation,
		.customer = customer->id,
		.incident = incident->id,
		.instance = incident->servicenow_account,
		.sys_id = incident->sys_id,
		.number = incident->number,
	};
	struct err err = { 0 };
	const char *token = links->keys ? link_sign(links->keys, &link, arena, &err) : NULL;

	if (links->keys && !token)
		log_warn("incident %s gets no %s link: %s", incident->id,
			 link_purpose_name(purpose), err.text);
	return token;
}

const char *links_url(const struct links *links, enum link_purpose purpose, const char *token,
		      const char *verdict, struct arena *arena)
{
	if (!links->public_url || !token)
		return NULL;
	return link_url(links->public_url, purpose, token, verdict, arena);
}

bool links_code(const struct links *links, const struct incident *incident,
		enum code_purpose purpose, char *ret_shown)
{
	ret_shown[0] = '\0';
	if (!links->keys)
		return false;
	code_make(links->keys, links->installation, incident->id, purpose, ret_shown);
	return true;
}
