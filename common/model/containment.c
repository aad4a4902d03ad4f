/* The undo ledger, our mark on what we isolate, and what an operating system's name says. */
#include "model/containment.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"

enum { LEDGER_MAX_BYTES = 8 << 10, GUID_SIZE = 36, SYSTEM_MAX = 128 };

static const char *const method_names[] = { "isolate", "move_group" };

static const char *const state_names[] = {
	[CONTAINMENT_INTENT] = "intent",
	[CONTAINMENT_PENDING] = "pending",
	[CONTAINMENT_HELD] = "held",
	[CONTAINMENT_RELEASING] = "releasing",
	[CONTAINMENT_RELEASED] = "released",
	[CONTAINMENT_FOREIGN] = "foreign",
	[CONTAINMENT_WRITTEN_OFF] = "written_off",
};

_Static_assert(sizeof(method_names) / sizeof(method_names[0]) == CONTAINMENT_METHODS &&
		   sizeof(state_names) / sizeof(state_names[0]) == CONTAINMENT_STATES,
	       "a name for each");

const char *containment_method_name(enum containment_method method)
{
	return method_names[method];
}

bool containment_machine_valid(const char *machine)
{
	size_t size = machine ? strspn(machine, "0123456789abcdefghijklmnopqrstuvwxyz"
						"ABCDEFGHIJKLMNOPQRSTUVWXYZ-")
			      : 0;

	return size >= 1 && size <= CONTAINMENT_MACHINE_MAX && machine[size] == '\0';
}

bool containment_is_due(const struct containment_entry *entry)
{
	return entry->machine && entry->state <= CONTAINMENT_RELEASING;
}

/* ---- the ledger ---- */

static json_t *entry_write(const struct containment_entry *entry)
{
	json_t *object = json_pack(
	    "{s:s, s:s, s:I, s:s*, s:s*, s:s, s:s*, s:s*, s:s*, s:s*, s:s*}", "method",
	    method_names[entry->method], "state", state_names[entry->state], "since_ms",
	    (json_int_t)entry->since_ms, "source", entry->source, "account", entry->account,
	    "machine", entry->machine, "host", entry->host, "from", entry->from, "to",
	    entry->to, "action", entry->action, "words", entry->words);

	if (entry->shared)
		json_object_set_new(object, "shared", json_true());
	return object;
}

static const char *dump(const json_t *json, struct arena *arena)
{
	char *text = json_dumps(json, JSON_COMPACT);
	const char *copy = arena_strdup(arena, text ? text : "");

	free(text);
	return copy;
}

const char *containment_ledger_encode(const struct containment_ledger *ledger,
				      struct arena *arena)
{
	json_t *list = json_array();
	const char *text = NULL;

	for (int i = 0; i < CONTAINMENT_METHODS; i++) {
		if (ledger->entries[i].machine)
			json_array_append_new(list, entry_write(&ledger->entries[i]));
	}
	if (json_array_size(list) > 0)
		text = dump(list, arena);
	json_decref(list);
	return text;
}

static bool name_read(const json_t *object, const char *name, const char *const *names,
		      size_t count, unsigned *ret_index)
{
	const char *text = json_string_value(json_object_get(object, name));

	for (size_t i = 0; text && i < count; i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_index = (unsigned)i;
			return true;
		}
	}
	return false;
}

static const char *text_read(const json_t *object, const char *name, struct arena *arena)
{
	return arena_strdup(arena, json_string_value(json_object_get(object, name)));
}

static bool entry_read(const json_t *object, struct arena *arena,
		       struct containment_entry *ret_entry)
{
	unsigned method, state;
	json_int_t since = json_integer_value(json_object_get(object, "since_ms"));

	if (!name_read(object, "method", method_names, CONTAINMENT_METHODS, &method) ||
	    !name_read(object, "state", state_names, CONTAINMENT_STATES, &state))
		return false;
	*ret_entry = (struct containment_entry){
		.method = (enum containment_method)method,
		.state = (enum containment_state)state,
		.shared = json_is_true(json_object_get(object, "shared")),
		.since_ms = since > 0 ? (uint64_t)since : 0,
		.source = text_read(object, "source", arena),
		.account = text_read(object, "account", arena),
		.machine = text_read(object, "machine", arena),
		.host = text_read(object, "host", arena),
		.from = text_read(object, "from", arena),
		.to = text_read(object, "to", arena),
		.action = text_read(object, "action", arena),
		.words = text_read(object, "words", arena),
	};
	return containment_machine_valid(ret_entry->machine);
}

bool containment_ledger_decode(struct containment_ledger *ret_ledger, const char *text,
			       struct arena *arena, struct err *err)
{
	struct containment_entry entry;
	bool good = true;
	json_t *list;

