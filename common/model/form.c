#include "model/form.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/control.h"
#include "base/nearest.h"

enum { PATH_MAX_BYTES = 128, URL_MAX_BYTES = 200, SYS_ID_SIZE = 32 };

json_t *form_parse(const char *text, size_t size, const char *where, struct err *err)
{
	json_error_t at;
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &at);

	if (!root) {
		/* Without jansson's "near ...", which would quote the file. */
		char *near = strstr(at.text, " near ");
		if (near)
			*near = '\0';
		err_fill(err, ERR_PERMANENT, "%s:%d:%d: broken JSON: %s", where, at.line,
			 at.column, at.text);
		return NULL;
	}
	if (!json_is_object(root)) {
		json_decref(root);
		err_fill(err, ERR_PERMANENT, "%s: must hold one JSON object", where);
		return NULL;
	}
	return root;
}

static void add_path(struct buf *path, const struct form *form)
{
	if (!form->parent)
		return;
	add_path(path, form->parent);
	buf_adds(path, form->name);
	buf_adds(path, ".");
}

bool form_refuse(const struct form *form, const char *name, struct err *err, const char *fmt,
		 ...)
{
	char reason[160];
	struct buf path;
	va_list args;

	va_start(args, fmt);
	vsnprintf(reason, sizeof reason, fmt, args);
	va_end(args);
	buf_init(&path, PATH_MAX_BYTES);
	add_path(&path, form);
	buf_adds(&path, name);
	/* Names and values are the file's: one line must stay one. */
	if (path.data)
		mask_controls(path.data);
	mask_controls(reason);
	err_fill(err, ERR_PERMANENT, "%s: %s: %s", form->where, buf_text(&path), reason);
	buf_done(&path);
	return false;
}

/* ---- members ---- */

static const json_t *member(const struct form *form, const char *name)
{
	const json_t *value = json_object_get(form->json, name);

	return json_is_null(value) ? NULL : value;
}

static bool listed(const char *const *names, const char *name)
{
	for (; *names; names++) {
		if (strcmp(*names, name) == 0)
			return true;
	}
	return false;
}

bool form_known(const struct form *form, const char *const *names, struct err *err)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)form->json, name, value)
	{
		char shown[41];
		if (listed(names, name))
			continue;
		snprintf(shown, sizeof shown, "%s", name);
		const char *near = nearest_name(names, name);
		return near ? form_refuse(form, shown, err, "unknown member, did you mean %s?",
					  near)
			    : form_refuse(form, shown, err, "unknown member");
	}
	return true;
}

bool form_has(const struct form *form, const char *name)
{
	return member(form, name) != NULL;
}

bool form_need(const struct form *form, const char *name, struct err *err)
{
	return form_has(form, name) || form_refuse(form, name, err, "is missing");
}

bool form_object(const struct form *form, const char *name, struct form *ret_child,
		 struct err *err)
{
	const json_t *value = member(form, name);

	*ret_child =
	    (struct form){ .where = form->where, .parent = form, .name = name, .json = value };
	if (value && !json_is_object(value))
		return form_refuse(form, name, err, "must be an object");
	return true;
}

bool form_text(const struct form *form, const char *name, size_t max, const char *letters,
	       char **ret, struct err *err)
{
	const json_t *value = member(form, name);
	const char *text = json_string_value(value);

	if (!value)
		return true;
	if (!text)
		return form_refuse(form, name, err, "must be text");
	size_t size = strlen(text);
	if (size == 0 || size > max)
		return form_refuse(form, name, err, "has %zu bytes, allowed are 1 to %zu", size,
				   max);
	if (has_control(text))
		return form_refuse(form, name, err, "holds a control character");
	if (letters && text[strspn(text, letters)] != '\0')
		return form_refuse(form, name, err, "\"%.40s\" may only hold %s", text,
				   letters);
	free(*ret);
	*ret = xstrdup(text);
	return true;
}

bool form_sys_id(const struct form *form, const char *name, char **ret, struct err *err)
{
	if (!form_text(form, name, SYS_ID_SIZE, "0123456789abcdef", ret, err))
		return false;
	if (*ret && strlen(*ret) != SYS_ID_SIZE)
		return form_refuse(form, name, err, "must be a sys_id, %d hex digits",
				   SYS_ID_SIZE);
	return true;
}

