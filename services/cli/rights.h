#ifndef CLI_RIGHTS_H
#define CLI_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct redis;

/*
 * Whether Redis grants each of our users what deploy/redis/users.acl of this build says it
 * needs: every command on every kind of key, asked with ACL DRYRUN. A right that is missing
 * would otherwise be noticed when some rare thing happens.
 */
enum rights_answer {
	RIGHTS_GRANTED,
	RIGHTS_MISSING,
	RIGHTS_NO_USERS,  /* Redis has none of ours: a server without an aclfile */
	RIGHTS_FORBIDDEN, /* we may not ask */
};

enum { RIGHTS_NAMED = 20, RIGHTS_TEXT_SIZE = 256 };

struct rights {
	enum rights_answer answer;
	size_t checked, missing;
	/* The first of those that are missing, for people. */
	char named[RIGHTS_NAMED][RIGHTS_TEXT_SIZE];
};

bool rights_check(struct redis *redis, struct rights *ret_rights, struct err *err);

#endif
