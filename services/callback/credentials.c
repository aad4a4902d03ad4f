/* Whom we know: editions of the credentials, and the thread that keeps them fresh. */
#include "credentials.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "model/vault.h"
#include "service/service.h"

struct metric credentials_clones = {
	.name = "tocsin_callback_clone_requests_total",
	.kind = METRIC_COUNTER,
	.help = "requests of clones of a ServiceNow instance, refused, by the account they use",
	.labels = "account",
};
struct metric *const credentials_metrics[] = { &credentials_clones, NULL };

enum { LOOK_MS = 1000, STUCK_MS = 60000 };

struct credentials {
	struct credentials_customer *customers; /* by id */
	size_t customer_count;
	struct credentials_instance *instances; /* by id */
	size_t instance_count;
	unsigned users;		   /* under the book's lock */
	struct credentials *older; /* all that are still in use */
};

struct credentials_book {
	const struct vault *vault;
	struct redis_settings redis_settings;
	struct redis *redis; /* the thread's */
	struct service_beat *beat;
	pthread_t thread;
	bool started;
	uint64_t version; /* of current, or of what could not be read */

	pthread_mutex_t lock; /* of the rest */
	pthread_cond_t changed;
	struct credentials *current;
	bool ending;
	char why[SERVICE_TEXT_SIZE];
};

/* ---- one edition ---- */

static void edition_free(struct credentials *edition)
{
	for (size_t i = 0; i < edition->customer_count; i++) {
		signature_keys_wipe(&edition->customers[i].hmac);
		callback_customer_free(edition->customers[i].record);
	}
	for (size_t i = 0; i < edition->instance_count; i++) {
		signature_keys_wipe(&edition->instances[i].hmac);
		callback_instance_free(edition->instances[i].record);
	}
	free(edition->customers);
	free(edition->instances);
	free(edition);
}

/* A secret that does not open is left out, and said: the others still work. */
static void open_pair(const struct vault *vault, const char *owner, const char *field,
		      const struct secret_pair *pair, struct signature_keys *ret_keys)
{
	for (size_t i = 0; i < 2 && pair->text[i]; i++) {
		struct err err = { 0 };
		char *secret = vault_unseal(vault, owner, field, pair->text[i], &err);

		if (!secret)
			log_error("%s", err.text);
		else if (!signature_keys_add(ret_keys, secret))
			log_error("%s of %s is not \"whsec_<base64 of 24 to 64 bytes>\"", field,
				  owner);
		vault_wipe(secret);
	}
}

static bool add_record(struct credentials *edition, const struct vault *vault, const char *name,
		       const struct redis_reply *value, struct err *err)
{
	const char *text = reply_text(value);
	size_t size = reply_size(value);

	if (name[0] == '@') {
		struct credentials_instance *at = &edition->instances[edition->instance_count];
		at->record = callback_instance_decode(name + 1, text, size, err);
		if (!at->record)
			return false;
		open_pair(vault, at->record->owner, ACCOUNT_CALLBACK_HMAC,
			  &at->record->callback.hmac, &at->hmac);
		edition->instance_count++;
		return true;
	}
	struct credentials_customer *at = &edition->customers[edition->customer_count];
	at->record = callback_customer_decode(name, text, size, err);
	if (!at->record)
		return false;
	open_pair(vault, at->record->id, CUSTOMER_PUSH_HMAC, &at->record->push.hmac, &at->hmac);
	edition->customer_count++;
	return true;
}

static int by_customer_id(const void *a, const void *b)
{
	const struct credentials_customer *x = a, *y = b;

	return strcmp(x->record->id, y->record->id);
}

static int by_instance_id(const void *a, const void *b)
{
	const struct credentials_instance *x = a, *y = b;

	return strcmp(x->record->id, y->record->id);
}

/* A record that cannot be read is left out: one bad file shuts out nobody else. */
static struct credentials *edition_read(const struct vault *vault,
					const struct redis_reply *all)
{
	struct credentials *edition = xcalloc(1, sizeof *edition);
	size_t count = reply_count(all) / 2;

	edition->customers = xcalloc(count + 1, sizeof *edition->customers);
	edition->instances = xcalloc(count + 1, sizeof *edition->instances);
	for (size_t i = 0; i < count; i++) {
		const char *name = reply_text(reply_at(all, 2 * i));
		struct err err = { 0 };

		if (name[0] != '#' &&
		    !add_record(edition, vault, name, reply_at(all, 2 * i + 1), &err))
			log_error("%s", err.text);
	}
	qsort(edition->customers, edition->customer_count, sizeof *edition->customers,
	      by_customer_id);
	qsort(edition->instances, edition->instance_count, sizeof *edition->instances,
	      by_instance_id);
	return edition;
}

/* ---- the thread ---- */

static void publish(struct credentials_book *book, struct credentials *edition)
{
	struct credentials *unused = NULL;

	pthread_mutex_lock(&book->lock);
	if (book->current && book->current->users == 0) {
		unused = book->current;
		edition->older = unused->older;
	} else {
		edition->older = book->current;
	}
	book->current = edition;
	pthread_mutex_unlock(&book->lock);
	if (unused)
		edition_free(unused);
}