bool form_unsigned(const struct form *form, const char *name, unsigned max, unsigned *ret,
		   struct err *err)
{
	const json_t *value = member(form, name);
	json_int_t number = json_integer_value(value);

	if (!value)
		return true;
	if (!json_is_integer(value) || number < 0 || number > (json_int_t)max)
		return form_refuse(form, name, err, "must be a whole number, 0 to %u", max);
	*ret = (unsigned)number;
	return true;
}

bool form_span(const struct form *form, const char *name, uint64_t min_ms, uint64_t max_ms,
	       uint64_t *ret_ms, struct err *err)
{
	const json_t *value = member(form, name);
	const char *text = json_string_value(value);
	char low[CLOCK_TEXT_SIZE], high[CLOCK_TEXT_SIZE];
	uint64_t span = 0;

	if (!value)
		return true;
	bool has_unit = text && text[strspn(text, "0123456789")] != '\0';
	if (!has_unit || !clock_parse_span(text, &span))
		return form_refuse(
		    form, name, err,
		    "must be a time with its unit, like \"30s\", \"5m\", \"1h\"");
	clock_format_span(min_ms, low);
	clock_format_span(max_ms, high);
	if (span < min_ms || span > max_ms)
		return form_refuse(form, name, err, "\"%.20s\" is not within %s to %s", text,
				   low, high);
	*ret_ms = span;
	return true;
}

bool form_choice(const struct form *form, const char *name, const char *const *choices,
		 unsigned *ret, struct err *err)
{
	const json_t *value = member(form, name);
	const char *text = json_string_value(value);
	struct buf all;

	if (!value)
		return true;
	for (unsigned i = 0; text && choices[i]; i++) {
		if (strcmp(choices[i], text) == 0) {
			*ret = i;
			return true;
		}
	}
	buf_init(&all, PATH_MAX_BYTES);
	for (size_t i = 0; choices[i]; i++)
		buf_addf(&all, "%s%s", i ? ", " : "", choices[i]);
	if (text)
		form_refuse(form, name, err, "\"%.40s\" is not one of %s", text,
			    buf_text(&all));
	else
		form_refuse(form, name, err, "must be one of %s", buf_text(&all));
	buf_done(&all);
	return false;
}

/* ---- URLs ---- */

/* Skips "host", "host:8080" or "[::1]:8080"; NULL when it is none. */
static const char *skip_authority(const char *at, bool *ret_local)
{
	static const char names[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789.-";
	const char *host = at;

	if (*at == '[') {
		size_t size = strspn(at + 1, "0123456789abcdefABCDEF:.");
		if (size < 2 || at[1 + size] != ']')
			return NULL;
		at += size + 2;
	} else {
		size_t size = strspn(at, names);
		if (size == 0 || at[0] == '.' || at[0] == '-')
			return NULL;
		at += size;
	}
	size_t host_size = (size_t)(at - host);
	*ret_local = strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0 ||
		     (host[0] != '[' && !memchr(host, '.', host_size));
	if (*at != ':')
		return at;
	size_t digits = strspn(at + 1, "0123456789");
	long port = strtol(at + 1, NULL, 10);
	return digits >= 1 && digits <= 5 && port >= 1 && port <= 65535 ? at + 1 + digits
									: NULL;
}

bool form_url(const struct form *form, const char *name, char **ret, struct err *err)
{
	static const char path[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789-._~/";
	bool local = false;
	char *url = NULL;

	if (!form_text(form, name, URL_MAX_BYTES, NULL, &url, err))
		return false;
	if (!url)
		return true;
	bool tls = strncmp(url, "https://", 8) == 0;
	bool plain = strncmp(url, "http://", 7) == 0;
	const char *rest = tls || plain ? skip_authority(url + (tls ? 8 : 7), &local) : NULL;
	if (!rest || (*rest && (*rest != '/' || rest[strspn(rest, path)]))) {
		free(url);
		return form_refuse(form, name, err,
				   "must be like https://host or https://host:8443/path");
	}
	if (plain && !local) {
		free(url);
		return form_refuse(form, name, err, "must be https: secrets travel there");
	}
	size_t size = strlen(url);
	while (url[size - 1] == '/')
		url[--size] = '\0';
	free(*ret);
	*ret = url;
	return true;
}
