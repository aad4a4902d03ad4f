/* The internal port: is this process moving, can it work, what did it count. */
#include "service/service_health.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/httpd.h"

enum { METRICS_MAX_BYTES = 16 * 1024 * 1024, NAME_BYTES = 48 };

struct check {
	struct check *next;
	bool alive;
	const char *name;
	service_check *check;
	void *opaque;
};

struct service_beat {
	struct service_beat *next;
	struct service_health *health;
	char name[NAME_BYTES];
	uint64_t max_age_ms;
	_Atomic uint64_t stamped_ms;
};

struct service_health {
	bool (*stopping)(void *opaque);
	void *opaque;
	struct httpd *httpd;
	pthread_mutex_t lock; /* of the two lists */
	struct check *checks;
	struct service_beat *beats;
};

struct service_health *service_health_new(bool (*stopping)(void *opaque), void *opaque)
{
	struct service_health *health = xcalloc(1, sizeof *health);

	health->stopping = stopping;
	health->opaque = opaque;
	pthread_mutex_init(&health->lock, NULL);
	return health;
}

void service_health_add(struct service_health *health, bool alive, const char *name,
			service_check *check, void *opaque)
{
	struct check *added = xcalloc(1, sizeof *added);

	*added =
	    (struct check){ .alive = alive, .name = name, .check = check, .opaque = opaque };
	pthread_mutex_lock(&health->lock);
	added->next = health->checks;
	health->checks = added;
	pthread_mutex_unlock(&health->lock);
}

struct service_beat *service_health_beat(struct service_health *health, const char *name,
					 uint64_t max_age_ms)
{
	struct service_beat *beat = xcalloc(1, sizeof *beat);

	beat->health = health;
	beat->max_age_ms = max_age_ms;
	snprintf(beat->name, sizeof beat->name, "%s", name);
	service_beat(beat);
	pthread_mutex_lock(&health->lock);
	beat->next = health->beats;
	health->beats = beat;
	pthread_mutex_unlock(&health->lock);
	return beat;
}

void service_beat(struct service_beat *beat)
{
	atomic_store_explicit(&beat->stamped_ms, clock_mono_ms(), memory_order_relaxed);
}

void service_beat_end(struct service_beat *beat)
{
	if (!beat)
		return;
	pthread_mutex_lock(&beat->health->lock);
	struct service_beat **at = &beat->health->beats;
	while (*at != beat)
		at = &(*at)->next;
	*at = beat->next;
	pthread_mutex_unlock(&beat->health->lock);
	free(beat);
}

/* Under the lock. */
static bool checks_hold(const struct service_health *health, bool alive, struct buf *why)
{
	bool good = true, any = alive;

	for (const struct check *check = health->checks; check; check = check->next) {
		char text[SERVICE_TEXT_SIZE] = "";
		any |= check->alive == alive;
		if (check->alive != alive || check->check(check->opaque, text))
			continue;
		buf_addf(why, "%s: %s\n", check->name, text);
		good = false;
	}
	/* The port is open before a process knows what it needs. */
	if (!any)
		buf_adds(why, "starting\n");
	return good && any;
}

static bool beats_fresh(struct service_health *health, struct buf *why)
{
	uint64_t now = clock_mono_ms();
	bool good = true;

	for (struct service_beat *beat = health->beats; beat; beat = beat->next) {
		uint64_t stamped =
		    atomic_load_explicit(&beat->stamped_ms, memory_order_relaxed);
		if (now <= stamped || now - stamped <= beat->max_age_ms)
			continue;
		buf_addf(why, "%s: no progress for %" PRIu64 " s\n", beat->name,
			 (now - stamped) / 1000);
		good = false;
	}
	return good;
}

static enum httpd_outcome answer(struct httpd_exchange *exchange, bool good, struct buf *text)
{
	httpd_answer(exchange, good ? 200 : 503, "text/plain; charset=utf-8", buf_text(text),
		     text->size);
	buf_done(text);
	return HTTPD_DONE;
}

static enum httpd_outcome on_alive(struct httpd_exchange *exchange, void *state)
{
	struct service_health *health = state;
	struct buf text;

	buf_init(&text, METRICS_MAX_BYTES);
	pthread_mutex_lock(&health->lock);
	bool moving = beats_fresh(health, &text);
	bool good = checks_hold(health, true, &text) && moving;
	pthread_mutex_unlock(&health->lock);
	if (good)
		buf_adds(&text, "ok\n");
	return answer(exchange, good, &text);
}

static enum httpd_outcome on_ready(struct httpd_exchange *exchange, void *state)
{
	struct service_health *health = state;
	struct buf text;

	buf_init(&text, METRICS_MAX_BYTES);
	bool stopping = health->stopping(health->opaque);
	if (stopping)
		buf_adds(&text, "stopping\n");
	pthread_mutex_lock(&health->lock);
	bool good = checks_hold(health, false, &text) && !stopping;
	pthread_mutex_unlock(&health->lock);
	if (good)
		buf_adds(&text, "ready\n");
	return answer(exchange, good, &text);
}

static enum httpd_outcome on_metrics(struct httpd_exchange *exchange, void *state)
{
	struct buf text;

	(void)state;
	buf_init(&text, METRICS_MAX_BYTES);
	service_process_update();
	metric_render(&text);
	httpd_answer(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", buf_text(&text),
		     text.size);
	buf_done(&text);
	return HTTPD_DONE;
}

bool service_health_listen(struct service_health *health, const char *address, unsigned port,
			   struct err *err)
{
	static const struct httpd_route routes[] = {
		{ "GET", "/healthz", on_alive, 0 },
		{ "GET", "/readyz", on_ready, 0 },
		{ "GET", "/metrics", on_metrics, 0 },
		{ 0 },
	};
	const struct httpd_settings settings = {
		.address = address,
		.port = port,
		.routes = routes,
		.state = health,
		.connections = 32,
	};

	health->httpd = httpd_new(&settings, err);
	return health->httpd != NULL;
}

void service_health_free(struct service_health *health)
{
	if (!health)
		return;
	httpd_free(health->httpd);
	while (health->checks) {
		struct check *next = health->checks->next;
		free(health->checks);
		health->checks = next;
	}
	while (health->beats) {
		struct service_beat *next = health->beats->next;
		free(health->beats);
		health->beats = next;
	}
	pthread_mutex_destroy(&health->lock);
	free(health);
}
