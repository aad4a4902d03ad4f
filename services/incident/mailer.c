/*
 * The thread that sends mails:
 *
 *   mail:due ─▶ mail_take (fixes incidents and Message-ID) ─▶ words ─▶ SMTP ──────────▶
 * mail_sent └─▶ ServiceNow ─▶ asked again
 *
 * A crash after the server has taken a mail repeats it with the same Message-ID.
 */
#include "mailer.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "base/arena.h"
#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/bus.h"
#include "bus/key.h"
#include "bus/mail.h"
#include "bus/redis.h"
#include "bus/reply.h"
#include "digest.h"
#include "links.h"
#include "model/containment.h"
#include "model/customer.h"
#include "model/incident.h"
#include "net/smtp.h"
#include "service/roster.h"
#include "vendor/servicenow_email.h"
#include "vendor/session.h"

#define FIELD(member) .offset = offsetof(struct mailer_settings, member)

const struct conf_option mailer_options[] = {
	{ "TOCSIN_SMTP_URL", CONF_URL, FIELD(smtp_url), .choices = "smtp|smtps",
	  .help = "mail server, smtps://host:465 or smtp://host:587 (STARTTLS)" },
	{ "TOCSIN_SMTP_USER", CONF_STRING, FIELD(smtp_user),
	  .help = "to sign in there; without it nobody does" },
	{ "TOCSIN_SMTP_PASSWORD", CONF_STRING, FIELD(smtp_password), .flags = CONF_SECRET,
	  .help = "its password; better in a file, TOCSIN_SMTP_PASSWORD_FILE" },
	{ "TOCSIN_SMTP_CA_FILE", CONF_PATH, FIELD(smtp_ca_file),
	  .help = "who may sign its certificate; default: the system's" },
	{ "TOCSIN_MAIL_FROM", CONF_STRING, FIELD(from), .max = 200,
	  .help = "sender, \"Tocsin <tocsin@example.com>\"" },
	{ "TOCSIN_MAIL_LOOK", CONF_MILLIS, FIELD(look_ms), "1s", .min = 50, .max = 60000,
	  .help = "how often to look for mails that are due" },
	{ 0 },
};

static struct metric mails = {
	.name = "tocsin_mails_total",
	.help = "Mails by how they were sent and what became of them: sent, handed (to "
		"ServiceNow), retry, refused.",
	.kind = METRIC_COUNTER,
	.labels = "via,outcome",
};
struct metric *const mailer_metrics[] = { &mails, NULL };

enum {
	DUE_MAX = 100,
	TEAM_HEX = 16,
	BUSY_MS = 120 * 1000, /* longer than a mail can take */
	ASK_MS = 10 * 1000,   /* ServiceNow, what became of it */
	BACKOFF_MS = 10 * 1000,
	BACKOFF_CAP_MS = 15 * 60 * 1000,
	REFUSED_MS = 60 * 60 * 1000,
	TO_MAX = 101,
};

bool mailer_settings_check(const struct mailer_settings *settings, struct err *err)
{
	char address[256];

	if (settings->from && !smtp_address(settings->from, address, sizeof(address)))
		return err_set(err, ERR_PERMANENT, "TOCSIN_MAIL_FROM=%s is not a mail address",
			       settings->from);
	if (settings->smtp_url && !settings->from)
		return err_set(
		    err, ERR_PERMANENT,
		    "TOCSIN_SMTP_URL needs TOCSIN_MAIL_FROM, the sender of the mails");
	if (settings->smtp_user && !settings->smtp_password)
		return err_set(err, ERR_PERMANENT,
			       "TOCSIN_SMTP_USER needs TOCSIN_SMTP_PASSWORD");
	return true;
}

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

bool mailer_tell(struct redis *redis, const struct customer *customer,
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

struct letter {
	const char *to[TO_MAX];
	size_t to_count;
	const struct customer *customer; /* whose settings it goes by */
};

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
static void letter_find(struct letter *ret_letter, const struct directory *directory,
			const char *id)
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
	for (size_t i = 0; i < customer->mail.to_count && i + 1 < TO_MAX; i++)
		ret_letter->to[ret_letter->to_count++] = customer->mail.to[i];
}

/* ---- what it says ---- */

struct mailer {
	const struct app *app;
	const struct mailer_settings *settings;
	struct redis_settings redis_settings;
	struct redis *redis;
	struct arena *arena;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping;
};

/* False when it is gone, or cannot be read; one that cannot be told of does not stop others. */
static bool read_incident(struct mailer *mailer, unsigned partition, const char *id,
			  struct incident *ret_incident, struct err *err)
{
	struct key key;

