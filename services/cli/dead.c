/* tocsin dead list, show, replay, export, drop: what could never succeed, in every partition.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "bus/dead.h"
#include "bus/entry.h"
#include "cli.h"
#include "export.h"
#include "run.h"
#include "view.h"

enum { PAGE = 100, LIST_MAX = 10000 };

/* ---- one entry as JSON ---- */

static const char *field_of(const struct dead *dead, const char *name)
{
	const struct field *field = field_find(dead->fields, dead->field_count, name);

	return field ? field->value : NULL;
}

/* Bytes as they are where they are text; otherwise what a person can read of them. */
static json_t *field_json(const struct field *field)
{
	json_t *json = json_stringn(field->value, field->size);

	return json ? json : view_text(field->value);
}

static json_t *describe(const struct dead *dead, unsigned partition, bool whole)
{
	json_t *row = json_pack(
	    "{s:o,s:i,s:o,s:o,s:o,s:o,s:o,s:I,s:I,s:o,s:o}", "id", view_text(dead->id),
	    "partition", (int)partition, "stream", view_text(dead->stream), "entry",
	    view_text(dead->entry), "reason", view_text(dead->reason), "first_ms",
	    view_ms(dead->first_ms), "dead_ms", view_ms(entry_id_ms(dead->id)), "attempts",
	    (json_int_t)dead->attempts, "deliveries", (json_int_t)dead->deliveries, "customer",
	    view_text(field_of(dead, "customer")), "event_id",
	    view_text(field_of(dead, "event_id")));

	if (!whole)
		return row;
	json_t *fields = json_object();
	for (size_t i = 0; i < dead->field_count; i++)
		json_object_set_new(fields, dead->fields[i].name, field_json(&dead->fields[i]));
	json_object_set_new(row, "fields", fields);
	json_object_set_new(row, "fate_key", view_text(dead->fate_key));
	return row;
}

/* ---- walking through all ---- */

/* Every dead entry of a partition, oldest first, until visit() says false. */
static bool walk(struct redis *redis, unsigned partition,
		 bool (*visit)(const struct dead *dead, unsigned partition, void *opaque),
		 void *opaque, struct err *err)
{
	struct dead *page = xcalloc(PAGE, sizeof *page);
	char after[64] = "";
	size_t count = PAGE;
	bool going = true, good = true;

	while (good && going && count == PAGE) {
		struct arena *arena = arena_new();

		good = dead_list(redis, partition, after, PAGE, arena, page, &count, err);
		for (size_t i = 0; good && going && i < count; i++) {
			snprintf(after, sizeof after, "%s", page[i].id);
			going = visit(&page[i], partition, opaque);
		}
		arena_free(arena);
	}
	free(page);
	return good;
}

static bool walk_all(struct cli *cli, struct redis *redis,
		     bool (*visit)(const struct dead *dead, unsigned partition, void *opaque),
		     void *opaque, struct err *err)
{
	for (unsigned partition = 0; partition < cli->bus.partitions; partition++) {
		if (!walk(redis, partition, visit, opaque, err))
			return false;
	}
	return true;
}

/* ---- list ---- */

struct listing {
	json_t *rows;
	const char *customer;
	size_t limit;
	bool whole;
};

static bool list_one(const struct dead *dead, unsigned partition, void *opaque)
{
	struct listing *listing = opaque;
	const char *customer = field_of(dead, "customer");

	if (listing->customer && (!customer || strcmp(customer, listing->customer) != 0))
		return true;
	json_array_append_new(listing->rows, describe(dead, partition, listing->whole));
	return json_array_size(listing->rows) < listing->limit;
}

