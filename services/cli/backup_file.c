/* Backups as files. */
#include "backup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "model/base64.h"

enum {
	FORMAT = 2,
	LINE_MAX_BYTES = 128 << 20,
	ITEM_MAX = 256,
	BASE64 = sodium_base64_VARIANT_ORIGINAL,
};

/* ---- out ---- */

static void put(struct backup_writer *writer, json_t *row)
{
	if (!row || json_dumpf(row, writer->file, JSON_COMPACT) != 0 ||
	    fputc('\n', writer->file) == EOF)
		writer->failed = true;
	json_decref(row);
}

static json_t *base64(const char *bytes, size_t size)
{
	size_t room = sodium_base64_encoded_len(size, BASE64);
	char *text = xmalloc(room);

	sodium_bin2base64(text, room, (const unsigned char *)bytes, size, BASE64);
	json_t *json = json_string(text);
	free(text);
	return json;
}

bool backup_create(struct backup_writer *ret_writer, const char *path,
		   const struct backup_head *head, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	*ret_writer = (struct backup_writer){ .path = path };
	ret_writer->file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!ret_writer->file) {
		err_fill(err, ERR_PERMANENT, "cannot make %s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	put(ret_writer, json_pack("{s:i,s:s,s:i,s:I}", "tocsin_backup", (int)FORMAT,
				  "installation", head->installation, "partitions",
				  (int)head->partitions, "made_ms", (json_int_t)head->made_ms));
	return true;
}

void backup_add_file(struct backup_writer *writer, const char *name, const char *text)
{
	put(writer, json_pack("{s:s,s:s}", "file", name, "text", text));
	writer->files++;
}

void backup_add_key(struct backup_writer *writer, const char *key, size_t key_size,
		    uint64_t expires_ms, const char *dump, size_t size)
{
	json_t *row = json_object(), *name = json_stringn(key, key_size);

	/* What is no UTF-8 has no text in JSON. */
	if (name)
		json_object_set_new(row, "key", name);
	else
		json_object_set_new(row, "key_base64", base64(key, key_size));
	json_object_set_new(row, "expires_ms", json_integer((json_int_t)expires_ms));
	json_object_set_new(row, "dump", base64(dump, size));
	put(writer, row);
	writer->keys++;
}

void backup_page_begin(struct backup_page *page)
{
	if (!page->items)
		page->items = json_array();
	page->item = json_array();
	json_array_append_new(page->items, page->item);
}

void backup_page_text(struct backup_page *page, const char *text, size_t size)
{
	json_t *plain = memchr(text, '\0', size) ? NULL : json_stringn(text, size);

	json_array_append_new(page->item,
			      plain ? plain : json_pack("{s:o}", "base64", base64(text, size)));
}

void backup_add_page(struct backup_writer *writer, struct backup_page *page)
{
	put(writer, json_pack("{s:s,s:o}", "key", page->name,
			      page->kind == BACKUP_STREAM ? "stream" : "sorted_set",
			      page->items ? page->items : json_array()));
	page->items = page->item = NULL;
	writer->keys++;
}

bool backup_finish(struct backup_writer *writer, bool good, struct err *err)
{
	bool written = good;

	if (good) {
		put(writer,
		    json_pack("{s:b,s:I,s:I}", "end", 1, "files", (json_int_t)writer->files,
			      "keys", (json_int_t)writer->keys));
		written = !writer->failed && fflush(writer->file) == 0 &&
			  fsync(fileno(writer->file)) == 0;
		if (!written)
			err_fill(err, ERR_PERMANENT, "cannot write %s: %s", writer->path,
				 strerror(errno));
	}
	fclose(writer->file);
	if (!written)
		unlink(writer->path);
	return written;
}

/* ---- in ---- */

struct reader {
	struct backup_head *head;
	bool (*visit)(const struct backup_row *row, void *opaque, struct err *err);
	void *opaque;
	size_t line, files, keys;
	bool ended;
};

static bool read_head(struct reader *reader, const json_t *row, struct err *err)
{
	const char *installation = json_string_value(json_object_get(row, "installation"));
	json_int_t partitions = json_integer_value(json_object_get(row, "partitions"));

	json_int_t format = json_integer_value(json_object_get(row, "tocsin_backup"));

	if (format < 1 || format > FORMAT)
		return err_set(err, ERR_PERMANENT, "is no backup that this version knows");
	if (!installation || strlen(installation) >= sizeof reader->head->installation ||
	    partitions < 1)
		return err_set(err, ERR_PERMANENT, "line 1 is malformed");
	snprintf(reader->head->installation, sizeof reader->head->installation, "%s",
		 installation);
	reader->head->partitions = (unsigned)partitions;
	reader->head->made_ms = (uint64_t)json_integer_value(json_object_get(row, "made_ms"));
	return true;
}

static unsigned char *decode(const json_t *text, size_t *ret_size)
{
	size_t length = json_string_length(text);
	unsigned char *bytes = xmalloc(length + 1);

	if (!base64_decode(json_string_value(text), length, BASE64, NULL, bytes, length,
			   ret_size)) {
		free(bytes);
		return NULL;
	}
	bytes[*ret_size] = '\0';
	return bytes;
}

static bool visit(const struct reader *reader, const struct backup_row *row, struct err *err)
{
	return !reader->visit || reader->visit(row, reader->opaque, err);
}

