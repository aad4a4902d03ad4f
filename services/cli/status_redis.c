/* tocsin status: whether Redis has room, in memory and for its file. */
#include <stdlib.h>
#include <string.h>

#include "bus/redis.h"
#include "status.h"

/* Where functions_intake.lua refuses what comes in. */
#define FULL_SHARE 0.8
#define MIB	   1048576.0

static double number_of(const char *info, const char *name)
{
	const char *at = strstr(info, name);

	return at ? strtod(at + strlen(name), NULL) : 0;
}

json_t *status_redis(struct redis *redis, struct verdict *verdict, struct err *err)
{
	struct redis_reply *reply = redis_command(redis, err, "INFO memory persistence");

	if (!reply)
		return NULL;

	const char *info = reply_text(reply);
	double used = number_of(info, "\nused_memory:"),
	       limit = number_of(info, "\nmaxmemory:");
	bool failed = strstr(info, "\naof_last_bgrewrite_status:err") != NULL;

	reply_free(reply);
	if (limit > 0 && used >= limit * FULL_SHARE)
		verdict_add(
		    verdict, HEALTH_BROKEN,
		    "Redis uses %.0f of %.0f MiB: polling and pushing wait until there is "
		    "room",
		    used / MIB, limit / MIB);
	if (failed)
		verdict_add(
		    verdict, HEALTH_BROKEN,
		    "Redis could not rewrite its append-only file, which grows until it "
		    "can: is its disk full, or its container's memory?");
	return json_pack("{s:I,s:I,s:b}", "memory_bytes", (json_int_t)used, "limit_bytes",
			 (json_int_t)limit, "rewrite_failed", failed);
}