static void render_list(struct buf *out, const struct screen *screen, const json_t *document)
{
	static const struct column columns[] = {
		{ "ID", "id" },
		{ "DEAD", "dead_ms", CELL_AGE },
		{ "FROM", "stream" },
		{ "CUSTOMER", "customer" },
		{ "EVENT", "event_id", .flexible = true },
		{ "ATTEMPTS", "attempts", CELL_NUMBER },
		{ "WHY", "reason", .flexible = true },
		{ 0 },
	};
	const json_t *list = json_object_get(document, "dead");
	json_int_t count = json_integer_value(json_object_get(document, "count"));

	if (json_array_size(list) == 0) {
		buf_adds(out, "Nothing is dead.\n");
		return;
	}
	table_render(out, screen, columns, list);
	if ((json_int_t)json_array_size(list) < count)
		buf_addf(out, "%lld in all.\n", (long long)count);
}

static bool count_all(struct cli *cli, struct redis *redis, size_t *ret_count, struct err *err)
{
	*ret_count = 0;
	for (unsigned partition = 0; partition < cli->bus.partitions; partition++) {
		size_t count = 0;
		if (!dead_count(redis, partition, &count, err))
			return false;
		*ret_count += count;
	}
	return true;
}

int run_dead_list(struct cli *cli)
{
	struct err err = { 0 };
	uint64_t limit;
	size_t count;

	if (!args_number(&cli->args, "limit", 1, LIST_MAX, 50, &limit, &err))
		return cli_fail(cli, EXIT_USAGE, &err);
	struct redis *redis = cli_redis(cli, &err);
	struct listing listing = { .rows = json_array(),
				   .customer = args_value(&cli->args, "customer"),
				   .limit = (size_t)limit };
	if (redis && walk_all(cli, redis, list_one, &listing, &err) &&
	    count_all(cli, redis, &count, &err))
		return cli_print(
		    cli,
		    json_pack("{s:I,s:o}", "count", (json_int_t)count, "dead", listing.rows),
		    render_list, EXIT_OK);
	json_decref(listing.rows);
	return cli_fail(cli, EXIT_UNREACHABLE, &err);
}

/* ---- one ---- */

/* The partition that holds it is found by asking all. */
static json_t *find(struct cli *cli, struct redis *redis, const char *id,
		    unsigned *ret_partition, struct err *err)
{
	json_t *row = NULL;

	for (unsigned partition = 0; !row && partition < cli->bus.partitions; partition++) {
		struct arena *arena = arena_new();
		struct dead dead;
		bool found = false;

		if (!dead_show(redis, partition, id, arena, &dead, &found, err)) {
			arena_free(arena);
			return NULL;
		}
		if (found)
			row = describe(&dead, partition, true);
		*ret_partition = partition;
		arena_free(arena);
	}
	if (!row)
		err_fill(err, ERR_PERMANENT,
			 "no dead entry has the id %s: see tocsin dead list", id);
	return row;
}

static int not_found(struct cli *cli, const struct err *err)
{
	return cli_fail(cli, err->kind == ERR_PERMANENT ? EXIT_NOT_FOUND : EXIT_UNREACHABLE,
			err);
}

static void render_show(struct buf *out, const struct screen *screen, const json_t *document)
{
	static const struct column columns[] = {
		{ "Id", "id" },
		{ "Why", "reason" },
		{ "Dead since", "dead_ms", CELL_TIME },
		{ "First seen", "first_ms", CELL_TIME },
		{ "Stream", "stream" },
		{ "Entry", "entry" },
		{ "Attempts", "attempts" },
		{ "Deliveries", "deliveries" },
		{ "Partition", "partition" },
		{ 0 },
	};
	const char *name;
	json_t *value;

	record_render(out, screen, columns, document);
	json_object_foreach(json_object_get(document, "fields"), name, value)
	{
		const struct column column[] = { { name, name }, { 0 } };
		json_t *one = json_pack("{s:O}", name, value);

		buf_adds(out, "  ");
		record_render(out, screen, column, one);
		json_decref(one);
	}
}

int run_dead_show(struct cli *cli)
{
	struct err err = { 0 };
	struct redis *redis = cli_redis(cli, &err);
	unsigned partition;

	if (!redis)
		return cli_fail(cli, EXIT_UNREACHABLE, &err);
	json_t *row = find(cli, redis, args_operand(&cli->args, 0), &partition, &err);
	return row ? cli_print(cli, row, render_show, EXIT_OK) : not_found(cli, &err);
}

