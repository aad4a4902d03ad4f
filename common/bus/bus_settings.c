/* Redis's address and the times of the system, and what must hold between them. */
#include <stddef.h>
#include <stdio.h>

#include "base/clock.h"
#include "bus/bus.h"
#include "bus/redis.h"

#define FIELD(member) .offset = offsetof(struct bus_settings, member)
#define DAY_MS	      86400000UL
#define HOUR_MS	      3600000UL

const struct conf_option bus_options[] = {
	{ .name = "TOCSIN_REDIS_URL",
	  .type = CONF_STRING,
	  FIELD(redis_url),
	  .fallback = "redis://127.0.0.1:6379",
	  .choices = "redis|rediss|unix",
	  .help = "redis://host[:port][/db], rediss://... (TLS) or unix:/path[?db=n]" },
	{ .name = "TOCSIN_REDIS_USER",
	  .type = CONF_STRING,
	  FIELD(redis_user),
	  .help = "ACL user" },
	{ .name = "TOCSIN_REDIS_PASSWORD",
	  .type = CONF_STRING,
	  FIELD(redis_password),
	  .flags = CONF_SECRET,
	  .help = "its password; better in a file, TOCSIN_REDIS_PASSWORD_FILE" },
	{ .name = "TOCSIN_REDIS_CA_FILE",
	  .type = CONF_PATH,
	  FIELD(redis_ca_file),
	  .help = "who may sign Redis's certificate, with rediss://; default: the system's. "
		  "A new one counts from the next connection on" },
	{ .name = "TOCSIN_REDIS_CERTIFICATE_FILE",
	  .type = CONF_PATH,
	  FIELD(redis_certificate_file),
	  .help = "our certificate, where Redis wants one of its clients (tls-auth-clients)" },
	{ .name = "TOCSIN_REDIS_KEY_FILE",
	  .type = CONF_PATH,
	  FIELD(redis_key_file),
	  .help = "its key, PEM" },
	{ .name = "TOCSIN_REDIS_TIMEOUT",
	  .type = CONF_MILLIS,
	  FIELD(redis_timeout_ms),
	  .fallback = "5s",
	  .min = 100,
	  .max = 60000,
	  .help = "to connect, and for an answer beyond the time a read may block" },
	{ .name = "TOCSIN_PARTITIONS",
	  .type = CONF_UINT,
	  FIELD(partitions),
	  .fallback = "1",
	  .min = 1,
	  .max = 1024,
	  .help = "into how many parts customers are divided; fixed once customers exist" },
	{ .name = "TOCSIN_INSTANCE",
	  .type = CONF_STRING,
	  FIELD(instance),
	  .help = "name of this process in consumer names; default: the host's name" },
	{ .name = "TOCSIN_CALL_DEADLINE",
	  .type = CONF_MILLIS,
	  FIELD(call_deadline_ms),
	  .fallback = "30s",
	  .min = 10,
	  .max = 600000,
	  .help = "for a vendor call, from its intent, waiting for a slot included" },
	{ .name = "TOCSIN_REMOTE_MAX",
	  .type = CONF_MILLIS,
	  FIELD(remote_max_ms),
	  .fallback = "60s",
	  .min = 10,
	  .max = HOUR_MS,
	  .help = "longest that a vendor may still act on a request we gave up" },
	{ .name = "TOCSIN_QUARANTINE_MARGIN",
	  .type = CONF_MILLIS,
	  FIELD(quarantine_margin_ms),
	  .fallback = "30s",
	  .min = 10,
	  .max = HOUR_MS,
	  .help = "slack in the quarantine beyond both" },
	{ .name = "TOCSIN_QUARANTINE",
	  .type = CONF_MILLIS,
	  FIELD(quarantine_ms),
	  .fallback = "120s",
	  .min = 10,
	  .max = DAY_MS,
	  .help = "from an intent without an answer until we look whether it had an effect" },
	{ .name = "TOCSIN_HEARTBEAT",
	  .type = CONF_MILLIS,
	  FIELD(heartbeat_ms),
	  .fallback = "5s",
	  .min = 10,
	  .max = 600000,
	  .help = "how often a process renews the entries in its hands" },
	{ .name = "TOCSIN_CLAIM_IDLE",
	  .type = CONF_MILLIS,
	  FIELD(claim_idle_ms),
	  .fallback = "30s",
	  .min = 50,
	  .max = HOUR_MS,
	  .help = "an entry not renewed for so long may be taken over" },
	{ .name = "TOCSIN_SCAN",
	  .type = CONF_MILLIS,
	  FIELD(scan_ms),
	  .fallback = "5s",
	  .min = 10,
	  .max = 600000,
	  .help = "how often to look for entries to take over" },
	{ .name = "TOCSIN_LEASE",
	  .type = CONF_MILLIS,
	  FIELD(lease_ms),
	  .fallback = "30s",
	  .min = 50,
	  .max = HOUR_MS,
	  .help = "a source or incident belongs to one worker for so long at a time" },
	{ .name = "TOCSIN_LEASE_RENEW",
	  .type = CONF_MILLIS,
	  FIELD(lease_renew_ms),
	  .fallback = "10s",
	  .min = 10,
	  .max = HOUR_MS,
	  .help = "how often it renews that" },
	{ .name = "TOCSIN_BLOCK",
	  .type = CONF_MILLIS,
	  FIELD(block_ms),
	  .fallback = "5s",
	  .min = 10,
	  .max = 60000,
	  .help = "longest wait of one read from a stream" },
	{ .name = "TOCSIN_GIVE_UP",
	  .type = CONF_MILLIS,
	  FIELD(give_up_ms),
	  .fallback = "72h",
	  .min = 100,
	  .max = 365 * DAY_MS,
	  .help = "age at which work that only ever failed is dead" },
	{ .name = "TOCSIN_BACKOFF_BASE",
	  .type = CONF_MILLIS,
	  FIELD(backoff_base_ms),
	  .fallback = "2s",
	  .min = 1,
	  .max = HOUR_MS,
	  .help = "wait after the first failed attempt; doubled each time, random below" },
	{ .name = "TOCSIN_BACKOFF_CAP",
	  .type = CONF_MILLIS,
	  FIELD(backoff_cap_ms),
	  .fallback = "15m",
	  .min = 1,
	  .max = DAY_MS,
	  .help = "longest wait between attempts" },
	{ .name = "TOCSIN_FATE_TTL",
	  .type = CONF_MILLIS,
	  FIELD(fate_ttl_ms),
	  .fallback = "8d",
	  .min = 1000,
	  .max = 365 * DAY_MS,
	  .help =
	      "how long each event's fate is known; at least the look-back, the time to give "
	      "up and the reopen window, and a day" },
	{ .name = "TOCSIN_STOP_GRACE",
	  .type = CONF_MILLIS,
	  FIELD(stop_grace_ms),
	  .fallback = "8s",
	  .min = 10,
	  .max = 600000,
	  .help = "after SIGTERM, what is in hand may take so long" },
	{ .name = "TOCSIN_STUCK",
	  .type = CONF_MILLIS,
	  FIELD(stuck_ms),
	  .fallback = "5m",
	  .min = 100,
	  .max = DAY_MS,
	  .help =
	      "a thread without progress for so long fails /healthz and loses its entries" },
	{ 0 },
};

