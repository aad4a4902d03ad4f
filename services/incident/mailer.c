/*
 * The thread that sends mails: what is due is taken (which fixes its incidents and Message-ID),
 * written, and given to a mail server, or to ServiceNow, which is asked later what became of
 * it.
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
#include "bus/mail.h"
#include "bus/redis.h"
#include "letter.h"
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
	BUSY_MS = 120 * 1000, /* longer than a mail can take */
	ASK_MS = 10 * 1000,   /* ServiceNow, what became of it */
	BACKOFF_MS = 10 * 1000,
	BACKOFF_CAP_MS = 15 * 60 * 1000,
	REFUSED_MS = 60 * 60 * 1000,
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

/* ---- sending ---- */

static bool by_smtp(struct mailer *mailer, const struct letter *letter, const char *message_id,
		    struct err *err)
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
		.subject = letter->subject,
		.message_id = message_id,
		.date_ms = clock_wall_ms(),
		.text = letter->text,
		.html = letter->html,
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
			  const struct directory *directory, struct mail_current *current,
			  struct err *err)
{
	struct vendor_session session;
	const struct servicenow_email email = {
		.to = letter->to,
		.subject = letter->subject,
		.text = letter->text,
		.html = letter->html,
		.message_id = current->message_id,
	};

	return session_of(mailer, letter, directory, &session, err) &&
	       servicenow_email_send(&session, &email, mailer->arena, &current->email_id, err);
}

/* What an alert looks for is there from the start: the first one counts. */
static void expect_refusals(void)
{
	metric_add(&mails, 0, "servicenow", "refused");
	metric_add(&mails, 0, "smtp", "refused");
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

	/* Nor does it go out by itself when we may not sign in. */
	metric_add(&mails, 1, via_name(letter),
		   refused || why->kind == ERR_ACCOUNT ? "refused" : "retry");
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

static void send_letter(struct mailer *mailer, const struct mail_digest *digest,
			const struct letter *letter, const struct directory *directory,
			struct mail_current *current)
{
	struct err err = { 0 };

	if (letter->customer->mail.via == CUSTOMER_MAIL_SMTP) {
		if (by_smtp(mailer, letter, current->message_id, &err))
			sent(mailer, digest, letter, current);
		else
			put_off(mailer, digest, letter, current, &err);
		return;
	}
	if (!by_servicenow(mailer, letter, directory, current, &err)) {
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

static void compose(struct mailer *mailer, const struct mail_digest *digest,
		    struct letter *letter, const struct directory *directory,
		    struct mail_current *current)
{
	const struct letter_desk desk = { mailer->app, mailer->redis, mailer->arena,
					  directory };

	if (letter_write(&desk, digest, current, letter))
		send_letter(mailer, digest, letter, directory, current);
	else
		sent(mailer, digest, letter, current);
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
			    domain ? (int)domain : 14, domain ? at + 1 : "tocsin.invalid");
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

	expect_refusals();
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