/* ---- replay and drop ---- */

/* What the command is about, whole: the entries named, or every one. */
static json_t *select_entries(struct cli *cli, struct redis *redis, struct err *err)
{
	struct listing listing = { .rows = json_array(), .limit = (size_t)-1, .whole = true };
	bool good = true;

	if (args_flag(&cli->args, "all")) {
		good = walk_all(cli, redis, list_one, &listing, err);
	} else {
		for (size_t i = 0; good && i < cli->args.operand_count; i++) {
			unsigned partition;
			json_t *row = find(cli, redis, cli->args.operands[i], &partition, err);
			good = row && json_array_append_new(listing.rows, row) == 0;
		}
	}
	if (good)
		return listing.rows;
	json_decref(listing.rows);
	return NULL;
}

static bool check_selection(struct cli *cli)
{
	return args_flag(&cli->args, "all") == (cli->args.operand_count == 0);
}

static unsigned partition_of(const json_t *row)
{
	return (unsigned)json_integer_value(json_object_get(row, "partition"));
}

static const char *id_of(const json_t *row)
{
	return json_string_value(json_object_get(row, "id"));
}

static void render_replay(struct buf *out, const struct screen *screen, const json_t *document)
{
	(void)screen;
	buf_addf(out, "%lld entries are back in their streams.\n",
		 (long long)json_integer_value(json_object_get(document, "replayed")));
}

int run_dead_replay(struct cli *cli)
{
	struct err err = { 0 };
	size_t index, replayed = 0;
	json_t *row;

	if (!check_selection(cli))
		return cli_failf(cli, EXIT_USAGE, "name entries, or give --all");
	struct redis *redis = cli_redis(cli, &err);
	if (!redis)
		return cli_fail(cli, EXIT_UNREACHABLE, &err);
	json_t *rows = select_entries(cli, redis, &err);
	if (!rows)
		return not_found(cli, &err);
	bool good = true;
	json_array_foreach(rows, index, row)
	{
		bool found = false;
		good = good && dead_replay(redis, partition_of(row), id_of(row),
					   cli->bus.fate_ttl_ms, &found, &err);
		replayed += good && found;
	}
	json_decref(rows);
	if (!good)
		return cli_fail(cli, EXIT_UNREACHABLE, &err);
	return cli_print(cli, json_pack("{s:I}", "replayed", (json_int_t)replayed),
			 render_replay, EXIT_OK);
}

static void render_drop(struct buf *out, const struct screen *screen, const json_t *document)
{
	const json_t *rows = json_object_get(document, "entries"), *row;
	size_t index;

	(void)screen;
	json_array_foreach(rows, index, row)
	{
		char *text = json_dumps(row, JSON_COMPACT);
		buf_adds(out, text);
		buf_adds(out, "\n");
		free(text);
	}
}

int run_dead_drop(struct cli *cli)
{
	const char *path = args_value(&cli->args, "export");
	struct err err = { 0 };
	size_t index;
	json_t *row;

	if (!check_selection(cli))
		return cli_failf(cli, EXIT_USAGE, "name entries, or give --all");
	if (!args_flag(&cli->args, "yes"))
		return cli_failf(cli, EXIT_FAILED,
				 "nothing was dropped: what is dropped is gone for good; give "
				 "--yes, and --export FILE to keep a copy");
	struct redis *redis = cli_redis(cli, &err);
	if (!redis)
		return cli_fail(cli, EXIT_UNREACHABLE, &err);
	json_t *rows = select_entries(cli, redis, &err);
	if (!rows)
		return not_found(cli, &err);
	if (path && !export_write(path, rows, &err)) {
		json_decref(rows);
		return cli_fail(cli, EXIT_FAILED, &err);
	}
	/* On paper first: what cannot be printed is not dropped. */
	json_incref(rows);
	int code = cli_print(cli,
			     json_pack("{s:I,s:o}", "dropped",
				       (json_int_t)json_array_size(rows), "entries", rows),
			     render_drop, EXIT_OK);
	bool good = true;
	json_array_foreach(rows, index, row)
	{
		bool found = false;
		good = good && code == EXIT_OK &&
		       dead_drop(redis, partition_of(row), id_of(row), &found, &err);
	}
	json_decref(rows);
	return good || code != EXIT_OK ? code : cli_fail(cli, EXIT_UNREACHABLE, &err);
}

