/* The section "mail" of a customer's file. */
#include "model/customer_mail.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "model/customer_defaults.h"
#include "model/form.h"

enum { ADDRESSES_MAX = 50, ADDRESS_MAX_BYTES = 200 };

#define WAIT_MS	     (30 * SECOND_MS)
#define INTERVAL_MS  (15 * MINUTE_MS)
#define LINK_TIME_MS (7 * DAY_MS)

static const char *const vias[] = { "smtp", "servicenow", NULL };
static const char *const severities[] = { "informational", "low",      "medium",
					  "high",	   "critical", NULL };
/* No quoted local parts: nobody has one, and they are where headers are forged. */
static const char address_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.!#$%&'*+-/=?^_`{|}~@";

void customer_mail_init(struct customer_mail *ret_mail)
{
	*ret_mail = (struct customer_mail){
		.wait_ms = WAIT_MS,
		.interval_ms = INTERVAL_MS,
		.minimum_severity = SEVERITY_MEDIUM,
		.link_time_ms = LINK_TIME_MS,
	};
}

static void clear_list(char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

void customer_mail_clear(struct customer_mail *mail)
{
	clear_list(mail->to, mail->to_count);
	clear_list(mail->internal, mail->internal_count);
	*mail = (struct customer_mail){ 0 };
}

bool customer_mail_wanted(const struct customer_mail *mail)
{
	return mail->to_count + mail->internal_count > 0;
}

static bool is_address(const char *text)
{
	const char *at = strchr(text, '@');

	return at && at != text && at[1] != '\0' && !strchr(at + 1, '@') &&
	       text[strspn(text, address_letters)] == '\0' && strlen(text) <= ADDRESS_MAX_BYTES;
}

static bool read_addresses(const struct form *form, const char *name, char ***ret_list,
			   size_t *ret_count, struct err *err)
{
	const json_t *list = json_object_get(form->json, name), *item;
	size_t i;

	if (!list || json_is_null(list))
		return true;
	if (!json_is_array(list) || json_array_size(list) > ADDRESSES_MAX)
		return form_refuse(form, name, err, "must be a list of at most %d addresses",
				   ADDRESSES_MAX);
	*ret_list = xcalloc(json_array_size(list) + 1, sizeof(char *));
	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);

		if (!text || !is_address(text))
			return form_refuse(form, name, err, "\"%.80s\" is not a mail address",
					   text ? text : "?");
		(*ret_list)[(*ret_count)++] = xstrdup(text);
	}
	return true;
}

static bool read_titles(struct customer_mail *mail, const struct form *form, struct err *err)
{
	const json_t *titles = json_object_get(form->json, "titles");

	if (titles && !json_is_boolean(titles))
		return form_refuse(form, "titles", err, "must be true or false");
	mail->titles = json_is_true(titles);
	return true;
}

bool customer_mail_read(struct customer_mail *mail, const struct form *file,
			bool has_servicenow, struct err *err)
{
	static const char *const members[] = { "via",	"to",	    "internal",
					       "wait",	"interval", "minimum_severity",
					       "links", "titles",   NULL };
	struct form form;
	unsigned via = CUSTOMER_MAIL_SMTP,
		 severity = (unsigned)(mail->minimum_severity - SEVERITY_INFORMATIONAL);

	if (!form_object(file, "mail", &form, err))
		return false;
	if (!form.json)
		return true;
	if (!form_known(&form, members, err) || !form_choice(&form, "via", vias, &via, err) ||
	    !read_addresses(&form, "to", &mail->to, &mail->to_count, err) ||
	    !read_addresses(&form, "internal", &mail->internal, &mail->internal_count, err) ||
	    !form_span(&form, "wait", 0, DAY_MS, &mail->wait_ms, err) ||
	    !form_span(&form, "interval", 0, 7 * DAY_MS, &mail->interval_ms, err) ||
	    !form_choice(&form, "minimum_severity", severities, &severity, err) ||
	    !form_span(&form, "links", MINUTE_MS, 90 * DAY_MS, &mail->link_time_ms, err) ||
	    !read_titles(mail, &form, err))
		return false;
	mail->via = (enum customer_mail_via)via;
	if (mail->via == CUSTOMER_MAIL_SERVICENOW && !has_servicenow)
		return form_refuse(&form, "via", err, "needs the section servicenow");
	mail->minimum_severity = (int)severity + SEVERITY_INFORMATIONAL;
	return customer_mail_wanted(mail) ||
	       form_refuse(&form, "to", err, "nobody is told: give to, internal, or both");
}

static void put_addresses(json_t *object, const char *name, char *const *list, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_string(list[i]));
	if (count > 0)
		json_object_set_new(object, name, array);
	else
		json_decref(array);
}

static void put_span(json_t *object, const char *name, uint64_t ms, uint64_t fallback)
{
	char text[CLOCK_TEXT_SIZE];

	if (ms == fallback)
		return;
	clock_format_span(ms, text);
	json_object_set_new(object, name, json_string(text));
}

json_t *customer_mail_write(const struct customer_mail *mail)
{
	if (!customer_mail_wanted(mail))
		return NULL;
	json_t *object = json_object();

	if (mail->via != CUSTOMER_MAIL_SMTP)
		json_object_set_new(object, "via", json_string(vias[mail->via]));
	put_addresses(object, "to", mail->to, mail->to_count);
	put_addresses(object, "internal", mail->internal, mail->internal_count);
	put_span(object, "wait", mail->wait_ms, WAIT_MS);
	put_span(object, "interval", mail->interval_ms, INTERVAL_MS);
	if (mail->minimum_severity != SEVERITY_MEDIUM)
		json_object_set_new(
		    object, "minimum_severity",
		    json_string(severities[mail->minimum_severity - SEVERITY_INFORMATIONAL]));
	put_span(object, "links", mail->link_time_ms, LINK_TIME_MS);
	if (mail->titles)
		json_object_set_new(object, "titles", json_true());
	return object;
}