	*ret_ledger = (struct containment_ledger){ 0 };
	if (!text || !*text)
		return true;
	list = strlen(text) <= LEDGER_MAX_BYTES ? json_loads(text, JSON_REJECT_DUPLICATES, NULL)
						: NULL;
	good = json_is_array(list) && json_array_size(list) <= CONTAINMENT_METHODS;
	for (size_t i = 0; good && i < json_array_size(list); i++) {
		good = entry_read(json_array_get(list, i), arena, &entry);
		if (good)
			ret_ledger->entries[entry.method] = entry;
	}
	json_decref(list);
	return good || err_set(err, ERR_PERMANENT, "not an undo ledger");
}

size_t containment_due_count(const char *text)
{
	struct arena *arena = arena_new();
	struct containment_ledger ledger;
	size_t due = 0;

	if (containment_ledger_decode(&ledger, text, arena, NULL)) {
		for (int i = 0; i < CONTAINMENT_METHODS; i++)
			due += containment_is_due(&ledger.entries[i]);
	}
	arena_free(arena);
	return due;
}

/* ---- the mark ---- */

const char *containment_mark_text(const struct containment_mark *mark, struct arena *arena)
{
	return arena_printf(arena, "Isolated by Tocsin%s%s [%s%s%s]",
			    mark->number ? " for " : "", mark->number ? mark->number : "",
			    mark->key, mark->from ? " from=" : "",
			    mark->from ? mark->from : "");
}

/* The next part of a key, up to its colon. */
static const char *part_take(const char **at, const char *letters, size_t max,
			     struct arena *arena)
{
	size_t size = strspn(*at, letters);
	const char *part = *at;

	if (size == 0 || size > max)
		return NULL;
	*at += size;
	return arena_strndup(arena, part, size);
}

/* What stands between the words before the mark and its bracket: " for INC0010001 ". */
static const char *number_before(const char *comment, const char *bracket, struct arena *arena)
{
	const char *word = strstr(comment, " for ");
	size_t size;

	if (!word || word > bracket)
		return NULL;
	word += strlen(" for ");
	size = strspn(word, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	return size >= 4 && size <= 40 ? arena_strndup(arena, word, size) : NULL;
}

bool containment_mark_read(const char *comment, const char *installation, struct arena *arena,
			   struct containment_marked *ret_marked)
{
	static const char hex[] = "0123456789abcdef";
	static const char id_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	char *start = arena_printf(arena, "[tocsin-i:%s:", installation);
	const char *bracket = comment ? strstr(comment, start) : NULL, *at;
	struct containment_marked marked = { 0 };

	if (!bracket)
		return false;
	at = bracket + strlen(start);
	marked.customer = part_take(&at, id_letters, 24, arena);
	if (!marked.customer || *at++ != ':')
		return false;
	marked.group = part_take(&at, hex, 16, arena);
	if (!marked.group || *at++ != ':')
		return false;
	marked.incident = part_take(&at, hex, 16, arena);
	if (!marked.incident || strlen(marked.incident) != 16)
		return false;
	if (strncmp(at, " from=", 6) == 0) {
		at += 6;
		marked.from = part_take(&at, "0123456789abcdefABCDEF-", GUID_SIZE, arena);
	}
	if (*at != ']')
		return false;
	marked.number = number_before(comment, bracket, arena);
	if (ret_marked)
		*ret_marked = marked;
	return true;
}

/* ---- operating systems ---- */

static bool any_of(const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (strstr(text, *words))
			return true;
	}
	return false;
}

/* "Windows 10 Enterprise", "Windows Server 2019", "Windows11", "macOS 14.1", "linux Rocky 9":
 * names of Secure Endpoint (operating_system) and of Defender (osPlatform). A multi-session
 * Windows is many people's machine. */
enum containment_system containment_system(const char *operating_system)
{
	static const char *const servers[] = { "server",       "windows 2003", "windows 2008",
					       "windows 2012", "windows 2016", "windows 2019",
					       "windows 2022", "windows 2025", NULL };
	static const char *const shared[] = {
		"multi", "wvd", "linux", "embedded", "iot", NULL
	};
	static const char *const clients[] = { "windows 7",  "windows 8",     "windows 10",
					       "windows 11", "windows7",      "windows8",
					       "windows10",  "windows11",     "windows xp",
					       "windowsxp",  "windows vista", "macos",
					       "mac os",     "os x",	      "osx",
					       NULL };
	char text[SYSTEM_MAX];
	size_t size = 0;

	for (; operating_system && operating_system[size] && size < sizeof(text) - 1; size++)
		text[size] = (char)tolower((unsigned char)operating_system[size]);
	text[size] = '\0';
	if (any_of(text, servers))
		return SYSTEM_SERVER;
	if (any_of(text, shared))
		return SYSTEM_UNKNOWN;
	return any_of(text, clients) ? SYSTEM_WORKSTATION : SYSTEM_UNKNOWN;
}

bool containment_name_is_workstation(const char *name)
{
	return name && strcasestr(name, "win") != NULL;
}