/* ---- export, and the word that it is safe ---- */

static void render_export(struct buf *out, const struct screen *screen, const json_t *document)
{
	const char *file = json_string_value(json_object_get(document, "file"));
	json_int_t dropped = json_integer_value(json_object_get(document, "dropped"));

	(void)screen;
	if (json_object_get(document, "dropped"))
		buf_addf(out, "%lld of %s are dropped.\n", (long long)dropped, file);
	else
		buf_addf(out,
			 "%lld are in %s. When it is safe: tocsin dead export %s "
			 "--acknowledge\n",
			 (long long)json_integer_value(json_object_get(document, "exported")),
			 file, file);
}

static bool drop_row(struct cli *cli, struct redis *redis, const json_t *row, size_t line,
		     size_t *dropped, struct err *err)
{
	const json_t *partition = json_object_get(row, "partition");
	bool found = false;

	if (!id_of(row) || !json_is_integer(partition) ||
	    partition_of(row) >= cli->bus.partitions)
		return err_set(err, ERR_PERMANENT, "line %zu is no dead entry", line);
	if (!dead_drop(redis, partition_of(row), id_of(row), &found, err))
		return false;
	*dropped += found;
	return true;
}

/* Exactly what the file holds; what died since stays. */
static bool drop_file(struct cli *cli, struct redis *redis, FILE *file, size_t *dropped,
		      struct err *err)
{
	bool good = true;

	for (size_t line = 1; good; line++) {
		json_error_t where;
		json_t *row = json_loadf(file, JSON_DISABLE_EOF_CHECK, &where);

		if (!row)
			return json_error_code(&where) == json_error_premature_end_of_input ||
			       (feof(file) && where.position <= 1) ||
			       err_set(err, ERR_PERMANENT, "line %zu is no JSON", line);
		good = drop_row(cli, redis, row, line, dropped, err);
		json_decref(row);
	}
	return false;
}

static int acknowledge(struct cli *cli, struct redis *redis, const char *path)
{
	struct err err = { 0 };
	size_t dropped = 0;
	FILE *file = fopen(path, "re");

	if (!file)
		return cli_failf(cli, EXIT_FAILED, "%s: %s: export it first", path,
				 strerror(errno));
	bool good = drop_file(cli, redis, file, &dropped, &err);
	fclose(file);
	if (!good)
		return cli_fail(cli, err.kind == ERR_PERMANENT ? EXIT_FAILED : EXIT_UNREACHABLE,
				&err);
	return cli_print(cli,
			 json_pack("{s:s,s:I}", "file", path, "dropped", (json_int_t)dropped),
			 render_export, EXIT_OK);
}

int run_dead_export(struct cli *cli)
{
	const char *path = args_operand(&cli->args, 0);
	struct listing listing = { .limit = (size_t)-1, .whole = true };
	struct err err = { 0 };
	struct redis *redis = cli_redis(cli, &err);

	if (!redis)
		return cli_fail(cli, EXIT_UNREACHABLE, &err);
	if (args_flag(&cli->args, "acknowledge"))
		return acknowledge(cli, redis, path);
	listing.rows = json_array();
	size_t count = 0;
	bool good = walk_all(cli, redis, list_one, &listing, &err);
	bool written = good && export_write(path, listing.rows, &err);

	count = json_array_size(listing.rows);
	json_decref(listing.rows);
	if (!written)
		return cli_fail(cli, good ? EXIT_FAILED : EXIT_UNREACHABLE, &err);
	return cli_print(cli,
			 json_pack("{s:s,s:I}", "file", path, "exported", (json_int_t)count),
			 render_export, EXIT_OK);
}
