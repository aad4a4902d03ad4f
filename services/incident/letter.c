/* Mails before they are sent: which tell of an incident, who reads them, what they say. */
#include "letter.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/key.h"
#include "bus/mail.h"
#include "bus/redis.h"
#include "bus/reply.h"
#include "digest.h"
#include "links.h"
#include "model/containment.h"
#include "model/customer.h"
#include "model/incident.h"

enum { TEAM_HEX = 16 };

/* ---- which mails tell of it ---- */

static const char *customer_digest(const struct customer *customer, char *buf, size_t size)
{
	snprintf(buf, size, "c.%s", customer->id);
	return buf;
}

/* An address becomes part of a key as a digest of itself. */
static const char *team_digest(const char *address, char *buf, size_t size)
{
	unsigned char hash[crypto_generichash_BYTES_MIN];
	char hex[sizeof(hash) * 2 + 1];

	crypto_generichash(hash, sizeof(hash), (const unsigned char *)address, strlen(address),
			   NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	snprintf(buf, size, "t.%.*s", TEAM_HEX, hex);
	return buf;
}

bool letter_announce(struct redis *redis, const struct customer *customer,
		     const struct incident *incident, bool approval, struct err *err)
{
	const struct customer_mail *settings = &customer->mail;
	char id[64], member[64];
	struct mail_digest digest = { customer->partition, id };
	uint64_t wait_ms = approval ? 0 : settings->wait_ms;
	uint64_t interval_ms = approval ? 0 : settings->interval_ms;

	if (!approval && incident->severity_id < settings->minimum_severity)
		return true;
	/* Told of once as new, and once more when it waits for approval. */
	snprintf(member, sizeof(member), "%s%s", incident->id, approval ? ".approve" : "");
	if (settings->to_count > 0) {
		customer_digest(customer, id, sizeof(id));
		if (!mail_add(redis, &digest, member, wait_ms, interval_ms, err))
			return false;
	}
	for (size_t i = 0; i < settings->internal_count; i++) {
		team_digest(settings->internal[i], id, sizeof(id));
		if (!mail_add(redis, &digest, member, wait_ms, interval_ms, err))
			return false;
	}
	return true;
}

/* ---- to whom ---- */

static void letter_for_team(struct letter *letter, const struct directory *directory,
			    const char *id)
{
	char own[64];

	for (size_t i = 0; i < directory_count(directory) && letter->to_count == 0; i++) {
		const struct customer *customer = directory_at(directory, i);

		for (size_t j = 0; j < customer->mail.internal_count; j++) {
			const char *address = customer->mail.internal[j];

			if (strcmp(team_digest(address, own, sizeof(own)), id) != 0)
				continue;
			letter->to[letter->to_count++] = address;
			letter->customer = customer;
			break;
		}
	}
}

/* Recipients as they are now; none when nobody is to be told any more. */
void letter_find(struct letter *ret_letter, const struct directory *directory, const char *id)
{
	*ret_letter = (struct letter){ 0 };
	if (strncmp(id, "t.", 2) == 0) {
		letter_for_team(ret_letter, directory, id);
		return;
	}
	const struct customer *customer =
	    strncmp(id, "c.", 2) == 0 ? directory_customer(directory, id + 2) : NULL;

	if (!customer)
		return;
	ret_letter->customer = customer;
	for (size_t i = 0; i < customer->mail.to_count && i + 1 < LETTER_TO_MAX; i++)
		ret_letter->to[ret_letter->to_count++] = customer->mail.to[i];
}

/* ---- what it says ---- */

/* False when it is gone, or cannot be read; one that cannot be told of does not stop others. */
static bool read_incident(const struct letter_desk *desk, unsigned partition, const char *id,
			  struct incident *ret_incident, struct err *err)
{
	struct key key;

	key_format(&key, partition, "incident:%s", id);
	struct redis_reply *reply = redis_command(desk->redis, err, "HGETALL %s", key.text);
	size_t count = reply_count(reply) / 2;
	struct field *fields = arena_alloc(desk->arena, (count + 1) * sizeof(*fields));

	for (size_t i = 0; i < count; i++) {
		const struct redis_reply *value = reply_at(reply, i * 2 + 1);

		fields[i] = (struct field){
			.name = arena_strdup(desk->arena, reply_text(reply_at(reply, i * 2))),
			.value =
			    arena_strndup(desk->arena, reply_text(value), reply_size(value)),
			.size = reply_size(value),
		};
	}
	bool ok = reply && count > 0 && incident_decode(ret_incident, fields, count, err);

	reply_free(reply);
	return ok;
}

static void add_links(const struct letter_desk *desk, const struct incident *incident,
		      const struct customer *customer, struct digest_line *line)
{
	const struct links *links = desk->app->links;
	const struct incident_containment *containment = &incident->containment;
	bool held = containment_due_count(containment->ledger) > 0;
	bool asked = containment->asked_ms && !containment->approved &&
		     containment->expires_ms > clock_wall_ms();
	const char *token =
	    links_token(links, LINK_VERDICT, incident, customer,
			incident->created_ms + customer->mail.link_time_ms, held, desk->arena);

	if (asked)
		line->approve_url =
		    links_url(links, LINK_APPROVE,
			      links_token(links, LINK_APPROVE, incident, customer,
					  containment->expires_ms, true, desk->arena),
			      NULL, desk->arena);
	if (incident->state == INCIDENT_CLOSED || incident->state == INCIDENT_CLOSING)
		return;
	line->verdict_url = links_url(links, LINK_VERDICT, token, NULL, desk->arena);
	line->false_positive_url =
	    links_url(links, LINK_VERDICT, token, "false_positive", desk->arena);
	line->benign_url = links_url(links, LINK_VERDICT, token, "benign", desk->arena);
	line->true_positive_url =
	    links_url(links, LINK_VERDICT, token, "true_positive", desk->arena);
}

static struct digest_line line_of(const struct letter_desk *desk,
				  const struct incident *incident,
				  const struct customer *customer)
{
	struct digest_line line = {
		.customer = customer->name,
		.number = incident->number,
		.url = incident->ticket_url,
		.severity = finding_severity_name(incident->severity_id),
		.title = customer->mail.titles ? incident->title : NULL,
		.state = incident->state == INCIDENT_OPENING || incident->state == INCIDENT_OPEN
			     ? NULL
			     : incident_state_name(incident->state),
		.since_ms = incident->created_ms,
		.findings = incident->findings,
	};

	add_links(desk, incident, customer, &line);
	return line;
}

static bool same_incident(const char *a, const char *b)
{
	size_t size = strcspn(a, ".");

	return size == strcspn(b, ".") && strncmp(a, b, size) == 0;
}

/* Lines of the incidents that are still there, each once. */
static size_t gather(const struct letter_desk *desk, const struct mail_digest *mail_id,
		     const struct mail_current *current, struct digest_line *lines)
{
	size_t count = 0;

	for (size_t i = 0; i < current->count; i++) {
		const char *member = current->incidents[i];
		struct incident incident;
		struct err err = { 0 };
		size_t earlier = 0;

		while (earlier < i && !same_incident(current->incidents[earlier], member))
			earlier++;
		if (earlier < i)
			continue;
		const char *id = arena_strndup(desk->arena, member, strcspn(member, "."));

		if (!read_incident(desk, mail_id->partition, id, &incident, &err)) {
			log_warn("incident %s is not in the mail: %s", id,
				 err.kind ? err.text : "it is gone");
			continue;
		}
		const struct customer *customer =
		    directory_customer(desk->directory, incident.customer);

		if (customer)
			lines[count++] = line_of(desk, &incident, customer);
	}
	return count;
}

bool letter_write(const struct letter_desk *desk, const struct mail_digest *mail_id,
		  const struct mail_current *current, struct letter *letter)
{
	struct digest_line *lines =
	    arena_alloc(desk->arena, (current->count + 1) * sizeof(*lines));
	const struct digest digest = {
		.installation = desk->app->installation,
		.lines = lines,
		.count = gather(desk, mail_id, current, lines),
	};

	if (digest.count == 0)
		return false;
	letter->subject = digest_subject(&digest, desk->arena);
	letter->text = digest_text(&digest, desk->arena);
	letter->html = digest_html(&digest, desk->arena);
	return true;
}
