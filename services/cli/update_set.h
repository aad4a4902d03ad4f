#ifndef CLI_UPDATE_SET_H
#define CLI_UPDATE_SET_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/*
 * An update set of ServiceNow as its "Import Update Set from XML" reads it: one
 * sys_remote_update_set and one sys_update_xml per record. Everything in it follows from what
 * is given, so that the same kit, written twice, updates its records instead of adding more.
 * Form after exported sets: Pedr0Leite/obsidian-servicenow-docs,
 * mattermost/mattermost-plugin-servicenow
 * public/servicenow_for_mattermost_notifications_v2.1.xml.
 */
enum { UPDATE_SET_ID_SIZE = 33 };

/* A sys_id that follows from its parts (SHA-256): 32 hex digits. */
void update_set_id(const char *const *parts, size_t count, char *ret_id);

struct update_column {
	const char *name;
	const char *value;   /* as it is; escaped when written */
	const char *display; /* of a reference; NULL: none */
};

struct update_record {
	const char *table;  /* "sys_script" */
	const char *type;   /* for people: "Business Rule" */
	const char *sys_id; /* 32 hex */
	const char *name;
	const struct update_column *columns;
	size_t column_count;
};

struct update_set {
	const char *name;
	const char *description;
	const char *sys_id;
	const char *written; /* "2026-11-21 18:00:00", UTC */
	const struct update_record *records;
	size_t record_count;
	bool remove; /* an uninstall set: the same records, deleted */
};

void update_set_write(const struct update_set *set, struct buf *out);

#endif
