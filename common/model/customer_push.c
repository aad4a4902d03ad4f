/* Who may push a customer's events to us. */
#include "model/customer_push.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/form.h"

enum {
	SOURCE_NAME_MAX = 32,
	PATH_MAX_BYTES = 128,
	PROGRAM_MAX_BYTES = 64,
	EVENTS_PER_MINUTE_MAX = 10000000
};

static const char name_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
static const char program_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-.";
static const char path_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.@";

static bool read_source(struct customer_push *push, const struct form *sources,
			const char *name, struct err *err)
{
	static const char *const members[] = { "id", "program", NULL };
	struct customer_push_source *source = &push->sources[push->source_count++];
	size_t size = strlen(name);
	struct form form;

	source->name = xstrdup(name);
	if (size == 0 || size > SOURCE_NAME_MAX || name[strspn(name, name_letters)] != '\0')
		return form_refuse(sources, name, err, "a source is 1 to %d of a-z, 0-9 and _",
				   SOURCE_NAME_MAX);
	if (!form_object(sources, name, &form, err) || !form_known(&form, members, err) ||
	    !form_text(&form, "id", PATH_MAX_BYTES, path_letters, &source->id, err) ||
	    !form_text(&form, "program", PROGRAM_MAX_BYTES, program_letters, &source->program,
		       err))
		return false;
	size = source->program ? strlen(source->program) : 0;
	return size == 0 ||
	       (size > 3 && strcmp(source->program + size - 3, ".jq") == 0 &&
		source->program[0] != '.') ||
	       form_refuse(&form, "program", err, "is a file below sources/, like wazuh.jq");
}

static bool read_sources(struct customer_push *push, const struct form *form, struct err *err)
{
	struct form sources;
	const char *name;
	json_t *value;

	if (!form_need(form, "sources", err) || !form_object(form, "sources", &sources, err))
		return false;
	size_t count = json_object_size(sources.json);
	if (count == 0 || count > CUSTOMER_PUSH_SOURCES_MAX)
		return form_refuse(form, "sources", err, "must name 1 to %d sources",
				   CUSTOMER_PUSH_SOURCES_MAX);
	push->sources = xcalloc(count, sizeof *push->sources);
	json_object_foreach((json_t *)(uintptr_t)sources.json, name, value)
	{
		if (!read_source(push, &sources, name, err))
			return false;
	}
	return true;
}

bool customer_push_read(struct customer_push *ret_push, const struct form *parent,
			struct err *err)
{
	static const char *const members[] = { "sources", "hmac", "bearer", "events_per_minute",
					       NULL };
	struct form form;

	if (!form_object(parent, "push", &form, err))
		return false;
	if (!form.json)
		return true;
	ret_push->given = true;
	if (!form_known(&form, members, err) || !read_sources(ret_push, &form, err) ||
	    !secret_pair_read(&ret_push->hmac, &form, "hmac", SECRET_SEALED, err) ||
	    !secret_pair_read(&ret_push->bearer, &form, "bearer", SECRET_HASHED, err) ||
	    !form_unsigned(&form, "events_per_minute", EVENTS_PER_MINUTE_MAX,
			   &ret_push->events_per_minute, err))
		return false;
	return true;
}

json_t *customer_push_write(const struct customer_push *push)
{
	if (!push->given)
		return NULL;
	json_t *object = json_object();
	json_t *sources = json_object();

	for (size_t i = 0; i < push->source_count; i++) {
		json_t *source = json_object();
		if (push->sources[i].id)
			json_object_set_new(source, "id", json_string(push->sources[i].id));
		if (push->sources[i].program)
			json_object_set_new(source, "program",
					    json_string(push->sources[i].program));
		json_object_set_new(sources, push->sources[i].name, source);
	}
	json_object_set_new(object, "sources", sources);
	secret_pair_write(&push->hmac, object, "hmac");
	secret_pair_write(&push->bearer, object, "bearer");
	if (push->events_per_minute > 0)
		json_object_set_new(object, "events_per_minute",
				    json_integer(push->events_per_minute));
	return object;
}

void customer_push_clear(struct customer_push *push)
{
	for (size_t i = 0; i < push->source_count; i++) {
		free(push->sources[i].name);
		free(push->sources[i].id);
		free(push->sources[i].program);
	}
	free(push->sources);
	secret_pair_clear(&push->hmac);
	secret_pair_clear(&push->bearer);
	*push = (struct customer_push){ 0 };
}

const struct customer_push_source *customer_push_source(const struct customer_push *push,
							const char *name)
{
	for (size_t i = 0; i < push->source_count; i++) {
		if (strcmp(push->sources[i].name, name) == 0)
			return &push->sources[i];
	}
	return NULL;
}