	key_format(&key, partition, "incident:%s", id);
	struct redis_reply *reply = redis_command(mailer->redis, err, "HGETALL %s", key.text);
	size_t count = reply_count(reply) / 2;
	struct field *fields = arena_alloc(mailer->arena, (count + 1) * sizeof(*fields));

	for (size_t i = 0; i < count; i++) {
		const struct redis_reply *value = reply_at(reply, i * 2 + 1);

		fields[i] = (struct field){
			.name = arena_strdup(mailer->arena, reply_text(reply_at(reply, i * 2))),
			.value =
			    arena_strndup(mailer->arena, reply_text(value), reply_size(value)),
			.size = reply_size(value),
		};
	}
	bool ok = reply && count > 0 && incident_decode(ret_incident, fields, count, err);

	reply_free(reply);
	return ok;
}

static void add_links(const struct mailer *mailer, const struct incident *incident,
		      const struct customer *customer, struct digest_line *line)
{
	const struct links *links = mailer->app->links;
	const struct incident_containment *containment = &incident->containment;
	bool held = containment_due_count(containment->ledger) > 0;
	bool asked = containment->asked_ms && !containment->approved &&
		     containment->expires_ms > clock_wall_ms();
	const char *token = links_token(links, LINK_VERDICT, incident, customer,
					incident->created_ms + customer->mail.link_time_ms,
					held, mailer->arena);

	if (asked)
		line->approve_url =
		    links_url(links, LINK_APPROVE,
			      links_token(links, LINK_APPROVE, incident, customer,
					  containment->expires_ms, true, mailer->arena),
			      NULL, mailer->arena);
	if (incident->state == INCIDENT_CLOSED || incident->state == INCIDENT_CLOSING)
		return;
	line->verdict_url = links_url(links, LINK_VERDICT, token, NULL, mailer->arena);
	line->false_positive_url =
	    links_url(links, LINK_VERDICT, token, "false_positive", mailer->arena);
	line->benign_url = links_url(links, LINK_VERDICT, token, "benign", mailer->arena);
	line->true_positive_url =
	    links_url(links, LINK_VERDICT, token, "true_positive", mailer->arena);
}

static struct digest_line line_of(const struct mailer *mailer, const struct incident *incident,
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

	add_links(mailer, incident, customer, &line);
	return line;
}

static bool same_incident(const char *a, const char *b)
{
	size_t size = strcspn(a, ".");

	return size == strcspn(b, ".") && strncmp(a, b, size) == 0;
}

/* Lines of the incidents that are still there, each once. */
static size_t gather(struct mailer *mailer, const struct mail_digest *mail_id,
		     const struct mail_current *current, const struct directory *directory,
		     struct digest_line *lines)
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
		const char *id = arena_strndup(mailer->arena, member, strcspn(member, "."));

		if (!read_incident(mailer, mail_id->partition, id, &incident, &err)) {
			log_warn("incident %s is not in the mail: %s", id,
				 err.kind ? err.text : "it is gone");
			continue;
		}
		const struct customer *customer =
		    directory_customer(directory, incident.customer);

		if (customer)
			lines[count++] = line_of(mailer, &incident, customer);
	}
	return count;
}

/* ---- sending ---- */

struct words {
	const char *subject, *text, *html;
};

static bool by_smtp(struct mailer *mailer, const struct letter *letter,
		    const struct words *words, const char *message_id, struct err *err)
{
	const struct mailer_settings *settings = mailer->settings;
	const struct smtp_server server = {
		.url = settings->smtp_url,
		.user = settings->smtp_user,
		.password = settings->smtp_password,
		.ca_file = settings->smtp_ca_file,
	};
	const struct smtp_mail mail = {
		.from = settings->from,
		.to = letter->to,
		.subject = words->subject,
		.message_id = message_id,
		.date_ms = clock_wall_ms(),
		.text = words->text,
		.html = words->html,
	};

	if (!server.url)
		return err_set(err, ERR_ACCOUNT,
			       "customer %s wants mail and TOCSIN_SMTP_URL is not set",
			       letter->customer->id);
	return smtp_send(&server, &mail, err);
}

static bool session_of(struct mailer *mailer, const struct letter *letter,
		       const struct directory *directory, struct vendor_session *ret_session,
		       struct err *err)
{
	const char *id = letter->customer->servicenow.account;

	*ret_session = (struct vendor_session){
		.vendor = mailer->app->vendor,
		.redis = mailer->redis,
		.account = id ? directory_account(directory, id) : NULL,
		.class = VENDOR_OPENING,
	};
	return ret_session->account ||
	       err_set(err, ERR_ACCOUNT, "customer %s has no ServiceNow account",
		       letter->customer->id);
}

