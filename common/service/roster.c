/* Customers and accounts, as editions. */
#include "service/roster.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "bus/key.h"
#include "bus/redis.h"
#include "service/editions.h"

static bool add_record(struct directory *directory, const char *id, const char *text,
		       size_t size, struct err *err)
{
	char where[128];

	snprintf(where, sizeof(where), KEY_CUSTOMERS " %s", id);
	if (id[0] == '@') {
		struct account *account = account_decode(text, size, where, err);

		if (account)
			directory_add_account(directory, account);
		return account != NULL;
	}
	struct customer *customer = customer_decode(text, size, where, err);

	if (customer)
		directory_add_customer(directory, customer);
	return customer != NULL;
}

static void *read_directory(const struct redis_reply *hash, struct err *err)
{
	struct directory *directory = directory_new();

	for (size_t i = 0; i + 1 < reply_count(hash); i += 2) {
		const char *id = reply_text(reply_at(hash, i));
		const struct redis_reply *value = reply_at(hash, i + 1);

		if (id[0] == '#')
			continue;
		if (!add_record(directory, id, reply_text(value), reply_size(value), err))
			goto fail;
	}
	if (directory_check(directory, err))
		return directory;
fail:
	directory_free(directory);
	return NULL;
}

static void free_directory(void *directory)
{
	directory_free(directory);
}

static const struct edition_kind kind = {
	.key = KEY_CUSTOMERS,
	.name = "customers",
	.missing = "no customers yet: setup has not applied them",
	.read = read_directory,
	.free = free_directory,
};

struct roster {
	struct editions *editions;
};

struct roster *roster_new(void)
{
	struct roster *roster = xcalloc(1, sizeof *roster);

	roster->editions = editions_new(&kind);
	return roster;
}

void roster_free(struct roster *roster)
{
	if (!roster)
		return;
	editions_free(roster->editions);
	free(roster);
}

const struct directory *roster_get(struct roster *roster, struct redis *redis, struct err *err)
{
	return editions_get(roster->editions, redis, err);
}

uint64_t roster_version(struct roster *roster, const struct directory *directory)
{
	return editions_version(roster->editions, directory);
}

void roster_put(struct roster *roster, const struct directory *directory)
{
	editions_put(roster->editions, directory);
}
