/* Update sets of ServiceNow, as XML. */
#include "update_set.h"

#include <stdint.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

void update_set_id(const char *const *parts, size_t count, char *ret_id)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	for (size_t i = 0; i < count; i++)
		crypto_hash_sha256_update(&state, (const unsigned char *)parts[i],
					  strlen(parts[i]) + 1);
	crypto_hash_sha256_final(&state, hash);
	sodium_bin2hex(ret_id, UPDATE_SET_ID_SIZE, hash, UPDATE_SET_ID_SIZE / 2);
}

enum { PAYLOAD_MAX = 256 * 1024 };

static void add_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			buf_addf(out, "&amp;");
			break;
		case '<':
			buf_addf(out, "&lt;");
			break;
		case '>':
			buf_addf(out, "&gt;");
			break;
		case '"':
			buf_addf(out, "&quot;");
			break;
		default:
			buf_add(out, text, 1);
		}
	}
}

static void add_element(struct buf *out, const char *name, const char *value)
{
	buf_addf(out, "<%s>", name);
	add_escaped(out, value);
	buf_addf(out, "</%s>", name);
}

static void add_reference(struct buf *out, const char *name, const char *value,
			  const char *display)
{
	buf_addf(out, "<%s display_value=\"", name);
	add_escaped(out, display);
	buf_addf(out, "\">");
	add_escaped(out, value);
	buf_addf(out, "</%s>", name);
}

static const char *action(const struct update_set *set)
{
	return set->remove ? "DELETE" : "INSERT_OR_UPDATE";
}

/* What the record is to be, XML of its own. */
static void add_payload(struct buf *out, const struct update_set *set,
			const struct update_record *record)
{
	buf_addf(out,
		 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
		 "<record_update table=\"%s\"><%s action=\"%s\">",
		 record->table, record->table, action(set));
	for (size_t i = 0; i < record->column_count && !set->remove; i++) {
		const struct update_column *column = &record->columns[i];

		if (column->display)
			add_reference(out, column->name, column->value, column->display);
		else
			add_element(out, column->name, column->value);
	}
	add_element(out, "sys_class_name", record->table);
	add_element(out, "sys_id", record->sys_id);
	add_element(out, "sys_name", record->name);
	buf_addf(out, "<sys_package display_value=\"Global\" source=\"global\">global"
		      "</sys_package>");
	add_reference(out, "sys_scope", "global", "Global");
	buf_addf(out, "<sys_update_name>%s_%s</sys_update_name></%s></record_update>",
		 record->table, record->sys_id, record->table);
}

/* Java's String.hashCode(), of ASCII. */
static int32_t payload_hash(const char *text, size_t size)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < size; i++)
		hash = hash * 31 + (unsigned char)text[i];
	return (int32_t)hash;
}

static void add_record(struct buf *out, const struct update_set *set,
		       const struct update_record *record)
{
	struct buf payload;
	char id[UPDATE_SET_ID_SIZE];
	const char *const parts[] = { set->sys_id, record->table, record->sys_id };

	buf_init(&payload, PAYLOAD_MAX);
	add_payload(&payload, set, record);
	update_set_id(parts, sizeof(parts) / sizeof(parts[0]), id);
	buf_addf(out, "<sys_update_xml action=\"INSERT_OR_UPDATE\">\n<action>%s</action>\n",
		 action(set));
	add_reference(out, "application", "global", "Global");
	buf_addf(out, "\n<category>customer</category>\n<name>%s_%s</name>\n", record->table,
		 record->sys_id);
	add_element(out, "payload", payload.data);
	buf_addf(out, "\n<payload_hash>%d</payload_hash>\n",
		 (int)payload_hash(payload.data, payload.size));
	add_reference(out, "remote_update_set", set->sys_id, set->name);
	buf_addf(out, "\n<replace_on_upgrade>false</replace_on_upgrade>\n<sys_id>%s</sys_id>\n",
		 id);
	add_element(out, "target_name", record->name);
	add_element(out, "type", record->type);
	buf_addf(out, "\n<update_domain>global</update_domain>\n</sys_update_xml>\n");
	buf_done(&payload);
}

void update_set_write(const struct update_set *set, struct buf *out)
{
	buf_addf(out,
		 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<unload unload_date=\"%s\">\n",
		 set->written);
	buf_addf(out, "<sys_remote_update_set action=\"INSERT_OR_UPDATE\">\n");
	add_reference(out, "application", "global", "Global");
	buf_addf(out, "\n<application_name>Global</application_name>\n"
		      "<application_scope>global</application_scope>\n");
	add_element(out, "description", set->description);
	add_element(out, "name", set->name);
	buf_addf(out,
		 "\n<remote_sys_id>%s</remote_sys_id>\n<state>loaded</state>\n"
		 "<sys_class_name>sys_remote_update_set</sys_class_name>\n<sys_id>%s</sys_id>\n"
		 "</sys_remote_update_set>\n",
		 set->sys_id, set->sys_id);
	for (size_t i = 0; i < set->record_count; i++)
		add_record(out, set, &set->records[i]);
	buf_addf(out, "</unload>\n");
}