static bool by_servicenow(struct mailer *mailer, const struct letter *letter,
			  const struct directory *directory, const struct words *words,
			  struct mail_current *current, struct err *err)
{
	struct vendor_session session;
	const struct servicenow_email email = {
		.to = letter->to,
		.subject = words->subject,
		.text = words->text,
		.html = words->html,
		.message_id = current->message_id,
	};

	return session_of(mailer, letter, directory, &session, err) &&
	       servicenow_email_send(&session, &email, mailer->arena, &current->email_id, err);
}

static const char *via_name(const struct letter *letter)
{
	return letter->customer->mail.via == CUSTOMER_MAIL_SERVICENOW ? "servicenow" : "smtp";
}

/* It will be tried again, with more that has come meanwhile in the mail after it. */
static void put_off(struct mailer *mailer, const struct mail_digest *digest,
		    const struct letter *letter, struct mail_current *current,
		    const struct err *why)
{
	struct err err = { 0 };
	bool refused = why->kind == ERR_PERMANENT;
	uint64_t delay_ms = refused
				? (uint64_t)REFUSED_MS
				: backoff_ms(BACKOFF_MS, BACKOFF_CAP_MS, current->attempt, 0);

	metric_add(&mails, 1, via_name(letter), refused ? "refused" : "retry");
	if (app_alarm_due(mailer->app, digest->id))
		log_error("mail for %s could not be sent, attempt %u: %s", letter->customer->id,
			  current->attempt + 1, why->text);
	current->email_id = "";
	current->attempt++;
	if (!mail_later(mailer->redis, digest, current, delay_ms, &err))
		log_warn("mail for %s waits: %s", letter->customer->id, err.text);
}

static void sent(struct mailer *mailer, const struct mail_digest *digest,
		 const struct letter *letter, const struct mail_current *current)
{
	struct err err = { 0 };

	metric_add(&mails, 1, via_name(letter), "sent");
	if (!mail_sent(mailer->redis, digest, current->message_id,
		       letter->customer->mail.interval_ms, &err))
		log_warn("mail %s was sent and may be sent again: %s", current->message_id,
			 err.text);
}

static void send_words(struct mailer *mailer, const struct mail_digest *digest,
		       const struct letter *letter, const struct directory *directory,
		       struct mail_current *current, const struct words *words)
{
	struct err err = { 0 };

	if (letter->customer->mail.via == CUSTOMER_MAIL_SMTP) {
		if (by_smtp(mailer, letter, words, current->message_id, &err))
			sent(mailer, digest, letter, current);
		else
			put_off(mailer, digest, letter, current, &err);
		return;
	}
	if (!by_servicenow(mailer, letter, directory, words, current, &err)) {
		put_off(mailer, digest, letter, current, &err);
		return;
	}
	metric_add(&mails, 1, "servicenow", "handed");
	if (!mail_later(mailer->redis, digest, current, ASK_MS, &err))
		log_warn("mail %s may be sent again: %s", current->message_id, err.text);
}

/* ServiceNow has it: has it gone out? */
static void ask(struct mailer *mailer, const struct mail_digest *digest,
		const struct letter *letter, const struct directory *directory,
		struct mail_current *current)
{
	enum servicenow_email_state state = SERVICENOW_EMAIL_WAITING;
	struct vendor_session session;
	const char *why = "";
	struct err err = { 0 };

	if (!session_of(mailer, letter, directory, &session, &err) ||
	    !servicenow_email_state(&session, current->email_id, mailer->arena, &state, &why,
				    &err))
		log_debug("mail %s: %s", current->message_id, err.text);
	if (state == SERVICENOW_EMAIL_SENT) {
		sent(mailer, digest, letter, current);
	} else if (state == SERVICENOW_EMAIL_FAILED) {
		err_fill(&err, ERR_TRANSIENT, "ServiceNow did not send it: %s", why);
		put_off(mailer, digest, letter, current, &err);
	} else if (!mail_later(mailer->redis, digest, current, ASK_MS, &err)) {
		log_debug("mail %s: %s", current->message_id, err.text);
	}
}

static void compose(struct mailer *mailer, const struct mail_digest *digest_id,
		    const struct letter *letter, const struct directory *directory,
		    struct mail_current *current)
{
	struct digest_line *lines =
	    arena_alloc(mailer->arena, (current->count + 1) * sizeof(*lines));
	const struct digest digest = {
		.installation = mailer->app->installation,
		.lines = lines,
		.count = gather(mailer, digest_id, current, directory, lines),
	};

	if (digest.count == 0) {
		sent(mailer, digest_id, letter, current);
		return;
	}
	const struct words words = {
		.subject = digest_subject(&digest, mailer->arena),
		.text = digest_text(&digest, mailer->arena),
		.html = digest_html(&digest, mailer->arena),
	};

