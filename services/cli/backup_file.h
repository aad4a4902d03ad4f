#ifndef CLI_BACKUP_FILE_H
#define CLI_BACKUP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "base/err.h"

/*
 * A backup: JSON lines. The first says of what, the last how many there are, so that half of
 * one is not taken for a whole:
 *	{"tocsin_backup":1,"installation":"main","partitions":1,"made_ms":...}
 *	{"file":"customers/acme.json","text":"..."}
 *	{"key":"tocsin:customers","expires_ms":0,"dump":"<base64 of what DUMP says>"}
 *	{"key":"tocsin:{p0}:raw","stream":[["<id>","<field>","<value>", ...], ...]}
 *	{"key":"tocsin:{p0}:deferred","sorted_set":[["<score>","<member>"], ...]}
 *	{"end":true,"files":1,"keys":1}
 * A stream or a sorted set may have many lines, and an entry be in two. What is no UTF-8 is
 * {"base64":"..."} instead of a string. Backups of format 1 had streams as dumps.
 * Secrets in it are sealed as they are in the files; it holds no key that opens them.
 */
enum backup_kind { BACKUP_FILE, BACKUP_DUMP, BACKUP_STREAM, BACKUP_SORTED_SET };

struct backup_head {
	char installation[16];
	unsigned partitions;
	uint64_t made_ms;
};

struct backup_writer {
	FILE *file;
	const char *path; /* borrowed */
	size_t files, keys;
	bool failed;
};

/* Makes the file, 0600; one that is there already is an error. */
bool backup_create(struct backup_writer *ret_writer, const char *path,
		   const struct backup_head *head, struct err *err);
void backup_add_file(struct backup_writer *writer, const char *name, const char *text);
void backup_add_key(struct backup_writer *writer, const char *key, size_t key_size,
		    uint64_t expires_ms, const char *dump, size_t size);

/* A part of a stream or a sorted set: begin an item, add its texts. */
struct backup_page {
	enum backup_kind kind;
	const char *name; /* borrowed */
	json_t *items;	  /* NULL before the first */
	json_t *item;	  /* borrowed, the last one */
};

void backup_page_begin(struct backup_page *page);
void backup_page_text(struct backup_page *page, const char *text, size_t size);
/* Written and freed. */
void backup_add_page(struct backup_writer *writer, struct backup_page *page);

/* Its end, on the disk. When good is false, or it cannot be written, the file is removed. */
bool backup_finish(struct backup_writer *writer, bool good, struct err *err);

/* One line of it; name is of a file or a key. */
struct backup_row {
	enum backup_kind kind;
	const char *name;
	size_t name_size;
	uint64_t expires_ms; /* 0: never */
	const char *data;    /* text, or what RESTORE takes */
	size_t size;
	const json_t *items; /* of a stream or a sorted set: arrays for backup_item_text() */
};

/* One text of an item, to be freed; NULL when it is malformed. */
char *backup_item_text(const json_t *item, size_t index, size_t *ret_size);

/* Reads the whole, checks every line and calls visit for each file and key, in their order; it
 * stops when that answers false, with err. visit NULL only checks. */
bool backup_read(const char *path, struct backup_head *ret_head,
		 bool (*visit)(const struct backup_row *row, void *opaque, struct err *err),
		 void *opaque, struct err *err);

#endif