static bool look(struct credentials_book *book, struct err *err)
{
	struct redis_reply *reply =
	    redis_command(book->redis, err, "HGET %s #version", KEY_CALLBACK_CREDENTIALS);
	uint64_t version = (uint64_t)reply_integer(reply);

	if (!reply)
		return false;
	reply_free(reply);
	if (version == 0)
		return err_set(err, ERR_TRANSIENT,
			       "no credentials yet: setup has not applied the customers");
	if (version == book->version)
		return true;
	reply = redis_command(book->redis, err, "HGETALL %s", KEY_CALLBACK_CREDENTIALS);
	if (!reply)
		return false;
	struct credentials *edition = edition_read(book->vault, reply);
	/* The version that came with them, should setup have been at it in between. */
	book->version = (uint64_t)reply_integer(reply_find(reply, "#version"));
	reply_free(reply);
	log_info("credentials of %zu customers and %zu accounts", edition->customer_count,
		 edition->instance_count);
	for (size_t i = 0; i < edition->instance_count; i++)
		metric_add(&credentials_clones, 0, edition->instances[i].record->id);
	publish(book, edition);
	return true;
}

static void *run(void *opaque)
{
	struct credentials_book *book = opaque;

	pthread_mutex_lock(&book->lock);
	while (!book->ending) {
		struct err err = { 0 };

		pthread_mutex_unlock(&book->lock);
		service_beat(book->beat);
		bool good = look(book, &err);
		struct timespec until = clock_mono_after(LOOK_MS);
		pthread_mutex_lock(&book->lock);
		snprintf(book->why, sizeof book->why, "%s", good ? "" : err.text);
		if (!book->ending)
			pthread_cond_timedwait(&book->changed, &book->lock, &until);
	}
	pthread_mutex_unlock(&book->lock);
	return NULL;
}

/* ---- for others ---- */

bool credentials_ready(void *opaque, char *ret_text)
{
	struct credentials_book *book = opaque;

	pthread_mutex_lock(&book->lock);
	bool ready = book->why[0] == '\0';
	memcpy(ret_text, book->why, sizeof book->why);
	pthread_mutex_unlock(&book->lock);
	return ready;
}

const struct credentials *credentials_get(struct credentials_book *book)
{
	pthread_mutex_lock(&book->lock);
	struct credentials *current = book->current;
	if (current)
		current->users++;
	pthread_mutex_unlock(&book->lock);
	return current;
}

void credentials_put(struct credentials_book *book, const struct credentials *credentials)
{
	struct credentials *unused = NULL, **at;

	if (!credentials)
		return;
	pthread_mutex_lock(&book->lock);
	for (at = &book->current; *at && *at != credentials; at = &(*at)->older)
		;
	if (*at && --(*at)->users == 0 && *at != book->current) {
		unused = *at;
		*at = unused->older;
	}
	pthread_mutex_unlock(&book->lock);
	if (unused)
		edition_free(unused);
}

const struct credentials_customer *credentials_customer(const struct credentials *credentials,
							const char *id)
{
	struct callback_customer record = { .id = (char *)(uintptr_t)id };
	const struct credentials_customer wanted = { .record = &record };

	return credentials
		   ? bsearch(&wanted, credentials->customers, credentials->customer_count,
			     sizeof *credentials->customers, by_customer_id)
		   : NULL;
}

const struct credentials_customer *credentials_customer_named(
    const struct credentials *credentials, const char *account, const char *name)
{
	const struct credentials_customer *found = NULL;

	for (size_t i = 0; credentials && i < credentials->customer_count; i++) {
		const struct credentials_customer *at = &credentials->customers[i];
		const struct callback_customer *record = at->record;

		if (!record->servicenow || strcmp(record->servicenow, account) != 0 ||
		    (name && (!record->name || strcmp(record->name, name) != 0)))
			continue;
		if (found)
			return NULL;
		found = at;
	}
	return found;
}

const struct credentials_instance *credentials_instance(const struct credentials *credentials,
							const char *account)
{
	struct callback_instance record = { .id = (char *)(uintptr_t)account };
	const struct credentials_instance wanted = { .record = &record };

	return credentials
		   ? bsearch(&wanted, credentials->instances, credentials->instance_count,
			     sizeof *credentials->instances, by_instance_id)
		   : NULL;
}

/* A handful of instances: every one is looked at. */
const struct credentials_instance *credentials_client(const struct credentials *credentials,
						      const char *client_id)
{
	for (size_t i = 0; credentials && i < credentials->instance_count; i++) {
		const char *known = credentials->instances[i].record->callback.client_id;
		if (known && strcmp(known, client_id) == 0)
			return &credentials->instances[i];
	}
	return NULL;
}

struct credentials_book *credentials_book_new(const struct bus_settings *settings,
					      const struct vault *vault,
					      struct service *service, struct err *err)
{
	struct credentials_book *book = xcalloc(1, sizeof *book);
	pthread_condattr_t monotonic;

	book->vault = vault;
	snprintf(book->why, sizeof book->why, "not read yet");
	pthread_mutex_init(&book->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&book->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	bus_redis_settings(settings, &book->redis_settings);
	book->redis = redis_new(&book->redis_settings, "tocsin-callback-credentials");
	book->beat = service_beat_new(service, "credentials", STUCK_MS);
	book->started = pthread_create(&book->thread, NULL, run, book) == 0;
	if (book->started)
		return book;
	err_fill(err, ERR_TRANSIENT, "cannot start a thread");
	credentials_book_stop(book);
	credentials_book_free(book);
	return NULL;
}

void credentials_book_stop(struct credentials_book *book)
{
	pthread_mutex_lock(&book->lock);
	book->ending = true;
	pthread_cond_broadcast(&book->changed);
	pthread_mutex_unlock(&book->lock);
	if (book->started)
		pthread_join(book->thread, NULL);
	book->started = false;
	service_beat_end(book->beat);
	book->beat = NULL;
}

void credentials_book_free(struct credentials_book *book)
{
	if (!book)
		return;
	redis_free(book->redis);
	while (book->current) {
		struct credentials *older = book->current->older;
		edition_free(book->current);
		book->current = older;
	}
	pthread_cond_destroy(&book->changed);
	pthread_mutex_destroy(&book->lock);
	free(book);
}