/* One row per rule: the left one must not exceed a share of the right one. */
struct rule {
	const char *low, *high;
	size_t low_offset, high_offset;
	unsigned times; /* low * times <= high */
	const char *why;
};

#define RULE(low, low_field, high, high_field, times, why)                                     \
	{                                                                                      \
		low, high, offsetof(struct bus_settings, low_field),                           \
		    offsetof(struct bus_settings, high_field), times, why                      \
	}

static const struct rule rules[] = {
	RULE("TOCSIN_HEARTBEAT", heartbeat_ms, "TOCSIN_CLAIM_IDLE", claim_idle_ms, 3,
	     "two heartbeats may fail before an entry is taken over"),
	RULE("TOCSIN_SCAN", scan_ms, "TOCSIN_CLAIM_IDLE", claim_idle_ms, 1,
	     "a stale entry must not wait longer for a look than it took to become stale"),
	RULE("TOCSIN_LEASE_RENEW", lease_renew_ms, "TOCSIN_LEASE", lease_ms, 2,
	     "one renewal may fail"),
	RULE("TOCSIN_CALL_DEADLINE", call_deadline_ms, "TOCSIN_STUCK", stuck_ms, 2,
	     "a thread that waits for a call is not stuck"),
	RULE("TOCSIN_CLAIM_IDLE", claim_idle_ms, "TOCSIN_STUCK", stuck_ms, 1,
	     "a thread that is not stuck keeps what it holds"),
	RULE("TOCSIN_QUARANTINE", quarantine_ms, "TOCSIN_GIVE_UP", give_up_ms, 1,
	     "nothing is given up before it could be tried again"),
	RULE("TOCSIN_BACKOFF_BASE", backoff_base_ms, "TOCSIN_BACKOFF_CAP", backoff_cap_ms, 1,
	     "the cap is the longest wait"),
	RULE("TOCSIN_BACKOFF_CAP", backoff_cap_ms, "TOCSIN_GIVE_UP", give_up_ms, 1,
	     "work must be tried more than once before it is given up"),
	RULE("TOCSIN_GIVE_UP", give_up_ms, "TOCSIN_FATE_TTL", fate_ttl_ms, 1,
	     "the fate of an event must be known for as long as it may wait"),
};

