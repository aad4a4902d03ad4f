#ifndef CLI_CHANGE_H
#define CLI_CHANGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "cli.h"
#include "store.h"

/*
 * A change of the configuration folder: begun (locked, read), given drafts and removals, then
 * committed as a whole. Until change_commit() nothing on the disk is different, and when it
 * refuses nothing is either.
 */
enum change_action { CHANGE_ADDED, CHANGE_REPLACED, CHANGE_UNCHANGED, CHANGE_REMOVED };

struct change_item {
	enum store_kind kind;
	enum change_action action;
	char *id;
	char *text; /* NULL: the file goes */
};

struct change {
	struct cli *cli; /* borrowed */
	struct store store;
	int lock;
	struct change_item *items;
	size_t count;
};

bool change_begin(struct change *ret_change, struct cli *cli, struct err *err);
void change_done(struct change *change);

/* Takes the draft over: keeps its customer's partition or gives it one, seals what is plain,
 * validates. where names it in err. A draft of an id that was given before is an error. */
bool change_add(struct change *change, enum store_kind kind, json_t *draft, const char *where,
		struct err *err);
void change_remove(struct change *change, enum store_kind kind, const char *id);

/* Checks all of it together and writes it; with dry_run only checks. */
bool change_commit(struct change *change, bool dry_run, struct err *err);

/* The partition of a new customer: a digest of its id modulo the number of partitions. */
unsigned change_partition(const char *id, unsigned partitions);

/* {"changes": [{"kind", "id", "action"}]}, and how people read it. */
json_t *change_report(const struct change *change);
void change_render(struct buf *out, const struct screen *screen, const json_t *document);

/* The JSON of a file of the store; NULL with err when it is bad. Caller releases. */
json_t *change_load(const struct store_file *file, struct err *err);

#endif