	send_words(mailer, digest_id, letter, directory, current, &words);
}

/* Unlike any other, and at our sender's domain. */
static const char *fresh_message_id(const struct mailer *mailer)
{
	unsigned char random[12];
	char hex[sizeof(random) * 2 + 1];
	const char *at = mailer->settings->from ? strrchr(mailer->settings->from, '@') : NULL;
	size_t domain = at ? strcspn(at + 1, ">") : 0;

	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(hex, sizeof(hex), random, sizeof(random));
	return arena_printf(mailer->arena, "<%s.%s@%.*s>", hex, mailer->app->installation,
			    domain ? (int)domain : 13, domain ? at + 1 : "tocsin.invalid");
}

static void one(struct mailer *mailer, unsigned partition, const char *id,
		const struct directory *directory)
{
	const struct mail_digest digest = { partition, id };
	struct mail_current current;
	struct letter letter;
	struct err err = { 0 };

	letter_find(&letter, directory, id);
	if (!mail_take(mailer->redis, &digest, fresh_message_id(mailer), BUSY_MS, mailer->arena,
		       &current, &err)) {
		log_debug("mail %s: %s", id, err.text);
		return;
	}
	if (current.count == 0)
		return;
	if (letter.to_count == 0) {
		/* The customer has gone, or its section. */
		if (!mail_sent(mailer->redis, &digest, current.message_id, 0, &err))
			log_debug("mail %s: %s", id, err.text);
	} else if (*current.email_id) {
		ask(mailer, &digest, &letter, directory, &current);
	} else {
		compose(mailer, &digest, &letter, directory, &current);
	}
}

static bool stopping(struct mailer *mailer)
{
	pthread_mutex_lock(&mailer->lock);
	bool stop = mailer->stopping;

	pthread_mutex_unlock(&mailer->lock);
	return stop;
}

static void look(struct mailer *mailer)
{
	struct err err = { 0 };
	const struct directory *directory =
	    roster_get(mailer->app->roster, mailer->redis, &err);

	for (unsigned i = 0; directory && i < mailer->app->times->partitions; i++) {
		const char **ids;
		size_t count = 0;

		arena_reset(mailer->arena);
		if (!mail_due(mailer->redis, i, DUE_MAX, mailer->arena, &ids, &count, &err))
			break;
		for (size_t j = 0; j < count && !stopping(mailer); j++)
			one(mailer, i, ids[j], directory);
	}
	if (directory)
		roster_put(mailer->app->roster, directory);
}

static void *run(void *opaque)
{
	struct mailer *mailer = opaque;

	pthread_mutex_lock(&mailer->lock);
	while (!mailer->stopping) {
		const struct timespec until = clock_mono_after(mailer->settings->look_ms);

		pthread_cond_timedwait(&mailer->wake, &mailer->lock, &until);
		if (mailer->stopping)
			break;
		pthread_mutex_unlock(&mailer->lock);
		look(mailer);
		pthread_mutex_lock(&mailer->lock);
	}
	pthread_mutex_unlock(&mailer->lock);
	return NULL;
}

struct mailer *mailer_start(const struct app *app, const struct mailer_settings *settings,
			    struct err *err)
{
	struct mailer *mailer = xcalloc(1, sizeof(*mailer));
	pthread_condattr_t monotonic;

	mailer->app = app;
	mailer->settings = settings;
	mailer->arena = arena_new();
	bus_redis_settings(app->times, &mailer->redis_settings);
	mailer->redis = redis_new(&mailer->redis_settings, "tocsin-incident-mailer");
	pthread_mutex_init(&mailer->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&mailer->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (pthread_create(&mailer->thread, NULL, run, mailer) == 0)
		return mailer;
	redis_free(mailer->redis);
	arena_free(mailer->arena);
	free(mailer);
	err_fill(err, ERR_TRANSIENT, "no thread for mails can be had");
	return NULL;
}

bool mailer_stop(struct mailer *mailer, uint64_t grace_ms)
{
	struct timespec until;

	if (!mailer)
		return true;
	pthread_mutex_lock(&mailer->lock);
	mailer->stopping = true;
	pthread_cond_signal(&mailer->wake);
	pthread_mutex_unlock(&mailer->lock);
	clock_gettime(CLOCK_REALTIME, &until); /* what pthread_timedjoin_np() goes by */
	until.tv_sec += (time_t)(grace_ms / 1000);
	if (pthread_timedjoin_np(mailer->thread, NULL, &until) != 0)
		return false;
	pthread_cond_destroy(&mailer->wake);
	pthread_mutex_destroy(&mailer->lock);
	redis_free(mailer->redis);
	arena_free(mailer->arena);
	free(mailer);
	return true;
}
