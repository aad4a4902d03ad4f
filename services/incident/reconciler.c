/* When which account is read, and by whom. */
#include "reconciler.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "bus/bus.h"
#include "bus/lease.h"
#include "bus/redis.h"
#include "model/customer.h"
#include "reconcile.h"
#include "rescue.h"
#include "service/roster.h"
#include "service/service.h"

enum { OWNER_SIZE = 100, ENDING_MS = 20, FIRST_MS = 5000 };

/* Where the readings of an account in Threat Response have come to. */
struct place {
	struct place *next;
	unsigned partition;
	char *account;
	char last[INCIDENT_ID_SIZE];
};

struct reconciler {
	struct reconciler_settings set;
	struct redis *redis;
	char owner[OWNER_SIZE];
	struct place *places;
	pthread_t thread;
	atomic_bool ended;
};

static bool is_read(const struct account *account)
{
	return account->kind == ACCOUNT_SERVICENOW || account->kind == ACCOUNT_THREAT_RESPONSE;
}

/* The right to read this account is kept for longer than the interval: who has it reads it, and
 * nobody else in between. */
static bool is_ours(struct reconciler *reconciler, unsigned partition, const char *account,
		    struct lease *ret_lease, struct err *err)
{
	char name[80];
	bool taken = false;

	snprintf(name, sizeof name, "reconcile:%s", account);
	lease_init(ret_lease, partition, name);
	return lease_take(reconciler->redis, ret_lease, reconciler->owner,
			  reconciler->set.interval_ms + reconciler->set.interval_ms / 2, &taken,
			  err) &&
	       taken;
}

static char *place_of(struct reconciler *reconciler, unsigned partition, const char *account)
{
	struct place *place = reconciler->places;

	while (place && (place->partition != partition || strcmp(place->account, account) != 0))
		place = place->next;
	if (!place) {
		place = xcalloc(1, sizeof(*place));
		place->partition = partition;
		place->account = xstrdup(account);
		place->next = reconciler->places;
		reconciler->places = place;
	}
	return place->last;
}

static void free_places(struct reconciler *reconciler)
{
	while (reconciler->places) {
		struct place *place = reconciler->places;

		reconciler->places = place->next;
		free(place->account);
		free(place);
	}
}

static void read_account(struct reconciler *reconciler, const struct watch *watch,
			 const struct account *account)
{
	struct err err = { 0 };
	struct lease lease;
	bool good = true;

	if (!is_read(account))
		return;
	if (!is_ours(reconciler, watch->partition, account->id, &lease, &err)) {
		if (err.kind != ERR_NONE)
			log_debug("account %s is not read: %s", account->id, err.text);
		return;
	}
	if (account->kind == ACCOUNT_SERVICENOW)
		good = reconcile_servicenow(watch, account, &err);
	else
		good = reconcile_threat_response(
		    watch, account, place_of(reconciler, watch->partition, account->id), &err);
	metric_add(&app_reconciliations, 1, account->id, good ? "ok" : "failed");
	if (!good)
		log_debug("tickets of account %s are read later: %s", account->id, err.text);
}

static void read_accounts(struct reconciler *reconciler, const struct watch *watch)
{
	const struct directory *directory = watch->directory;

	for (size_t i = 0; watch->count > 0 && i < directory_account_count(directory); i++) {
		if (service_stopping(reconciler->set.service))
			return;
		read_account(reconciler, watch, directory_account_at(directory, i));
	}
}

static void read_partition(struct reconciler *reconciler, const struct directory *directory,
			   unsigned partition, struct arena *arena)
{
	struct watch watch = {
		.app = reconciler->set.app,
		.redis = reconciler->redis,
		.partition = partition,
		.directory = directory,
		.arena = arena,
		.now_ms = clock_wall_ms(),
		.watch_ms = reconciler->set.watch_ms,
	};
	struct err err = { 0 };

	if (watch_read(&watch, &err))
		read_accounts(reconciler, &watch);
	else
		log_debug("open incidents cannot be read: %s", err.text);
	watch_done(&watch);
}

static void read_all(struct reconciler *reconciler)
{
	const struct app *app = reconciler->set.app;
	struct arena *arena = arena_new();
	struct err err = { 0 };
	const struct directory *directory = roster_get(app->roster, reconciler->redis, &err);

	for (unsigned i = 0; directory && i < app->times->partitions; i++) {
		const struct rescue rescue = {
			.app = app,
			.redis = reconciler->redis,
			.partition = i,
			.directory = directory,
			.arena = arena,
			.owner = reconciler->owner,
		};

		rescue_hosts(&rescue);
		read_partition(reconciler, directory, i, arena);
		rescue_expire(&rescue);
		arena_reset(arena);
	}
	if (directory)
		roster_put(app->roster, directory);
	arena_free(arena);
}

/* Whoever comes next need not wait until they run out. */
static void give_up_leases(struct reconciler *reconciler)
{
	const struct app *app = reconciler->set.app;
	struct err err = { 0 };
	const struct directory *directory = roster_get(app->roster, reconciler->redis, &err);

	for (unsigned p = 0; directory && p < app->times->partitions; p++) {
		for (size_t i = 0; i < directory_account_count(directory); i++) {
			const struct account *account = directory_account_at(directory, i);
			struct lease lease;

			if (is_read(account) &&
			    is_ours(reconciler, p, account->id, &lease, &err))
				lease_release(reconciler->redis, &lease, &err);
		}
	}
	if (directory)
		roster_put(app->roster, directory);
}

static void *run(void *opaque)
{
	struct reconciler *reconciler = opaque;
	uint64_t wait_ms =
	    reconciler->set.interval_ms < FIRST_MS ? reconciler->set.interval_ms : FIRST_MS;

	while (service_wait_ms(reconciler->set.service, wait_ms)) {
		read_all(reconciler);
		wait_ms = reconciler->set.interval_ms;
	}
	give_up_leases(reconciler);
	atomic_store(&reconciler->ended, true);
	return NULL;
}

struct reconciler *reconciler_start(const struct reconciler_settings *settings, struct err *err)
{
	struct reconciler *reconciler = xcalloc(1, sizeof *reconciler);
	char host[64] = "";

	reconciler->set = *settings;
	gethostname(host, sizeof host - 1);
	snprintf(reconciler->owner, sizeof reconciler->owner, "reconciler-%s-%d", host,
		 (int)getpid());
	reconciler->redis = bus_connection(settings->bus, "reconciler");
	if (pthread_create(&reconciler->thread, NULL, run, reconciler) == 0)
		return reconciler;
	redis_free(reconciler->redis);
	free(reconciler);
	err_fill(err, ERR_TRANSIENT, "cannot start the reconciler's thread");
	return NULL;
}

bool reconciler_join(struct reconciler *reconciler, uint64_t until_mono_ms)
{
	if (!reconciler)
		return true;
	while (!atomic_load(&reconciler->ended)) {
		if (clock_mono_ms() >= until_mono_ms)
			return false;
		usleep(ENDING_MS * 1000);
	}
	pthread_join(reconciler->thread, NULL);
	free_places(reconciler);
	redis_free(reconciler->redis);
	free(reconciler);
	return true;
}