static uint64_t at_offset(const struct bus_settings *settings, size_t offset)
{
	return *(const uint64_t *)(const void *)((const char *)settings + offset);
}

static bool rule_holds(const struct bus_settings *settings, const struct rule *rule,
		       struct err *err)
{
	char low_text[CLOCK_TEXT_SIZE];
	char high_text[CLOCK_TEXT_SIZE];
	uint64_t low = at_offset(settings, rule->low_offset);
	uint64_t high = at_offset(settings, rule->high_offset);
	if (low <= high / rule->times)
		return true;
	clock_format_span(low, low_text);
	clock_format_span(high, high_text);
	if (rule->times == 1)
		return err_set(err, ERR_PERMANENT, "%s (%s) must not exceed %s (%s): %s",
			       rule->low, low_text, rule->high, high_text, rule->why);
	return err_set(err, ERR_PERMANENT, "%u times %s (%s) must not exceed %s (%s): %s",
		       rule->times, rule->low, low_text, rule->high, high_text, rule->why);
}

/* What decides that nothing is created twice: when we look, nothing sent before may still act.
 */
static bool quarantine_holds(const struct bus_settings *settings, struct err *err)
{
	char quarantine[CLOCK_TEXT_SIZE];
	char sum[CLOCK_TEXT_SIZE];
	uint64_t least = settings->call_deadline_ms + settings->remote_max_ms +
			 settings->quarantine_margin_ms;
	if (settings->quarantine_ms >= least)
		return true;
	clock_format_span(settings->quarantine_ms, quarantine);
	clock_format_span(least, sum);
	return err_set(err, ERR_PERMANENT,
		       "TOCSIN_QUARANTINE (%s) must be at least TOCSIN_CALL_DEADLINE + "
		       "TOCSIN_REMOTE_MAX + TOCSIN_QUARANTINE_MARGIN (%s): a request must be "
		       "dead before it is repeated",
		       quarantine, sum);
}

bool bus_settings_check(const struct bus_settings *settings, struct err *err)
{
	struct redis_settings redis;
	bus_redis_settings(settings, &redis);
	if (!redis_settings_check(&redis, err) || !redis_files_check(&redis, err) ||
	    !quarantine_holds(settings, err))
		return false;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (!rule_holds(settings, &rules[i], err))
			return false;
	}
	return true;
}

void bus_redis_settings(const struct bus_settings *settings,
			struct redis_settings *ret_settings)
{
	*ret_settings = (struct redis_settings){
		.url = settings->redis_url,
		.user = settings->redis_user,
		.password = settings->redis_password,
		.ca_file = settings->redis_ca_file,
		.certificate_file = settings->redis_certificate_file,
		.key_file = settings->redis_key_file,
		.connect_timeout_ms = settings->redis_timeout_ms,
		.command_timeout_ms = settings->redis_timeout_ms,
	};
}