static bool read_key(struct reader *reader, const json_t *row, struct err *err)
{
	const json_t *text = json_object_get(row, "key"),
		     *raw = json_object_get(row, "key_base64");
	const json_t *dump = json_object_get(row, "dump");
	struct backup_row key = { .kind = BACKUP_DUMP };
	unsigned char *name = NULL, *data = NULL;

	if (json_is_string(text)) {
		key.name = json_string_value(text);
		key.name_size = json_string_length(text);
	} else if (json_is_string(raw)) {
		key.name = (const char *)(name = decode(raw, &key.name_size));
	}
	if (json_is_string(dump))
		key.data = (const char *)(data = decode(dump, &key.size));
	key.expires_ms = (uint64_t)json_integer_value(json_object_get(row, "expires_ms"));
	bool good =
	    key.name && key.data && strncmp(key.name, "tocsin:", strlen("tocsin:")) == 0;

	if (!good)
		err_fill(err, ERR_PERMANENT, "line %zu is malformed", reader->line);
	good = good && visit(reader, &key, err);
	free(name);
	free(data);
	reader->keys++;
	return good;
}

char *backup_item_text(const json_t *item, size_t index, size_t *ret_size)
{
	const json_t *text = json_array_get(item, index);

	if (json_is_object(text))
		return (char *)decode(json_object_get(text, "base64"), ret_size);
	*ret_size = json_string_length(text);
	return json_is_string(text) ? xstrndup(json_string_value(text), *ret_size) : NULL;
}

/* An id and fields with values, or a score and a member; all of them texts. */
static bool is_item(const json_t *item, bool stream)
{
	size_t count = json_array_size(item), size;
	bool good = stream ? count >= 3 && count <= ITEM_MAX && count % 2 == 1 : count == 2;

	for (size_t i = 0; good && i < count; i++) {
		char *text = backup_item_text(item, i, &size);

		good = text != NULL;
		free(text);
	}
	return good;
}

static bool read_page(struct reader *reader, const json_t *row, struct err *err)
{
	const json_t *stream = json_object_get(row, "stream"), *item;
	const json_t *name = json_object_get(row, "key");
	const struct backup_row page = {
		.kind = stream ? BACKUP_STREAM : BACKUP_SORTED_SET,
		.name = json_string_value(name),
		.name_size = json_string_length(name),
		.items = stream ? stream : json_object_get(row, "sorted_set"),
	};
	bool good = page.name && strncmp(page.name, "tocsin:", strlen("tocsin:")) == 0 &&
		    json_is_array(page.items);
	size_t i;

	json_array_foreach(page.items, i, item) good = good && is_item(item, stream != NULL);
	reader->keys++;
	if (!good)
		return err_set(err, ERR_PERMANENT, "line %zu is malformed", reader->line);
	return visit(reader, &page, err);
}

/* Below the folder, and nothing hidden. */
static bool is_name(const char *name)
{
	static const char good[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";

	return name[0] && name[0] != '/' && name[0] != '.' &&
	       name[strspn(name, good)] == '\0' && !strstr(name, "/.") && !strstr(name, "//") &&
	       strlen(name) < 256;
}

static bool read_file(struct reader *reader, const json_t *row, struct err *err)
{
	const char *name = json_string_value(json_object_get(row, "file"));
	const json_t *text = json_object_get(row, "text");
	const struct backup_row file = {
		.name = name,
		.name_size = strlen(name),
		.data = json_string_value(text),
		.size = json_string_length(text),
	};

	reader->files++;
	if (!file.data || !is_name(name))
		return err_set(err, ERR_PERMANENT, "line %zu is malformed", reader->line);
	return visit(reader, &file, err);
}

static bool read_end(struct reader *reader, const json_t *row, struct err *err)
{
	reader->ended = true;
	if ((size_t)json_integer_value(json_object_get(row, "files")) != reader->files ||
	    (size_t)json_integer_value(json_object_get(row, "keys")) != reader->keys)
		return err_set(err, ERR_PERMANENT, "lines are missing");
	return true;
}

static bool read_line(struct reader *reader, const char *line, size_t size, struct err *err)
{
	json_t *row = size <= LINE_MAX_BYTES ? json_loadb(line, size, 0, NULL) : NULL;
	bool good;

	reader->line++;
	if (!json_is_object(row) || reader->ended)
		good = err_set(err, ERR_PERMANENT, "line %zu is malformed", reader->line);
	else if (reader->line == 1)
		good = read_head(reader, row, err);
	else if (json_is_string(json_object_get(row, "file")))
		good = read_file(reader, row, err);
	else if (json_object_get(row, "end"))
		good = read_end(reader, row, err);
	else if (json_object_get(row, "stream") || json_object_get(row, "sorted_set"))
		good = read_page(reader, row, err);
	else
		good = read_key(reader, row, err);
	json_decref(row);
	return good;
}

bool backup_read(const char *path, struct backup_head *ret_head,
		 bool (*visit_row)(const struct backup_row *row, void *opaque, struct err *err),
		 void *opaque, struct err *err)
{
	struct reader reader = { .head = ret_head, .visit = visit_row, .opaque = opaque };
	FILE *file = fopen(path, "re");
	size_t room = 0;
	char *line = NULL;
	ssize_t size;
	bool good = true;

	if (!file)
		return err_set(err, ERR_PERMANENT, "cannot read %s: %s", path, strerror(errno));
	while (good && (size = getline(&line, &room, file)) > 0)
		good = read_line(&reader, line, (size_t)size, err);
	if (good && !reader.ended)
		good = err_set(err, ERR_PERMANENT, "is not whole: its end is missing");
	if (!good)
		err_prefix(err, "%s", path);
	free(line);
	fclose(file);
	return good;
}
